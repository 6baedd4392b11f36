"""Fetching one page: as arrays with explicit columns, and as objects where the columns differ.

Arrays are less than half the bytes; but a field that the user may not read is left out of them
without a word, so the number of values is checked, and objects tell which field it was. A user who
may only select gets null for it in version 15 (`remove_field` in frappe/model/db_query.py), in the
fields too that are null in no document: by these it is known.
"""

import time
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from bascule.frappe._http.body import MAX_DOCUMENT, MAX_PAGE
from bascule.frappe._http.models import Operation, Response
from bascule.frappe._http.response import check_rows, unexpected_shape
from bascule.frappe._lists.page import (
    KEYS,
    Key,
    Page,
    PageSize,
    Position,
    bounds,
    decode_row,
    looks_masked,
    order,
    put_to_parents,
)
from bascule.frappe._lists.rows import PATH
from bascule.frappe.doctype import STANDARD_FIELDS
from bascule.frappe.errors import Invalid, NoPermission, Timeout, TooLarge

if TYPE_CHECKING:
    from bascule.frappe._client import Client

# What a user who may read a DocType gets of each document, whatever his permission levels.
_ALWAYS_GIVEN = frozenset(STANDARD_FIELDS)
FOR_A_WHILE = 600.0  # seconds until arrays are tried again where they lacked a column


class _Rows(msgspec.Struct):
    message: list[msgspec.Raw]


_decode_rows = msgspec.json.Decoder(_Rows).decode
_decode_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class ColumnMemory:
    """Which lists of this site lack columns, so that they are asked for as objects at once."""

    def __init__(self) -> None:
        self._objects_until: dict[tuple[str, tuple[str, ...]], float] = {}

    def wants_objects(self, doctype: str, fields: tuple[str, ...]) -> bool:
        return self._objects_until.get((doctype, fields), 0.0) > time.monotonic()

    def lacks_columns(self, doctype: str, fields: tuple[str, ...]) -> None:
        self._objects_until[doctype, fields] = time.monotonic() + FOR_A_WHILE


async def fetch_page(
    client: "Client",
    listing: ColumnMemory,
    operation: Operation,
    fields: tuple[str, ...],
    *,
    filters: list[list[Any]],
    or_filters: list[list[Any]],
    key: Key,
    descending: bool,
    after: Position | None,
    before: Position | None,
    limit: int,
    parent: str | None,
    through_parents: bool,
) -> Page:
    """See `Site.page`."""
    _check(fields, key, limit)
    between, tie = bounds(key, after, before, descending=descending)
    if tie and or_filters:
        raise ValueError("or_filters and a position by modified cannot be had together.")
    query: dict[str, Any] = {
        "doctype": operation.target,
        "fields": fields,
        "filters": [*filters, *between],
        "or_filters": tie or or_filters,
        "order_by": order(key, descending=descending),
        **({"parent": parent} if parent and not through_parents else {}),
    }
    if through_parents and parent:
        query = put_to_parents(operation.target, parent, query)
    page = None
    if not listing.wants_objects(operation.target, fields):
        page = await _fetch(client, operation, query, fields, key, limit, as_objects=False)
    if page is None:
        listing.lacks_columns(operation.target, fields)
        page = await _fetch(client, operation, query, fields, key, limit, as_objects=True)
    assert page is not None  # noqa: S101 - objects never lack a column without telling
    if after is not None and after in (page.first, page.last):
        raise Invalid(
            f"The site does not go on after a row of {operation.target}: it gave that row again.",
            next_step="Update Frappe; early releases of version 13 take no or_filters.",
            doctype=operation.target,
        )
    return page


def _check(fields: tuple[str, ...], key: Key, limit: int) -> None:
    if limit < 1:
        raise ValueError("A page has at least one row.")
    if missing := [field for field in KEYS[key] if field not in fields]:
        raise ValueError(f"A page by {key} needs {' and '.join(missing)} among its fields.")
    if "*" in fields or len(set(fields)) != len(fields):
        raise ValueError("The fields of a page are named one by one, each once.")


