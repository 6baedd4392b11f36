"""A view or a table of the mirror as one may ask for it: its columns, key, filters and order.

Everything named is looked up in the catalogue first. Values are parsed, then quoted by libpq: a
COPY takes no parameters, and a column's name may hold a percent sign.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec
from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from psycopg.sql import SQL, Composable, Composed, Identifier, Literal

from bascule.data.search import LONGEST, contains, found_by, searched_columns
from bascule.errors import Invalid, NoSuch
from bascule.mirror.views import VIEWS

OPERATORS = ("gt", "gte", "lt", "lte", "ne", "in", "like", "contains", "isnull")
DELETED = "_deleted_at"
_COMPARISONS = {"": "=", "gt": ">", "gte": ">=", "lt": "<", "lte": "<=", "ne": "is distinct from"}
_INTEGERS = {"smallint": 2**15, "integer": 2**31, "bigint": 2**63}
_TEXTS = {"text", "character varying"}
_BOOLEANS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}

_CATALOGUE = """
select c.relkind::text, a.attname, format_type(a.atttypid, null),
       coalesce(array_position(k.indkey::int2[], a.attnum), -1)
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
   and a.attname <> '_checksum'
  left join pg_index k on k.indrelid = c.oid and k.indisprimary
 where n.nspname = %s and c.relname = %s and c.relkind in ('r', 'p', 'v', 'm')
 order by a.attnum"""
_NAMES = """
select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
 where n.nspname = %s and c.relkind in ('r', 'p', 'v', 'm') and left(c.relname, 1) <> '_'
 order by c.relname"""


class BadQuery(Invalid):
    """A filter, an order, a column or a cursor that cannot be taken; says which, and what can."""


class NoSuchRelation(NoSuch, BadQuery):
    pass


@dataclass(frozen=True, slots=True)
class Relation:
    """`columns`: name -> PostgreSQL's type. `key`: tells rows apart; empty if nothing does."""

    schema: str
    name: str
    columns: Mapping[str, str]
    key: tuple[str, ...]

    @property
    def identifier(self) -> Identifier:
        return Identifier(self.schema, self.name)

    def type_of(self, column: str, asked_as: str) -> str:
        if column not in self.columns:
            raise BadQuery(
                f"{self.name} has no column {column}.",
                next_step=f"Use one of: {', '.join(self.columns)}.",
                fields={asked_as: "no such column"},
            )
        return self.columns[column]

    def chosen(self, columns: list[str] | None) -> list[str]:
        if columns is None:
            return list(self.columns)
        for column in columns:
            self.type_of(column, "columns")
        if not columns:
            raise BadQuery("No column was asked for.", next_step="Leave `columns` out to get all.")
        return list(dict.fromkeys(columns))


@dataclass(frozen=True, slots=True)
class Order:
    """The columns that rows are ordered by, all one way: the one asked for, then the key."""

    columns: tuple[str, ...]
    descending: bool

    @property
    def clause(self) -> Composed:
        way = SQL(" desc" if self.descending else "")
        return SQL(", ").join(SQL("{}{}").format(Identifier(c), way) for c in self.columns)


async def find_relation(conn: AsyncConnection[TupleRow], schema: str, name: str) -> Relation:
    rows: list[TupleRow] = []
    if not name.startswith("_") and "\x00" not in name:
        rows = await (await conn.execute(_CATALOGUE, [schema, name])).fetchall()
    if not rows:
        names = [row[0] for row in await (await conn.execute(_NAMES, [schema])).fetchall()]
        raise NoSuchRelation(
            f"There is no view or table {name!r} here.",
            next_step=f"Use one of: {', '.join(names)}."
            if names
            else "Nothing is mirrored here yet: sync first.",
        )
    primary = sorted((place, column) for _, column, _, place in rows if place >= 0)
    key = tuple(column for _, column in primary)
    if rows[0][0] == "v" and name in VIEWS:
        key = VIEWS[name].key
    return Relation(schema, name, {column: kind for _, column, kind, _ in rows}, key)


