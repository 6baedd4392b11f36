"""Rows of the mirror, a page at a time: keyset paged, filtered and sorted.

What may be asked for is `relation`'s; whole relations leave through `export`.
"""

import base64
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any, Protocol

import msgspec
import psycopg
from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from psycopg.sql import SQL, Composable, Identifier

from bascule.data.batches import streamed, weight_of
from bascule.data.relation import (
    BadQuery,
    NoSuchRelation,
    Order,
    Relation,
    as_text,
    compared,
    conditions,
    find_relation,
    order_of,
    parse_value,
    selected,
)

__all__ = ["BadQuery", "NoSuchRelation", "RowPage", "count_of_rows", "page_of_rows", "plain"]

LARGEST_PAGE = 1000
MOST_BYTES = 16_000_000  # of the texts in a page; it ends with the row that passes them
MOST_COUNTED = 10_000
_PATIENCE = 30
_PATIENCE_TO_COUNT = 1


class _Database(Protocol):
    def connection(self) -> Any: ...


@dataclass(frozen=True, slots=True)
class RowPage:
    """`rows`: column -> a value that JSON can hold; numbers are numbers, dates and times ISO 8601.

    `next`: the `after` of the page that follows, None on the last.
    """

    columns: list[str]
    rows: list[dict[str, Any]]
    next: str | None


class _Cursor(msgspec.Struct, array_like=True):
    """The last row of a page: where it stood, in which relation and order."""

    relation: str
    sort: str
    values: list[str | None]


@dataclass(frozen=True, slots=True)
class _Query:
    relation: Relation
    reads: list[str]
    order: Order
    filters: list[Composable]


async def page_of_rows(
    db: _Database,
    schema: str,
    relation: str,
    *,
    where: Mapping[str, str] | None = None,
    sort: str | None = None,
    after: str | None = None,
    limit: int = 50,
    columns: list[str] | None = None,
    search: str | None = None,
) -> RowPage:
    """One page of a view or a table, of fewer rows where they are large. BadQuery names what
    cannot be taken.

    `where`: a column's name, alone or with __gt, __gte, __lt, __lte, __ne, __in, __like, __contains
    or __isnull, and the value as text. `sort`: a column, "-" before it for descending; nulls come
    last, and first when descending. `search`: words that a row has to hold, see `searching`.
    """
    if not 1 <= limit <= LARGEST_PAGE:
        raise BadQuery(
            f"A page has 1 to {LARGEST_PAGE} rows, not {limit}.",
            next_step=f"Ask for up to {LARGEST_PAGE}; to get everything, export it.",
            fields={"limit": f"1 to {LARGEST_PAGE}"},
        )
    async with db.connection() as conn:
        found = await find_relation(conn, schema, relation)
        if not found.key:
            raise BadQuery(
                f"{relation} has no key to page by.",
                next_step="Export it, or give it a primary key.",
            )
        wanted = found.chosen(columns)
        order = order_of(found, sort)
        filters = conditions(found, where or {}, search)
        phases = _phases(found, order, _values_after(found, order, sort, after))
        query = _Query(found, list(dict.fromkeys([*wanted, *order.columns])), order, filters)
        # A page is a short query: compiling it costs more than running it.
        await conn.execute(f"set local jit = off; set local statement_timeout = '{_PATIENCE}s'")
        try:
            rows, more = await _read(conn, query, phases, limit)
        except psycopg.errors.QueryCanceled:
            raise BadQuery(
                f"This page of {relation} took more than {_PATIENCE} seconds.",
                next_step="Try again, filter or sort by a column with an index, or export it all.",
            ) from None
    places = [query.reads.index(column) for column in wanted]
    page = [
        {column: plain(row[place]) for column, place in zip(wanted, places, strict=True)}
        for row in rows
    ]
    last = [rows[-1][query.reads.index(column)] for column in order.columns] if more else []
    return RowPage(wanted, page, _cursor(found, sort, last) if more else None)


