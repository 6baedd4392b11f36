"""What MariaDB itself refuses to keep in a column, when Frappe has checked all that it checks."""

import re
from collections.abc import Callable

from bascule.sandbox.document import Document
from bascule.sandbox.errors import Refusal, database_error
from bascule.sandbox.schema import kind_of
from bascule.sandbox.tables import DATABASE
from bascule.sandbox.values import moment, time_of_day

_TEXT = 65_535  # bytes of a TEXT; the other long texts have room for all that a request can hold
_TEXTS = ("Text", "Small Text")
_MOMENT = re.compile(r"\s*\d{4}-\d{1,2}-\d{1,2}(?:[ T]+\d{1,2}:\d{1,2}(?::\d{1,2}(?:\.\d*)?)?)?\s*")
_NO_DAY = re.compile(r"\s*0000-00-00(?:[ T]+00:00(?::00(?:\.0*)?)?)?\s*")


def _is_moment(value: str) -> bool:
    """Nothing may follow a date or a time, a zone least of all; zeros are one."""
    return bool(_NO_DAY.fullmatch(value) or (_MOMENT.fullmatch(value) and moment(value)))


# Kind of column -> whether MariaDB takes that text for it.
_READ: dict[str, Callable[[str], object]] = {
    "date": _is_moment,
    "datetime": _is_moment,
    "time": lambda value: time_of_day(value) is not None,
}


def check_columns(document: Document) -> None:
    """500 for the first value that its column cannot hold."""
    for entry in document.doctype.stored:
        field, value = entry["fieldname"], document[entry["fieldname"]]
        if isinstance(value, dict):
            told = "dict can not be used as parameter"
            raise Refusal("TypeError", told, module="", status=500)
        place = f"`{DATABASE}`.`tab{document.doctype.name}`.`{field}`"
        kind = kind_of(entry["fieldtype"])
        if isinstance(value, str) and value and not _READ.get(kind, str)(value):
            told = f"Incorrect {kind} value: '{value}' for column {place} at row 1"
            raise database_error("OperationalError", 1292, told)
        if entry["fieldtype"] in _TEXTS and isinstance(value, str) and len(value.encode()) > _TEXT:
            told = f"Data too long for column '{field}' at row 1"
            raise database_error("DataError", 1406, told)
