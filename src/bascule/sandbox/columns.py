"""What MariaDB itself refuses to keep in a column, when Frappe has checked all that it checks."""

from bascule.sandbox.document import Document
from bascule.sandbox.errors import Refusal, database_error
from bascule.sandbox.schema import kind_of
from bascule.sandbox.tables import DATABASE
from bascule.sandbox.values import moment

_TEXT = 65_535  # bytes of a TEXT; the other long texts have room for all that a request can hold
_TEXTS = ("Text", "Small Text")


def check_columns(document: Document) -> None:
    """500 for the first value that its column cannot hold."""
    for entry in document.doctype.stored:
        field, value = entry["fieldname"], document[entry["fieldname"]]
        if isinstance(value, dict):
            told = "dict can not be used as parameter"
            raise Refusal("TypeError", told, module="", status=500)
        kind = kind_of(entry["fieldtype"])
        if kind in ("date", "datetime") and isinstance(value, str) and value and not moment(value):
            place = f"`{DATABASE}`.`tab{document.doctype.name}`.`{field}`"
            told = f"Incorrect {kind} value: '{value}' for column {place} at row 1"
            raise database_error("OperationalError", 1292, told)
        if entry["fieldtype"] in _TEXTS and isinstance(value, str) and len(value.encode()) > _TEXT:
            told = f"Data too long for column '{field}' at row 1"
            raise database_error("DataError", 1406, told)
