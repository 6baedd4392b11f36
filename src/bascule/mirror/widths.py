"""What PostgreSQL has no room for: a table of too many columns, a row of too many bytes.

A row lies in one block of 8 KB. Long values go elsewhere, and leave a pointer of 18 bytes each;
what has 24 bytes or less stays where it is.
"""

import shlex
from collections.abc import Sequence

import msgspec

from bascule.errors import Conflict
from bascule.frappe import CHILD_FIELDS, Page
from bascule.mirror.columns import Column, Shape

MOST_COLUMNS = 1_600
MOST_BYTES = 8_160
_HEADER = 24 + MOST_COLUMNS // 8 + 32  # of the row, its nulls, and the mirror's own columns
_POINTER, _STAYS = 18, 24

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


def check_columns(shape: Shape, columns: int) -> None:
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


def too_wide(doctype: str, columns: Sequence[Column], page: Page, *, child: bool) -> TooWide:
    """Which fields to leave out, the largest first, so that each row of this page fits."""
    rows = [list(map(_size, _values(row), columns)) for row in page.raw]
    kept = {place for place, column in enumerate(columns) if column.field not in CHILD_FIELDS}
    places = sorted(
        kept, key=lambda at: (-max(row[at][0] for row in rows), -max(row[at][1] for row in rows))
    )
    left = [_HEADER + sum(stored for stored, _ in row) for row in rows]
    widest = max(left)
    out = []
    for place in places:
        if max(left) <= MOST_BYTES:
            break
        out.append(place)
        left = [size - row[place][0] for size, row in zip(left, rows, strict=True)]
    largest = [f"{columns[at].field} ({max(row[at][1] for row in rows):,} bytes)" for at in out[:5]]
    return TooWide(
        f"A document of {doctype} has about {widest:,} bytes in its row, where PostgreSQL has room "
        f"for {MOST_BYTES:,}. The largest fields are {', '.join(largest)}.",
        doctype,
        [columns[at].field for at in out],
        child=child,
    )


def _size(value: msgspec.Raw, column: Column) -> tuple[int, int]:
    """Bytes in the row, and of the value. Alignment is left out of account."""
    text = bytes(memoryview(value))
    if text == b"null":
        return 0, 0
    if column.base_type in ("text", "numeric"):
        digits = sum(48 <= byte <= 57 for byte in text)
        size = len(text) if column.base_type == "text" else 2 * (digits // 4 + 2) + 3
        return (_POINTER if size > _STAYS else size), size
    return 8, 8
