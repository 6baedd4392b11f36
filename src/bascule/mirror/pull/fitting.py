"""Whether a value is what its column holds, told from the site's own text and not by PostgreSQL.

PostgreSQL takes much for a date that is none: `today`, `06.05.2024`, `infinity`; and for a number
`NaN` or `0x1F`. Here a date is what JSON writes as one, year first, and a number is JSON's.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Raw

from bascule.frappe import Invalid

# Frappe writes less than ten seconds with one digit where there is a fraction: 10:00:3.024594.
_TIME = r"^([01]?\d|2[0-3]):[0-5]\d:([0-5]\d(\.\d{1,6})?|\d\.\d{1,6})$"
# What a value of these types is as JSON, at the speed of a decoder in C; anything else is looked
# at one by one. A null fits everywhere.
_AS_JSON: dict[str, Any] = {
    "smallint": Annotated[int, Meta(ge=-(2**15), le=2**15 - 1)] | None,
    "bigint": Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] | None,
    "numeric": int | float | None,
    "date": date | None,
    "timestamp": Annotated[datetime, Meta(tz=False)] | None,
    "time": Annotated[str, Meta(pattern=_TIME)] | None,
    "text": str | int | float | None,
}
_WHOLE = re.compile(r"-?\d+")
_NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?")
# The types that hold all that the one before them holds, as far as the last, which holds anything.
WIDER = {
    "smallint": ("bigint", "numeric", "text"),
    "bigint": ("numeric", "text"),
    "numeric": ("text",),
    "date": ("timestamp", "text"),
    "timestamp": ("text",),
    "time": ("text",),
}

_values = msgspec.json.Decoder(list[Raw]).decode
# Digits stay as the site wrote them.
_nested = msgspec.json.Decoder(float_hook=Decimal).decode
_compact = msgspec.json.Encoder(decimal_format="number").encode


class DoesNotFit(Exception):
    """A value is none of its column's type."""


@lru_cache(maxsize=500)
def plain_rows(types: tuple[str, ...]) -> Callable[[Raw | bytes], Any]:
    """Raises msgspec's ValidationError for a row that holds anything but plain values of these
    types, or another number of values.
    """
    fields = [(f"f{n}", _AS_JSON.get(pg, _AS_JSON["text"])) for n, pg in enumerate(types)]
    row = msgspec.defstruct("Row", fields, array_like=True, forbid_unknown_fields=True, gc=False)
    return msgspec.json.Decoder(row).decode


def rewritten(doctype: str, row: Raw | bytes, types: Sequence[str]) -> bytes:
    """A row as a compact array of plain values: nested JSON as its text, booleans as Frappe's
    0 and 1 where the column is of numbers. DoesNotFit.
    """
    return b"[" + b",".join(map(_plain, _values_of(doctype, row, types), types)) + b"]"


def types_needed(doctype: str, rows: Iterable[Raw | bytes], types: Sequence[str]) -> dict[int, str]:
    """The columns, by their place, that these rows do not fit, and the narrowest type that holds
    the rows and what the column could hold before.
    """
    needed = dict(enumerate(types))
    for row in rows:
        for place, value in enumerate(_values_of(doctype, row, types)):
            now = needed[place]
            if now != "text" and not _fits(value, now):
                wider = WIDER.get(now, ("text",))
                needed[place] = next(to for to in wider if to == "text" or _fits(value, to))
    return {place: to for place, to in needed.items() if to != types[place]}


def _values_of(doctype: str, row: Raw | bytes, types: Sequence[str]) -> list[bytes]:
    values = [bytes(memoryview(value)) for value in _values(row)]
    if len(values) != len(types):
        raise Invalid(
            f"The site listed a row of {doctype} with {len(values)} values where {len(types)} "
            "fields were asked for.",
            next_step="Sync again; if it stays, look for an app of the site's that changes lists.",
            doctype=doctype,
        )
    return values


def _plain(value: bytes, pg_type: str) -> bytes:
    if not _fits(value, pg_type):
        raise DoesNotFit
    if value[:1] in (b"{", b"["):
        return _compact(_compact(_nested(value)).decode())
    if value in (b"true", b"false") and pg_type != "text":
        return b"1" if value == b"true" else b"0"
    return value


def _fits(value: bytes, pg_type: str) -> bool:
    if pg_type not in WIDER or value == b"null":
        return True
    if value[:1] in (b"{", b"["):
        return False
    of_numbers = pg_type in ("smallint", "bigint", "numeric")
    if value in (b"true", b"false"):
        return of_numbers
    if value[:1] != b'"':
        return of_numbers and _is_number(value.decode(), pg_type)
    text = msgspec.json.decode(value, type=str)
    return _is_number(text, pg_type) if of_numbers else _is_moment(text, pg_type)


def _is_number(text: str, pg_type: str) -> bool:
    if pg_type == "numeric":
        return _NUMBER.fullmatch(text) is not None
    bits = 15 if pg_type == "smallint" else 63
    return _WHOLE.fullmatch(text) is not None and -(2**bits) <= int(text) < 2**bits


def _is_moment(text: str, pg_type: str) -> bool:
    """A `timestamp` takes a date, too: its midnight."""
    if pg_type == "time":
        return re.fullmatch(_TIME, text) is not None
    kinds = [date] if pg_type == "date" else [date, Annotated[datetime, Meta(tz=False)]]
    return any(_converts(text, kind) for kind in kinds)


def _converts(text: str, kind: Any) -> bool:
    try:
        msgspec.convert(text, kind)
    except msgspec.ValidationError:
        return False
    return True