def order_of(relation: Relation, sort: str | None) -> Order:
    """`sort` is a column, with a minus before it for the highest first; by key without one."""
    if not sort:
        return Order(relation.key, descending=False)
    column = sort[1:] if sort.startswith("-") else sort
    relation.type_of(column, "sort")
    rest = tuple(key for key in relation.key if key != column)
    return Order((column, *rest), descending=sort.startswith("-"))


def conditions(
    relation: Relation, where: Mapping[str, str], search: str | None = None
) -> list[Composable]:
    """The filters, all of which must hold. Deleted rows are left out unless one is about them."""
    asked = [(name, *_split(relation, name), text) for name, text in where.items()]
    found = [_condition(relation, *one) for one in asked]
    if DELETED in relation.columns and all(column != DELETED for _, column, _, _ in asked):
        found.append(SQL("{} is null").format(Identifier(DELETED)))
    return found + _search(relation, search or "")


def _search(relation: Relation, text: str) -> list[Composable]:
    if len(text) > LONGEST:
        raise BadQuery(
            f"A search has up to {LONGEST} characters, not {len(text)}.",
            next_step="Search for less, or filter a column with __contains.",
            fields={"search": "too long"},
        )
    parse_value("search", "text", text)
    return found_by(searched_columns(relation.name, relation.columns), text)


def _split(relation: Relation, asked: str) -> tuple[str, str]:
    """`order_date__gte` -> its column and its operator. A column of just that name goes first."""
    column, mark, operator = asked.rpartition("__")
    if asked in relation.columns or not mark:
        return asked, ""
    if column in relation.columns and operator not in OPERATORS:
        raise BadQuery(
            f"There is no operator {operator!r} ({asked}).",
            next_step=f"Write the column alone, or with one of: __{', __'.join(OPERATORS)}.",
            fields={asked: "no such operator"},
        )
    return column, operator


def _condition(relation: Relation, asked: str, column: str, operator: str, text: str) -> Composable:
    kind = relation.type_of(column, asked)
    name = Identifier(column)
    if operator == "isnull":
        null = parse_value(asked, "boolean", text)
        return SQL("{} is null" if null else "{} is not null").format(name)
    if operator == "in":
        values = [parse_value(asked, kind, part) for part in _listed(asked, text)]
        listed = SQL(", ").join(_literal(value, kind) for value in values)
        return SQL("{} in ({})").format(name, listed)
    if operator in ("like", "contains"):
        if kind not in _TEXTS:
            raise BadQuery(
                f"{column} is a {kind}; __{operator} is for text.",
                next_step="Compare it with __gt, __gte, __lt, __lte, __in, or the column alone.",
                fields={asked: "not a text column"},
            )
        value = parse_value(asked, kind, text)
        if operator == "like":
            return SQL("{} like {}").format(name, Literal(value))
        return SQL("{} ilike {}").format(name, contains(value))
    comparison = SQL(_COMPARISONS[operator])
    value = parse_value(asked, kind, text)
    return SQL("{} {} {}").format(name, comparison, _literal(value, kind))


def _literal(value: Any, kind: str) -> Composable:
    return SQL("{}::{}").format(Literal(as_text(value)), SQL(kind))


def compared(
    relation: Relation, columns: tuple[str, ...], sign: str, values: list[Any]
) -> Composable:
    """`(a, b) > (1::x, 2::y)`: the form that an index over (a, b) answers."""
    return SQL("({}) {} ({})").format(
        SQL(", ").join(map(Identifier, columns)),
        SQL(sign),
        SQL(", ").join(
            _literal(value, relation.columns[column])
            for column, value in zip(columns, values, strict=True)
        ),
    )


def _listed(asked: str, text: str) -> list[str]:
    """`a,b` or, where values hold commas, a JSON list."""
    if not text.startswith("["):
        return text.split(",")
    try:
        values = msgspec.json.decode(
            text.encode(errors="surrogatepass"), type=list[str | int | float]
        )
    except (msgspec.MsgspecError, UnicodeError):
        values = []
    if not values:
        raise BadQuery(
            f"{asked} is not a list: {text!r}.",
            next_step='Write a,b or, where values hold commas, ["a","b"].',
            fields={asked: "not a list"},
        )
    return [str(value) for value in values]


