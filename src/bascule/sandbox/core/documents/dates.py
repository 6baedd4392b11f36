"""Dates as ERPNext's own code reads them, before any column sees them."""

import re
from datetime import date

from bascule.sandbox.core.documents.document import Document
from bascule.sandbox.core.errors import Call, bold
from bascule.sandbox.core.values import cstr, moment

_OTHER = re.compile(r"\s*(\d{1,2})[-/.](\d{1,2})[-/.](\d{4})\s*")
_MONTHS = 12


def day_of(call: Call, value: object) -> date:
    """Frappe's getdate: the month first unless there is no such one; 417 for what is no date."""
    text = cstr(value)
    if match := _OTHER.fullmatch(text):
        first, second, year = match.groups()
        month, day = (first, second) if int(first) <= _MONTHS else (second, first)
        text = f"{year}-{month}-{day}"
    found = moment(text)
    if found is None:
        call.refuse(f"{bold(value)} is not a valid date string.", title="Invalid Date")
    return found.date()


def check_order(call: Call, document: Document, first: str, last: str) -> None:
    """Refuses a last day before the first, where both are given."""
    if not (document[first] and document[last]):
        return
    if day_of(call, document[last]) < day_of(call, document[first]):
        labels = [bold(document.doctype.label(field)) for field in (last, first)]
        call.refuse(f"{labels[0]} must be after {labels[1]}", "InvalidDates")
