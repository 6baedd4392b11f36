"""What MariaDB itself refuses to keep in a column, when Frappe has checked all that it checks."""

import json
import math
import re
from collections.abc import Callable

from bascule.sandbox.core.database.tables import DATABASE
from bascule.sandbox.core.doctypes.schema import kind_of
from bascule.sandbox.core.documents.document import Document
from bascule.sandbox.core.errors import Refusal, database_error
from bascule.sandbox.core.values import flt, is_number, moment, time_of_day

_TEXT = 65_535  # bytes of a TEXT; the other long texts have room for all that a request can hold
_LARGEST = 1e12  # of numbers with 21 digits, nine of them behind the point
_NAME = 140  # letters
_TEXTS = ("Text", "Small Text")
_MOMENT = re.compile(
    r"\s*\d{4}[-/.]\d{1,2}[-/.]\d{1,2}"
    r"(?:[ T]+\d{1,2}:\d{1,2}(?::\d{1,2}(?:\.\d*)?)?)?\s*|\s*(?:\d{8}|\d{14})(?:\.\d*)?\s*"
)
_PART_OF_A_DAY = re.compile(r"\s*(?:\d{4}-\d\d-00|\d{4}-00-\d\d)(?:[ T]+[\d:.]*)?\s*")


def _is_moment(value: str) -> bool:
    """Nothing may follow a date or a time, a zone least of all; months and days may be zero."""
    return bool(_PART_OF_A_DAY.fullmatch(value) or (_MOMENT.fullmatch(value) and moment(value)))


def _is_json(value: str) -> bool:
    try:
        json.loads(value)
    except ValueError:
        return False
    return True


# Kind of column -> whether MariaDB takes that text for it.
_READ: dict[str, Callable[[str], object]] = {
    "date": _is_moment,
    "datetime": _is_moment,
    "time": lambda value: time_of_day(value) is not None,
}


def _check_number(document: Document, field: str, kind: str, value: object) -> None:
    if kind == "decimal" and isinstance(value, str) and value and not is_number(value):
        place = f"`{DATABASE}`.`tab{document.doctype.name}`.`{field}`"
        told = f"Incorrect decimal value: '{value}' for column {place} at row 1"
        raise database_error("DataError", 1366, told)
    if kind == "float" and math.isnan(flt(value)):
        told = "nan can not be used with MySQL"
        raise Refusal("ProgrammingError", told, module="pymysql.err")
    if kind in ("float", "decimal") and abs(flt(value)) >= _LARGEST:
        told = f"Out of range value for column '{field}' at row 1"
        raise database_error("DataError", 1264, told)


def check_columns(document: Document) -> None:
    """500 for the first value that its column cannot hold."""
    if len(document.name) > _NAME:
        raise database_error("DataError", 1406, "Data too long for column 'name' at row 1")
    for entry in document.doctype.stored:
        field, value = entry["fieldname"], document[entry["fieldname"]]
        if isinstance(value, dict):
            told = "dict can not be used as parameter"
            raise Refusal("TypeError", told, module="", status=500)
        place = f"`{DATABASE}`.`tab{document.doctype.name}`.`{field}`"
        kind = kind_of(entry["fieldtype"])
        if entry["fieldtype"] == "JSON" and isinstance(value, str) and not _is_json(value):
            told = f"CONSTRAINT `{document.doctype.name}.{field}` failed for"
            told += f" `{DATABASE}`.`tab{document.doctype.name}`"
            raise database_error("OperationalError", 4025, told)
        _check_number(document, field, kind, value)
        text = str(int(value)) if isinstance(value, bool) else value
        if kind in _READ and text and not _READ[kind](str(text)):
            told = f"Incorrect {kind} value: '{text}' for column {place} at row 1"
            raise database_error("OperationalError", 1292, told)
        if entry["fieldtype"] in _TEXTS and isinstance(value, str) and len(value.encode()) > _TEXT:
            told = f"Data too long for column '{field}' at row 1"
            raise database_error("DataError", 1406, told)