def parse_value(asked: str, kind: str, text: str) -> Any:
    """A value for a column of this type; BadQuery if it is none."""
    try:
        return _integer(kind, text) if kind in _INTEGERS else _PARSERS.get(kind, _storable)(text)
    except (ValueError, InvalidOperation, KeyError):
        raise BadQuery(
            f"{asked}: {text!r} is no {_SPOKEN.get(kind, kind)}.",
            next_step=f"Write it like {_EXAMPLES.get(kind, 'text')}.",
            fields={asked: f"not a {_SPOKEN.get(kind, kind)}"},
        ) from None


def _storable(text: str) -> str:
    text.encode()  # a lone surrogate is a ValueError here
    if "\x00" in text:
        raise ValueError("PostgreSQL's text holds no zero byte")
    return text


def _integer(kind: str, text: str) -> int:
    value = int(text)
    if not -_INTEGERS[kind] <= value < _INTEGERS[kind]:
        raise ValueError(text)
    return value


def _decimal(text: str) -> Decimal:
    value = Decimal(text)
    # PostgreSQL's own limits of a numeric.
    if not value.is_finite() or value.adjusted() > 1000 or int(value.as_tuple().exponent) < -1000:
        raise ValueError(text)
    return value


def _naive(text: str) -> datetime:
    value = datetime.fromisoformat(text)
    if value.tzinfo is not None:
        raise ValueError("a site's times have no zone")
    return value


def _aware(text: str) -> datetime:
    value = datetime.fromisoformat(text)
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def as_text(value: Any) -> str:
    """As `parse_value` reads it, to the last digit."""
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


_PARSERS: dict[str, Callable[[str], Any]] = {
    "numeric": _decimal,
    "real": lambda text: float(_decimal(text)),
    "double precision": lambda text: float(_decimal(text)),
    "boolean": lambda text: _BOOLEANS[text.lower()],
    "date": date.fromisoformat,
    "timestamp without time zone": _naive,
    "timestamp with time zone": _aware,
    "time without time zone": time.fromisoformat,
}
KNOWN_TYPES = frozenset({*_PARSERS, *_INTEGERS, *_TEXTS})
_SPOKEN = {
    "smallint": "small whole number",
    "bigint": "whole number",
    "integer": "whole number",
    "numeric": "number",
    "boolean": "true or false",
    "timestamp without time zone": "time of the site",
    "timestamp with time zone": "time",
    "time without time zone": "time of day",
}
_EXAMPLES = {
    "smallint": "1",
    "bigint": "42",
    "integer": "42",
    "numeric": "12.50",
    "boolean": "true or false",
    "date": "2026-11-20",
    "timestamp without time zone": "2026-11-20T22:30:00, without a zone",
    "timestamp with time zone": "2026-11-20T22:30:00+00:00",
    "time without time zone": "22:30:00",
}


def selected(relation: Relation, columns: list[str]) -> Composed:
    """Columns to select; what has no counterpart in JSON comes as PostgreSQL writes it."""
    return SQL(", ").join(
        Identifier(column)
        if relation.columns[column] in KNOWN_TYPES
        else SQL("{}::text as {}").format(Identifier(column), Identifier(column))
        for column in columns
    )


@dataclass(frozen=True, slots=True)
class Selection:
    """Which rows and columns of a relation, all of them, for an export."""

    relation: Relation
    columns: list[str]
    filters: list[Composable]
    order: Order | None

    def select(self, expressions: Composable) -> Composed:
        parts: list[Composable] = [
            SQL("select {} from {}").format(expressions, self.relation.identifier)
        ]
        if self.filters:
            parts.append(SQL(" where {}").format(SQL(" and ").join(self.filters)))
        if self.order:
            parts.append(SQL(" order by {}").format(self.order.clause))
        return Composed(parts)


async def selection_of(
    conn: AsyncConnection[TupleRow],
    schema: str,
    name: str,
    *,
    where: Mapping[str, str] | None,
    sort: str | None,
    columns: list[str] | None,
    search: str | None = None,
) -> Selection:
    relation = await find_relation(conn, schema, name)
    filters = conditions(relation, where or {}, search)
    order = order_of(relation, sort) if sort else None
    return Selection(relation, relation.chosen(columns), filters, order)
