"""A stream's filter, omitted and renamed fields as text that a person writes, and back."""

import json
from collections.abc import Mapping
from typing import Any

from bascule.errors import Invalid
from bascule.mirror.tables import Stream

EXAMPLE = '[["status", "=", "Open"]]'


def as_text(stream: Stream) -> dict[str, str]:
    conditions = [json.dumps(condition, ensure_ascii=False) for condition in stream.filters]
    listed = ",\n ".join(conditions)
    return {
        "filters": f"[{listed}]" if conditions else "",
        "omit": "\n".join(stream.omit),
        "rename": "\n".join(f"{field} = {column}" for field, column in stream.rename.items()),
    }


def from_text(typed: Mapping[str, str]) -> dict[str, Any]:
    """As `change_stream` takes it; Invalid where the text is not what was asked for."""
    return {
        "filters": _filters(typed["filters"]),
        "omit": list(dict.fromkeys(typed["omit"].replace(",", "\n").split())),
        "rename": _rename(typed["rename"]),
    }


def _filters(text: str) -> list[Any]:
    if not text.strip():
        return []
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        where = f" (line {error.lineno})" if isinstance(error, json.JSONDecodeError) else ""
        raise _invalid("filters", f"is not JSON{where}", f"Write it as {EXAMPLE}.") from None
    if not isinstance(found, list):
        raise _invalid("filters", "has to be a list of conditions", f"Write it as {EXAMPLE}.")
    if found and all(not isinstance(part, list | dict) for part in found[:2]) and len(found) == 3:
        found = [found]  # one condition by itself
    return found


def _rename(text: str) -> dict[str, str]:
    renamed: dict[str, str] = {}
    for line in text.replace(",", "\n").splitlines():
        field, sign, column = (part.strip() for part in line.partition("="))
        if not line.strip():
            continue
        if not (sign and field and column):
            raise _invalid(
                "rename",
                f"has a line that is not field = column: {line.strip()[:60]}",
                "Write one a line, such as item_group = category.",
            )
        if field in renamed:
            raise _invalid("rename", f"names {field[:60]} twice", "Leave one of the two out.")
        renamed[field] = column
    return renamed


def _invalid(field: str, why: str, next_step: str) -> Invalid:
    return Invalid(f"{field}: {why}", next_step=next_step, fields={field: why})
