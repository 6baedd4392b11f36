"""How version 16 masks a value for a user who lacks the right to it (frappe/model/utils/mask.py).

Lists mask the rows of the DocType that is listed, a loaded document its own fields and not its
rows'. What a user saves is what that user has loaded: masks are written over the values.
"""

from collections.abc import Sequence
from typing import Any

from bascule.sandbox.core.database.tables import Row
from bascule.sandbox.core.doctypes.schema import Field


def masked_value(entry: Field, value: Any) -> Any:
    """What that user gets in the place of the value; nothing stays nothing."""
    if not value:
        return value
    kind, options = entry["fieldtype"], entry.get("options")
    if kind == "Data" and options == "Phone":
        return value[:3] + "XXXXXX" if len(value) > 3 else "X" * len(value)
    if kind == "Data" and options == "Email":
        _, at, rest = value.partition("@")
        return f"XXXXXX{at}{rest.partition('@')[0]}"
    return {"Date": "XX-XX-XXXX", "Time": "XX:XX"}.get(kind, "XXXXXXXX")


def mask_rows(fields: Sequence[Field], names: Sequence[str], rows: list[Any]) -> list[Any]:
    """Rows of a list as that user gets them; `names` of the columns, in their order."""
    at = [(names.index(one["fieldname"]), one) for one in fields if one["fieldname"] in names]
    masked = []
    for row in rows:
        values = list(row)
        for place, entry in at:
            values[place] = masked_value(entry, values[place])
        masked.append(tuple(values))
    return masked


def mask_values(fields: Sequence[Field], values: Row) -> None:
    for entry in fields:
        if entry["fieldname"] in values:
            values[entry["fieldname"]] = masked_value(entry, values[entry["fieldname"]])
