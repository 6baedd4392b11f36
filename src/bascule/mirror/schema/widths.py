"""What PostgreSQL has no room for: a table of too many columns, a row of too many bytes.

A row lies in one block of 8 KB. Long values go elsewhere, and leave a pointer of 18 bytes each;
what has 24 bytes or less stays where it is.
"""

import shlex
from bisect import bisect_left
from collections.abc import Container, Sequence
from typing import NamedTuple

import msgspec

from bascule.errors import Conflict
from bascule.frappe import CHILD_FIELDS, Page
from bascule.frappe.checksums import CHECKSUM
from bascule.mirror.schema.columns import Column, TableSchema

MOST_COLUMNS = 1_600
MOST_BYTES = 8_160
_OWN = 40  # the header of a row, and the mirror's own columns
_POINTER, _STAYS = 18, 24
# Bytes of a value, which begins at a multiple of them.
_ALIGNED = {"smallint": 2, "date": 4, "bigint": 8, "timestamp": 8, "time": 8}

_values = msgspec.json.Decoder(list[msgspec.Raw]).decode


class TooWide(Conflict):
    """`fields`: those to leave out, as the site calls them; `child`: they cannot be."""

    def __init__(self, message: str, doctype: str, fields: Sequence[str], *, child: bool) -> None:
        super().__init__(message, next_step="")
        self.doctype, self.fields, self.child = doctype, tuple(fields), child
        self.advise(())

    def advise(self, omitted: Sequence[str]) -> None:
        """Set the next step; `omitted`: what the stream leaves out already."""
        if self.child:
            self.next_step = (
                "Fields of a child table cannot be left out: take some out of the DocType on the "
                f"site, such as {', '.join(self.fields[:10])}."
            )
        else:
            names = shlex.join([self.doctype, *dict.fromkeys((*omitted, *self.fields))])
            self.next_step = f"Leave these fields out and sync again: bascule streams omit {names}"


def check_columns(shape: TableSchema, columns: int) -> None:
    """TooWide where a table would have so many columns, the mirror's own included."""
    if columns <= MOST_COLUMNS:
        return
    own = [column for column in shape.columns if column.field not in CHILD_FIELDS]
    texts_first = sorted(own, key=lambda column: column.base_type == "text", reverse=True)
    raise TooWide(
        f"{shape.doctype} has {len(shape.columns):,} fields, and a table of PostgreSQL has at most "
        f"{MOST_COLUMNS:,} columns, the mirror's own included.",
        shape.doctype,
        [column.field for column in texts_first[: columns - MOST_COLUMNS]],
        child=shape.child,
    )


def too_wide(doctype: str, columns: Sequence[Column], page: Page, *, child: bool) -> TooWide | None:
    """Which fields to leave out, the largest first, so that each row of this page fits. None where
    each does: what was too large is something else, such as a value in an index.
    """
    rows = [list(map(_size, _values(row), columns)) for row in page.raw]
    wide = [row for row in rows if _bytes_of(row) > MOST_BYTES]
    if not wide:
        return None
    kept = {*CHILD_FIELDS, CHECKSUM}
    own = [at for at, column in enumerate(columns) if not {column.field, column.name} & kept]
    own.sort(key=lambda at: [-max(row[at][what] for row in wide) for what in (0, 2)])

    def fit_without(count: int) -> bool:
        out = set(own[:count])
        return all(_bytes_of(row, out) <= MOST_BYTES for row in wide)

    out = own[: bisect_left(range(len(own)), True, key=fit_without)]
    largest = [f"{columns[at].field} ({max(row[at][2] for row in wide):,} bytes)" for at in out[:5]]
    return TooWide(
        f"A document of {doctype} has about {max(map(_bytes_of, wide)):,} bytes in its row, where "
        f"PostgreSQL has room for {MOST_BYTES:,}. The largest fields are {', '.join(largest)}.",
        doctype,
        [columns[at].field for at in out],
        child=child,
    )


class _Size(NamedTuple):
    """`stored`: bytes in the row; `aligned`: it begins at a multiple of so many; `whole`: bytes of
    the value, wherever they are.
    """

    stored: int
    aligned: int
    whole: int


def _bytes_of(row: Sequence[_Size], out: Container[int] = ()) -> int:
    """Of a row without these columns, in the order that it is written in. A bit a column tells
    nulls.
    """
    end = _OWN + len(row) // 8
    for place, size in enumerate(row):
        if size.stored and place not in out:
            end += -end % size.aligned + size.stored
    return end


def _size(value: msgspec.Raw, column: Column) -> _Size:
    text = bytes(memoryview(value))
    if text == b"null":
        return _Size(0, 1, 0)
    if fixed := _ALIGNED.get(column.base_type):
        return _Size(fixed, fixed, fixed)
    if column.base_type == "numeric":  # four digits take two bytes, on either side of the point
        whole, _, part = text.lstrip(b"-0").partition(b".")
        size = 3 + 2 * (-(-len(whole) // 4) - (-len(part) // 4))
    else:
        size = max(1, len(text) - 1)
    return _Size(_POINTER if size > _STAYS else size, 1, size)