async def count_of_rows(
    db: _Database,
    schema: str,
    relation: str,
    *,
    where: Mapping[str, str] | None = None,
    search: str | None = None,
) -> int | None:
    """How many rows there are, up to MOST_COUNTED and one more; None where counting takes long."""
    async with db.connection() as conn:
        found = await find_relation(conn, schema, relation)
        every = conditions(found, where or {}, search)
        statement = SQL("select count(*) from (select from {}{} limit {}) as counted").format(
            found.identifier,
            SQL(" where {}").format(SQL(" and ").join(every)) if every else SQL(""),
            MOST_COUNTED + 1,
        )
        await conn.execute(
            f"set local jit = off; set local statement_timeout = '{_PATIENCE_TO_COUNT}s'"
        )
        try:
            async with conn.transaction():
                counted = await (await conn.execute(statement, prepare=False)).fetchone()
        except psycopg.errors.QueryCanceled:
            return None
        return int(counted[0]) if counted else None


async def _read(
    conn: AsyncConnection[TupleRow], query: _Query, phases: list[list[Composable]], limit: int
) -> tuple[list[TupleRow], bool]:
    """The rows of a page, and whether more follow."""
    rows: list[TupleRow] = []
    size = 0
    for clauses in phases:
        every = [*query.filters, *clauses]
        statement = SQL("select {} from {}{} order by {} limit {}").format(
            selected(query.relation, query.reads),
            query.relation.identifier,
            SQL(" where {}").format(SQL(" and ").join(every)) if every else SQL(""),
            query.order.clause,
            limit + 1 - len(rows),
        )
        # Never prepared: a view may be made anew between two pages.
        async with streamed(conn, statement) as found:
            async for row in found:
                if size >= MOST_BYTES:
                    return rows, True
                rows.append(row)
                size += weight_of(row)
        if len(rows) > limit:
            return rows[:limit], True
    return rows, False


def _phases(relation: Relation, order: Order, after: list[Any] | None) -> list[list[Composable]]:
    """What follows a row, in one or two queries that an index can answer each.

    PostgreSQL sorts nulls last, and first when descending. A row comparison with a null is never
    true, so rows with a null in the sort column are a query of their own.
    """
    if after is None:
        return [[]]
    sign = "<" if order.descending else ">"
    first, rest = order.columns[0], order.columns[1:]
    null = SQL("{} is null").format(Identifier(first))
    if after[0] is not None:
        phases: list[list[Composable]] = [[compared(relation, order.columns, sign, after)]]
        if not order.descending and first not in relation.key:
            phases.append([null])
        return phases
    phases = [[null, compared(relation, rest, sign, after[1:])]]
    if order.descending:
        phases.append([SQL("{} is not null").format(Identifier(first))])
    return phases


def _cursor(relation: Relation, sort: str | None, values: list[Any]) -> str:
    texts = [None if value is None else as_text(value) for value in values]
    packed = msgspec.json.encode(_Cursor(relation.name, sort or "", texts))
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def _values_after(
    relation: Relation, order: Order, sort: str | None, after: str | None
) -> list[Any] | None:
    if not after:
        return None
    wrong = BadQuery(
        "The cursor in `after` is not one of this relation and order.",
        next_step="Take `next` from the page before, with the same relation and sort; "
        "leave `after` out to start again.",
        fields={"after": "not a cursor of this query"},
    )
    try:
        packed = base64.b64decode(after + "=" * (-len(after) % 4), altchars=b"-_", validate=True)
        cursor = msgspec.json.decode(packed, type=_Cursor)
    except (ValueError, msgspec.MsgspecError):
        raise wrong from None
    if (cursor.relation, cursor.sort) != (relation.name, sort or ""):
        raise wrong
    if len(cursor.values) != len(order.columns) or None in cursor.values[1:]:
        raise wrong
    if cursor.values[0] is None and order.columns[0] in relation.key:
        raise wrong
    try:
        return [
            None if text is None else parse_value("after", relation.columns[column], text)
            for column, text in zip(order.columns, cursor.values, strict=True)
        ]
    except BadQuery:
        raise wrong from None


def plain(value: Any) -> Any:
    """As JSON holds it. A numeric becomes a double, as in ERPNext's own JSON; NaN becomes null."""
    if isinstance(value, Decimal | float):
        number = float(value)
        return number if math.isfinite(number) else None
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC).isoformat()
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    return value
