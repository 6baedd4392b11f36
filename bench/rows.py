"""The rows that the replay server serves: made up, 77 columns wide, about 430 bytes each as JSON.

The columns are an invented DocType's; only their number, their types and how many of them are
empty are like those of an ERPNext Item. Names and times stand at fixed places in a row's bytes,
so that a row is its own key.
"""

import json
import math
from collections.abc import Iterator
from datetime import datetime, timedelta

DOCTYPE = "Item"
STANDARD = ("name", "owner", "creation", "modified", "modified_by", "docstatus", "idx")
OF_TYPE = {"Check": 26, "Link": 11, "Float": 9, "Data": 12, "Int": 6, "Small Text": 4, "Date": 2}
FIELDS = [
    {
        "fieldname": f"{kind.lower().replace(' ', '_')}_{n}",
        "fieldtype": kind,
        "label": f"{kind} {n}",
    }
    for kind, count in OF_TYPE.items()
    for n in range(1, count + 1)
]
COLUMNS = (*STANDARD, *(str(field["fieldname"]) for field in FIELDS))
DEFINITION = {"name": DOCTYPE, "module": "Stock", "fields": FIELDS, "permissions": []}

NAME = slice(2, 14)  # of a row: ["ITEM-0000001","..."
MODIFIED = slice(64, 90)
FAMILIES = 400  # rows of one family differ in what tells items apart, and are alike in the rest
FIRST_DAY = datetime(2024, 6, 1)
SPAN = timedelta(days=700)


def _rest(family: int) -> str:
    """The columns after the first Data fields, as a family's items have them."""
    values: list[object] = []
    for field in FIELDS:
        kind, n = field["fieldtype"], int(str(field["fieldname"]).rpartition("_")[2])
        turn = family * 31 + n * 17
        if kind == "Check":
            values.append(int(turn % 5 == 0))
        elif kind == "Link":
            values.append(f"Group {turn % 40}" if n <= 3 else None)
        elif kind == "Float":
            values.append(round(turn % 9_000 * 0.37, 2) if n <= 3 else 0.0)
        elif kind == "Data":
            values.append({0: "", 1: None, 2: f"M-{turn % 997}"}[turn % 3] if n > 2 else "\0")
        elif kind == "Int":
            values.append(turn % 90 if n == 1 else 0)
        elif kind == "Small Text":
            values.append(f'Item {turn % 700}, 3/4\u201d "wide"\nboxed' if n == 1 else None)
        else:
            values.append("2099-12-31" if n == 1 else None)
    return json.dumps(values, separators=(",", ":"), ensure_ascii=False)[1:]


def rows(count: int) -> Iterator[bytes]:
    """In the order of their names; by `modified` they stand in quite another."""
    families = []
    for family in range(FAMILIES):
        before, between, after = _rest(family).split('"\\u0000"')
        families.append((before, between, after))
    step = max(1, int(SPAN.total_seconds()) // count)
    stride = _coprime_to(count)
    created = str(FIRST_DAY) + ".482913"
    for at in range(count):
        moment = FIRST_DAY + timedelta(seconds=at * stride % count * step)
        before, between, after = families[at % FAMILIES]
        yield (
            f'["ITEM-{at:07}","administrator@h","{created}","{moment}.{at % 999_999 + 1:06}",'
            f'"sam@shop.test",0,{at % 7},{before}"Item number {at}"{between}"I{at}"{after}'
        ).encode()


def _coprime_to(count: int) -> int:
    """A stride that comes by every place once before it comes back to the first."""
    stride = 7_919
    while math.gcd(stride, count) > 1:
        stride += 2
    return stride


SPOILT = range(COLUMNS.index("modified_by"), len(COLUMNS))  # columns that `spoiled` can change


KINDS = {str(field["fieldname"]): str(field["fieldtype"]) for field in FIELDS}
NUMBERS = ("Check", "Int", "Float")


def _kind(column: int) -> str:
    return KINDS.get(COLUMNS[column], "Int" if COLUMNS[column] in ("docstatus", "idx") else "Data")


def other_here(column: int) -> str:
    """A value that no row has in this column, as PostgreSQL reads it."""
    kind = _kind(column)
    return "1999-01-01" if kind == "Date" else "77" if kind in NUMBERS else "Not the site's"


def spoiled(row: bytes, column: int) -> bytes:
    """The row with another value in one of SPOILT; its name and its time of change stay."""
    values, kind = json.loads(row), _kind(column)
    if kind in NUMBERS:
        values[column] += 1
    else:
        values[column] = "2001-02-03" if kind == "Date" else "Somebody else's"
    return json.dumps(values, separators=(",", ":"), ensure_ascii=False).encode()


def with_modified(row: bytes, modified: bytes) -> bytes:
    return row[: MODIFIED.start] + modified + row[MODIFIED.stop :]
