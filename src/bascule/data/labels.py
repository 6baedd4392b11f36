"""How columns, filters and values are worded on the data pages."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from markupsafe import Markup

from bascule.data.relation import DELETED
from bascule.data.view_displays import ViewDisplay

NUMBERS = {"numeric", "bigint", "integer", "real", "double precision"}
# In words, and in the address; the plain column is "is".
OPERATORS = {
    "contains": "contains",
    "": "is",
    "ne": "is not",
    "gt": "is more than",
    "gte": "is at least",
    "lt": "is less than",
    "lte": "is at most",
    "in": "is one of",
    "like": "is like",
    "isnull": "is empty",
}
_STATUSES = {
    "green": ("Completed", "Delivered", "Paid", "Active", "Enabled", "Submitted", "Resolved",
              "Fully Delivered", "Fully Billed", "Fully Received"),
    "blue": ("To Deliver and Bill", "To Deliver", "To Bill", "To Receive and Bill", "To Receive",
             "Open", "Ordered", "In Progress", "Pending", "Unpaid", "Partly Paid",
             "Partly Delivered", "Partly Billed", "Partly Received"),
    "orange": ("On Hold", "Hold", "Expired"),
    "red": ("Cancelled", "Overdue", "Rejected", "Failed"),
}  # fmt: skip
_SIGNS = {"green": "circle-check", "blue": "clock", "orange": "player-stop", "red": "circle-x"}
_STATUS_LOOKS = {word: colour for colour, words in _STATUSES.items() for word in words}
# Of the view's column: words, colour, sign.
_STOCK_STATES = {
    "reorder": ("Reorder", "orange", "alert-triangle"),
    "out": ("Out", "red", "alert-circle"),
    "low": ("Low", "orange", "alert-triangle"),
    "on its way": ("On its way", "blue", "clock"),
    "enough": ("Enough", "", ""),
}
_WORDS = {
    "qty": "quantity",
    "id": "ID",
    "uom": "unit",
    "uoms": "units",
    "no": "no.",
    "po": "PO",
    "bom": "BOM",
    "vat": "VAT",
    "gst": "GST",
    "plc": "price list",
}
_SPECIAL = {
    DELETED: "Deleted in ERPNext",
    "_synced_at": "Written here",
    "creation": "Created",
    "modified": "Modified",
    "docstatus": "Document state",
    "idx": "Line",
    "name": "Name",
    "parenttype": "Belongs to DocType",
    "parent": "Belongs to",
    "parentfield": "Table field",
}
_BOOLEANS = {"true": "yes", "1": "yes", "yes": "yes", "false": "no", "0": "no", "no": "no"}
# Fields of ERPNext's text editor, which hold markup even where nobody meant any.
_RICH = ("description", "terms", "notes", "content")
_ADDRESS = ("primary_address", "address_display", "shipping_address", "billing_address")
_BREAK = re.compile(r"\s*<br\s*/?>\s*")  # ERPNext's templates of addresses end their lines so
_DOCSTATUS = {0: "Draft", 1: "Submitted", 2: "Cancelled"}


@dataclass(frozen=True, slots=True)
class Cell:
    """`kind`: text, number, money, date, flag or status. `sign` and `colour` belong to a
    state; `share` is how much of the reorder level is in stock, from 0 to 1.
    """

    text: str
    kind: str = "text"
    href: str = ""
    colour: str = ""
    sign: str = ""
    unit: str = ""
    mark: str = ""
    share: float | None = None


def label_of(column: str, look: ViewDisplay | None = None) -> str:
    if look is not None and column in look.labels:
        return look.labels[column]
    if column in _SPECIAL:
        return _SPECIAL[column]
    words = [_WORDS.get(word, word) for word in column.strip("_").split("_") if word]
    text = " ".join(["%" if word == "per" and not at else word for at, word in enumerate(words)])
    return text[:1].upper() + text[1:]


def filter_text(asked: str, value: str, look: ViewDisplay, columns: Mapping[str, str]) -> str:
    """`stock_qty__lt`, `5` -> "In stock is less than 5"."""
    column, _, operator = asked.rpartition("__")
    if asked in columns or operator not in OPERATORS or not column:
        column, operator = asked, ""
    if not operator and value.lower() in _BOOLEANS and _is_boolean(column, columns):
        return f"{label_of(column)}: {_BOOLEANS[value.lower()]}"
    label = label_of(column, look)
    if operator == "isnull":
        return f"{label} is {'not ' if value.lower() in ('false', '0', 'no') else ''}empty"
    return f"{label} {OPERATORS[operator]} {value or 'empty'}"


def _is_boolean(column: str, columns: Mapping[str, str]) -> bool:
    kind = columns.get(column)
    return kind == "boolean" or (kind == "smallint" and column != "docstatus")


def number_text(value: float) -> str:
    """12,345.678: every digit that there is, up to six after the point."""
    whole, _, rest = f"{value:,.6f}".partition(".")
    rest = rest.rstrip("0")
    return f"{whole}.{rest}" if rest else whole if whole != "-0" else "0"


def time_text(value: str) -> str:
    """`2026-11-20T22:30:40.003+00:00` -> `2026-11-20 22:30:40`."""
    return re.sub(r"(\.\d+)?([+-]00:00)?$", "", value).replace("T", " ")


def cell_of(column: str, kind: str, row: Mapping[str, Any], look: ViewDisplay, today: date) -> Cell:
    """A value as people read it."""
    value = row.get(column)
    if column == "stock_state" and value in _STOCK_STATES:
        return _stock_state(str(value), row)
    if value is None or value == "":
        return Cell("", _kind_of(kind))
    if _is_boolean(column, {column: kind}):
        return Cell("Yes" if value else "No", "flag", sign="check" if value else "")
    if column == "docstatus":
        return status_cell(_DOCSTATUS.get(value, str(value)))
    if column.endswith("status") and isinstance(value, str):
        return status_cell(value)
    if column in look.money and isinstance(value, int | float):
        unit = str(row.get("currency") or "") if column in look.priced else ""
        return Cell(f"{value:,.2f}", "money", unit=unit)
    if column in ("idx", "line"):
        return Cell(str(value))
    if kind in NUMBERS and isinstance(value, int | float):
        return _number(column, value, row)
    if kind == "date":
        late = column == "delivery_date" and row.get("is_pending") and value < today.isoformat()
        return Cell(str(value), "date", mark="Overdue" if late else "")
    if kind.startswith("timestamp"):
        return Cell(time_text(str(value)), "date")
    text = str(value)
    if column.endswith(_RICH) and text.startswith("<"):
        text = Markup(text).striptags()  # noqa: S704 - it is escaped again, as any text
    elif column.endswith(_ADDRESS):
        text = ", ".join(filter(None, _BREAK.split(text)))
    return Cell(text)


def _number(column: str, value: float, row: Mapping[str, Any]) -> Cell:
    if column != "stock_qty":
        return Cell(number_text(value), "number")
    level = row.get("reorder_level") or 0
    share = min(max(value / (2 * level), 0), 1) if level > 0 else None
    return Cell(number_text(value), "number", mark="Out" if value <= 0 else "", share=share)


def _kind_of(kind: str) -> str:
    return "number" if kind in NUMBERS else "text"


def status_cell(word: str) -> Cell:
    colour = _STATUS_LOOKS.get(word, "secondary")
    return Cell(word, "status", colour=colour, sign=_SIGNS.get(colour, "circle-dashed"))


def _stock_state(state: str, row: Mapping[str, Any]) -> Cell:
    """A total that is above the level does not show which warehouse is below its own."""
    words, colour, sign = _STOCK_STATES[state]
    projected, level = row.get("projected_qty"), row.get("reorder_level")
    if state == "reorder" and "warehouse" not in row and (projected or 0) > (level or 0):
        words = "Reorder in a warehouse"
    return Cell(words, "status" if colour else "flag", colour=colour, sign=sign)