async def _fetch(
    client: "Client",
    operation: Operation,
    query: dict[str, Any],
    fields: tuple[str, ...],
    key: Key,
    limit: int,
    *,
    as_objects: bool,
) -> Page | None:
    """None where the rows are arrays that do not hold what was asked for."""
    while True:
        body = {**query, "limit_page_length": limit, "as_dict": as_objects}
        most = MAX_PAGE if limit > 1 else MAX_DOCUMENT
        take = partial(
            _page, operation=operation, fields=fields, key=key, limit=limit, as_objects=as_objects
        )
        try:
            return await client.session.read(
                "POST", PATH, operation, take, json=body, timeouts=False, work=True, most=most
            )
        except Timeout:
            if limit <= PageSize.FEWEST:
                raise
            limit = max(PageSize.FEWEST, limit // PageSize.STEP)
        except TooLarge as error:
            if limit == 1:
                raise
            limit = max(1, min(limit // PageSize.STEP, limit * MAX_PAGE // (error.bytes * 4)))


def _page(
    response: Response,
    *,
    operation: Operation,
    fields: tuple[str, ...],
    key: Key,
    limit: int,
    as_objects: bool,
) -> Page | None:
    try:
        raw = _decode_rows(response.body).message
    except (msgspec.DecodeError, UnicodeDecodeError):
        raw = None
    if raw is None:
        raise unexpected_shape(response, operation)
    check_rows(len(raw), limit, operation)
    withheld: tuple[str, ...] = ()
    if raw and bytes(memoryview(raw[0])[:1]) == b"{":
        raw, withheld = _as_arrays(raw, fields)
        if _ALWAYS_GIVEN.intersection(withheld):
            raise _only_selects(operation, response.status)
        as_objects = True
    try:
        ends = [decode_row(raw[0]), decode_row(raw[-1])] if raw else []
    except (msgspec.DecodeError, UnicodeDecodeError):
        ends = None
    if ends is None:
        raise unexpected_shape(response, operation)
    if any(len(row) != len(fields) for row in ends):
        return None
    if not as_objects and _may_be_withheld(fields, ends):
        return None
    places = [fields.index(field) for field in KEYS[key]]
    first, last = (_position(operation, row, places) for row in ends) if ends else (None, None)
    return Page(
        doctype=operation.target,
        fields=fields,
        raw=raw,
        asked=limit,
        bytes=len(response.body),
        seconds=response.seconds,
        first=first,
        last=last,
        compact=response.body.startswith((b'{"message":[[', b'{"message":[{"', b'{"message":[]')),
        withheld=withheld,
        looks_masked=looks_masked(response.body),
        served_at=response.served_at,
    )


def _may_be_withheld(fields: tuple[str, ...], ends: list[list[Any]]) -> bool:
    """Whether the first and the last row of a page lack what every document has."""
    places = [place for place, field in enumerate(fields) if field in _ALWAYS_GIVEN]
    return bool(ends) and any(all(row[place] is None for row in ends) for place in places)


def _only_selects(operation: Operation, status: int) -> NoPermission:
    return NoPermission(
        f"The user may not {operation}, only select it in links: of its documents the site gives "
        "the names alone.",
        next_step="Give the user a role that may read it (in ERPNext: User, Roles).",
        doctype=operation.doctype,
        status=status,
    )


def _as_arrays(
    raw: list[msgspec.Raw], fields: tuple[str, ...]
) -> tuple[list[msgspec.Raw], tuple[str, ...]]:
    """Objects as arrays in the order of the fields, and which fields no object has."""
    rows, seen = [], set[str]()
    keys = [field.rpartition(" as ")[2] for field in fields]
    for one in raw:
        row = _decode_object(one)
        seen.update(row)
        values = b",".join([row.get(key, b"null") for key in keys])
        rows.append(msgspec.Raw(b"[" + values + b"]"))
    return rows, tuple(field for field, key in zip(fields, keys, strict=True) if key not in seen)


def _position(operation: Operation, row: Sequence[Any], places: Sequence[int]) -> Position:
    if any(row[place] is None for place in places):
        raise Invalid(
            f"{operation.target} has documents without a modified time, "
            "so it cannot be walked by it.",
            next_step="Walk it by name, or save those documents once.",
            doctype=operation.target,
        )
    return tuple(str(row[place]) for place in places)
