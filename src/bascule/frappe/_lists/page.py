"""One keyset page of a list, and how large the next one should be.

Rows stay as the site wrote them: a page of 10,000 rows decodes two of them, for their positions.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

import msgspec

Position = tuple[str, ...]
Key = Literal["name", "modified"]

KEYS: dict[Key, tuple[str, ...]] = {"name": ("name",), "modified": ("modified", "name")}
# What frappe/model/utils/mask.py of version 16 puts in the place of a value: of most, of a phone
# and an e-mail address (with what it leaves of them), of a date, a time, and a short phone.
_MASKS = (b"XXXXXX", b'"XX-XX-XXXX"', b'"XX:XX"', b'"XXX"', b'"XX"', b'"X"')
_MASK = re.compile(r"X{8}|XX-XX-XXXX|XX:XX|X{1,3}|.{3}X{6}|X{6}(@.*)?", re.DOTALL)


def looks_masked(body: bytes) -> bool:
    """Whether some text in the body reads like a mask."""
    return any(mask in body for mask in _MASKS)


def is_mask(value: Any) -> bool:
    """Whether the value reads as Frappe 16 masks one."""
    return isinstance(value, str) and _MASK.fullmatch(value) is not None


@dataclass(frozen=True, slots=True)
class Page:
    """`raw`: one JSON array a row, its values in the order of `fields`.

    `compact`: the site wrote no white space between values, so `raw` is compact too. `withheld`:
    fields that the site left out, for want of a permission; they are null in every row.
    `looks_masked`: some text in it reads as Frappe 16 masks one; the definition tells whether.
    `asked`: how many rows were asked for. `bytes`: of the answer, once decompressed. `seconds`: of
    the request. `served_at`: the answer's Date header.
    """

    doctype: str
    fields: tuple[str, ...]
    raw: list[msgspec.Raw] = field(repr=False)
    asked: int
    bytes: int
    seconds: float
    first: Position | None
    last: Position | None
    compact: bool = True
    withheld: tuple[str, ...] = ()
    looks_masked: bool = False
    served_at: datetime | None = None

    @property
    def count(self) -> int:
        return len(self.raw)

    @property
    def full(self) -> bool:
        """As many rows as asked for: more may follow."""
        return len(self.raw) >= self.asked

    def rows(self) -> list[list[Any]]:
        """The rows decoded. ValueError when one has another number of values than `fields`."""
        rows = [_row(raw) for raw in self.raw]
        if any(len(row) != len(self.fields) for row in rows):
            raise ValueError(f"A row of {self.doctype} has not {len(self.fields)} values.")
        return rows

    def column(self, field: str) -> list[str]:
        """One field of each row, as text. Rows are decoded one by one: they may be large."""
        place = self.fields.index(field)
        return [str(_row(raw)[place]) for raw in self.raw]

    def halves(self) -> tuple["Page", "Page"]:
        """The rows before the middle one, and those from it on; for who has no room for all."""
        middle = len(self.raw) // 2
        return self._part(self.raw[:middle]), self._part(self.raw[middle:])

    def _part(self, raw: list[msgspec.Raw]) -> "Page":
        key: Key = "name" if len(self.last or ()) < 2 else "modified"
        places = [self.fields.index(name) for name in KEYS[key]]
        ends = [_row(raw[0]), _row(raw[-1])]
        first, last = (tuple(str(row[place]) for place in places) for row in ends)
        size = sum(len(memoryview(row)) for row in raw)
        return replace(self, raw=raw, first=first, last=last, bytes=size)

    def documents(self) -> list[dict[str, Any]]:
        return [dict(zip(self.fields, row, strict=True)) for row in self.rows()]


_row = msgspec.json.Decoder(list[Any]).decode
decode_row = _row


class PageSize:
    """How many rows to ask for, so that a page takes about a second.

    Never above `max_rows`, nor so many that a page would pass `max_bytes`.
    """

    AIM = 1.0  # seconds
    STEP = 4  # at most so many times larger than the page before
    FEWEST = 20

    def __init__(
        self, first: int = 500, *, max_rows: int = 10_000, max_bytes: int = 6_000_000
    ) -> None:
        self.max_rows = max_rows
        self.max_bytes = max_bytes
        self.rows = min(first, max_rows)
        self._bytes_a_row = 0.0

    def saw(self, page: Page) -> None:
        self.rows = min(self.rows, page.asked)  # less, where the client had to ask for less
        if not page.count:
            return
        self._bytes_a_row = max(page.bytes / page.count, self._bytes_a_row * 0.5)
        fitting = page.count * self.AIM / max(page.seconds, 0.001)
        if not page.full and fitting > self.rows:
            return  # a short last page says little about a full one
        self.rows = self._within(fitting)

    def timed_out(self) -> None:
        self.rows = max(self.FEWEST, self.rows // self.STEP)

    def _within(self, fitting: float) -> int:
        """However slow the site is, some rows at least; of huge ones, one."""
        most = min(self.max_rows, self.rows * self.STEP, self.max_bytes / self._bytes_a_row)
        return max(1, int(min(max(fitting, self.FEWEST), most)))


def bounds(
    key: Key, after: Sequence[str] | None, before: Sequence[str] | None, *, descending: bool
) -> tuple[list[list[Any]], list[list[Any]]]:
    """Filters and or_filters that leave what lies after one position and before another, in the
    order of the walk. The site compares, in its own collation.

    ValueError where `modified` would need two groups of or_filters: there is only one.
    """
    for position in (after, before):
        if position is not None and len(position) != len(KEYS[key]):
            raise ValueError(f"A position by {key} has {len(KEYS[key])} parts.")
    onward, back = ("<", ">") if descending else (">", "<")
    ends = [(p, sign) for p, sign in ((after, onward), (before, back)) if p is not None]
    if key == "name":
        return [["name", sign, position[0]] for position, sign in ends], []
    if len(ends) > 1:
        raise ValueError("A page by modified is bound on one side: give after or before.")
    filters: list[list[Any]] = []
    or_filters: list[list[Any]] = []
    for (modified, name), sign in ends:
        filters.append(["modified", f"{sign}=", modified])
        or_filters += [["modified", sign, modified], ["name", sign, name]]
    return filters, or_filters


# Adds nothing, and has Frappe take what stands before the first dot for no table's name
# (extract_tables in frappe/model/db_query.py).
_NO_TABLE = "+locate(1,0)"


def put_to_parents(doctype: str, parent: str, query: dict[str, Any]) -> dict[str, Any]:
    """The query of a child DocType's rows, put to the DocType that they belong to.

    Frappe compares the permission level of a child's field with the child's own permissions where
    the child is listed, and it has none: only here are such fields given to who may read them.
    """

    def column(field: str) -> str:
        if "(" in field:  # a function, of fields in backticks
            theirs = re.sub(r"`(\w+)`", rf"`tab{doctype}`.`\1`", field)
            return theirs.replace(" as ", f"{_NO_TABLE} as ")
        return f"`tab{doctype}`.`{field}`"

    parts = [part.split(" ") for part in query["order_by"].split(", ")]
    theirs = ["parenttype", "=", parent]
    of_child = [theirs, *(one for one in query["filters"] if one != theirs)]
    return {
        **query,
        "doctype": parent,
        "fields": [column(field) for field in query["fields"]],
        "filters": [[doctype, *one] for one in of_child],
        "or_filters": [[doctype, *one] for one in query["or_filters"]],
        "order_by": ", ".join(f"{column(field)} {direction}" for field, direction in parts),
    }


def order(key: Key, *, descending: bool) -> str:
    direction = "desc" if descending else "asc"
    return ", ".join(f"{field} {direction}" for field in KEYS[key])
