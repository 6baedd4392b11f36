"""The filters of a list, as conditions: Frappe's operators with MariaDB's sense of values.

Each condition is kept twice: as SQLite takes it, and as Frappe would have written it for MariaDB,
which errors and `debug` show.
"""

import re
from dataclasses import dataclass
from datetime import date
from typing import Any, Protocol

from bascule.sandbox.core.database import collation
from bascule.sandbox.core.database.tables import Tables, column, no_table, quoted
from bascule.sandbox.core.doctypes.schema import OF_CHILDREN, OPTIONAL, STANDARD, DocType, kind_of
from bascule.sandbox.core.documents.dates import day_of
from bascule.sandbox.core.errors import Call, Refusal, database_error
from bascule.sandbox.core.query.timespans import span
from bascule.sandbox.core.values import (
    cstr,
    date_text,
    flt,
    moment,
    moment_text,
    number,
    time_of_day,
    time_text,
)

_TREE = (
    *("ancestors of", "descendants of", "not ancestors of", "not descendants of"),
    "descendants of (inclusive)",
)
# In the order in which a site told them: it keeps them in a set.
OPERATORS = (
    *("is", ">", "timespan", "descendants of (inclusive)", "not like", ">=", "between"),
    *("descendants of", "like", "in", "not descendants of", "=", "next", "<", "not in"),
    *("previous", "fiscal year", "ancestors of", "!=", "not ancestors of", "<="),
)
_COMPARING = ("=", "!=", "<", ">", "<=", ">=")
_DAWN = "0001-01-01 00:00:00"
_NO_DAYS = ("0001-01-01", "0000-00-00")
_NUMBERS = ("int", "float", "decimal")
_NUMERIC = ("Check", "Float", "Int", "Currency", "Percent")


@dataclass
class Condition:
    """`sql` for SQLite, `shown` for MariaDB, and the column that it is about.

    `left`, `operator` and `right` are what `sql` is made of. One that `dangles` is a `between` with
    its first bound only, which takes what comes after it for the other.
    """

    sql: str
    shown: str
    doctype: str
    column: str
    left: str = ""
    operator: str = ""
    right: str = ""
    dangles: bool = False


class Tree(Protocol):
    """What a condition needs of the query that it is part of."""

    call: Call
    tables: Tables
    today: date

    def joined(self, doctype: str) -> DocType:
        """The DocType, whose table takes part in the query from now on."""


def literal(value: str) -> str:
    """As SQLite reads it."""
    text = "'" + value.replace("'", "''") + "'"
    return text.replace("\0", "'||char(0)||'") if "\0" in text else text


def escaped(value: str) -> str:
    """As MariaDB's driver writes it."""
    table = {"\\": "\\\\", "'": "\\'", '"': '\\"', "\n": "\\n", "\r": "\\r", "\0": "\\0"}
    return "'" + "".join(table.get(character, character) for character in value) + "'"


def condition(query: Tree, doctype: str, given: Any) -> Condition:
    """One filter: [field, operator, value], [DocType, field, operator, value] or {field: value}."""
    if isinstance(given, dict):
        name, value = next(iter(given.items()))
        given = filter_tuple(doctype, name, value)
    if not isinstance(given, list | tuple):
        query.call.refuse("Filter must be a tuple or list (in a list)")
    if len(given) == 3:
        given = (doctype, *given)
    elif len(given) < 4:
        told = "Filter must have 4 values (doctype, fieldname, operator, value): "
        query.call.refuse(f"{told}{given}")
    about, name, operator, value = given[:4]
    if re.match(r".*[,'();]", str(name)):
        query.call.refuse(f"Invalid field name {name}", "DataError")
    operator = str(operator or "=")
    if operator.lower() not in OPERATORS:
        query.call.refuse(f"Operator must be one of {', '.join(OPERATORS)}")
    return _Writer(query, query.joined(about), str(name), operator, value).written()


def conjunction(conditions: list[Condition]) -> str:
    """All of them, as MariaDB reads the text that Frappe makes of them."""
    read: list[Condition] = []
    for one in reversed(conditions):
        read.append(_swallowing(one, read.pop()) if one.dangles and read else one)
    return " and ".join(one.sql for one in reversed(read))


def _swallowing(one: Condition, following: Condition) -> Condition:
    """`a between 0 and b < 5` is `(a between 0 and b) < 5`; what binds closer is a bound whole."""
    bounds = f"CAST({one.left} AS REAL) BETWEEN {one.right} AND"
    if following.operator not in _COMPARING:
        sql = f"({bounds} ({following.sql}))"
        return Condition(sql, "", one.doctype, one.column)
    left = f"({bounds} CAST({following.left} AS REAL))"
    right = f"CAST({following.right} AS REAL)"
    sql = f"({left} {following.operator} {right})"
    return Condition(sql, "", one.doctype, one.column, left, following.operator, right)


def as_text(place: str, kind: str, fieldtype: str | None) -> str:
    """The column as MariaDB writes it where it has to be a text."""
    if kind == "int":
        return f"CAST({place} AS TEXT)"
    if kind in ("float", "decimal"):
        return f"printf('%.{2 if fieldtype == 'Rating' else 9}f', {place})"
    if kind == "datetime":
        return f"CASE WHEN instr({place}, '.') THEN {place} ELSE {place} || '.000000' END"
    return place


def filter_tuple(doctype: str, name: str, value: Any) -> list[Any]:
    if isinstance(value, list | tuple):
        return [doctype, name, *value[:2]]
    return [doctype, name, "=", value]


class _Writer:
    """Writes one condition: what the value becomes depends on field, operator and value alike."""

    def __init__(self, query: Tree, doctype: DocType, name: str, operator: str, value: Any) -> None:
        self._query = query
        self._doctype = doctype
        self._name = name
        self._operator = operator
        self._value = value
        entry = doctype.field(name)
        if entry is None and name not in (*STANDARD, *OF_CHILDREN, *OPTIONAL):
            doctype = self._child_with(name) or doctype
            self._doctype, entry = doctype, doctype.field(name)
        self._fieldtype = entry["fieldtype"] if entry else None
        self._options = entry.get("options") if entry else None
        self._kind = doctype.kinds.get(name, kind_of(self._fieldtype or "Data"))
        self._moment = name in ("creation", "modified") or self._fieldtype in ("Date", "Datetime")

    def _child_with(self, name: str) -> DocType | None:
        for entry in self._doctype.tables:
            child = self._query.joined(entry["options"])
            if child.field(name):
                return child
        return None

    def written(self) -> Condition:
        low = self._operator.lower()
        if low in _TREE:
            names = self._relatives(low)
            return self._among("not in" if low.startswith("not ") else "in", names)
        if low in ("in", "not in"):
            return self._among_given(low)
        if low == "is":
            return self._set_or_not()
        if low == "fiscal year":
            self._value, self._operator = self._fiscal_year(), "between"
            low = "between"
        if low in ("previous", "next", "timespan"):
            days = span(low, self._value, self._query.today)
            self._value = list(map(str, days)) if days else None
            self._operator = low = "between"
        if low == "between" and self._moment:
            return self._between()
        return self._compared(low)

    def _relatives(self, low: str) -> list[str]:
        """The names above or below the given one in its DocType's tree."""
        linked = self._options if self._fieldtype else self._doctype.name
        if not self._query.tables.has(str(linked)):
            raise no_table(str(linked))
        if not self._query.tables.has_column(str(linked), "lft"):
            told = "Unknown column 'lft' in 'SELECT'"
            raise database_error("OperationalError", 1054, told)
        place = self._query.tables.row(str(linked), cstr(self._value)) or {}
        left, right = place.get("lft") or 0, place.get("rgt") or 0
        if "descendants" in low:
            test, order = "`lft` > ? AND `rgt` < ?", "ASC"
        else:
            test, order = "`lft` < ? AND `rgt` > ?", "DESC"
        rows = self._query.tables.run(
            f"SELECT `name` FROM {quoted(str(linked))} WHERE {test} ORDER BY `lft` {order}",
            (left, right),
        )
        names = [row[0] for row in rows]
        return [*names, cstr(self._value)] if "inclusive" in low else names

    def _among_given(self, low: str) -> Condition:
        given = self._value or ""
        if not isinstance(given, str | list | tuple | dict):
            told = f"'{type(given).__name__}' object is not iterable"
            raise Refusal("TypeError", told, module="", status=500)
        empty = not given or any(value is None or value == "" for value in given)
        values = given.split(",") if isinstance(given, str) else given
        texts = [cstr(value).strip() for value in values]
        return self._among(self._operator, texts, nullable=low == "not in" or empty)

    def _among(self, operator: str, texts: list[str], *, nullable: bool = True) -> Condition:
        """Where an empty column counts, all of them are texts, numbers too."""
        texts = texts or [""]
        nullable = nullable and self._name not in ("name", "modified", "creation")
        kept = texts if nullable else list(map(self._as_kept, texts))
        shown = f"({', '.join(map(escaped, texts))})"
        sql = f"({', '.join(map(literal, kept))})"
        if not nullable and self._kind in _NUMBERS:
            sql = f"({', '.join(kept)})"
        return self._condition(operator, sql, shown, "''" if nullable else None, text=nullable)

    def _as_kept(self, text: str) -> str:
        """A literal in the way that the column keeps its values."""
        if self._kind == "datetime":
            return moment_text(text)
        if self._kind == "date":
            return date_text(text)
        return str(number(text)) if self._kind in _NUMBERS else text

    def _fiscal_year(self) -> list[Any]:
        """Its first and its last day."""
        year = self._query.tables.row("Fiscal Year", cstr(self._value))
        if year is None:
            told = f"Fiscal Year {cstr(self._value)} does not exist"
            self._query.call.refuse(told)
        return [year["year_start_date"], year["year_end_date"]]

    def _set_or_not(self) -> Condition:
        if self._value == "set":
            empty = "0" if self._kind in _NUMBERS else "''"
            return self._condition("!=", empty, "''", None)
        if self._value == "not set":
            return self._condition("=", "''", "''", "''", text=True)
        return self._condition("is", "''", "''", "''" if self._nullable() else None)

    def _between(self) -> Condition:
        """Two dates, or moments: a day given for a moment means from its start to its end."""
        given = self._value if isinstance(self._value, list | tuple) else []
        first, last = (
            (given[index] if len(given) > index else None) or str(self._query.today)
            for index in (0, 1)
        )
        if self._fieldtype == "Date":
            sql = shown = f"'{self._day(first)}' AND '{self._day(last)}'"
            return self._condition("between", sql, shown, None)
        start, end = moment(first), moment(last)
        first, last = cstr(first), cstr(last)
        if end is not None and not re.search(r"\d[ T]+\d", last.strip()):
            end = end.replace(hour=23, minute=59, second=59, microsecond=999999)
        sql = f"'{moment_text(start)}' AND '{moment_text(end)}'"
        shown = " AND ".join(
            f"'{value:%Y-%m-%d %H:%M:%S.%f}'" if value else "''" for value in (start, end)
        )
        return self._condition("between", sql, shown, None)

    def _day(self, value: Any) -> str:
        """Nothing is today; 417 for a text that is no date, 500 for what is no text."""
        if not value:
            return str(self._query.today)
        if not isinstance(value, str) or value.startswith(_NO_DAYS):
            told = "'NoneType' object has no attribute 'strftime'"
            raise Refusal("AttributeError", told, module="", status=500)
        return str(day_of(self._query.call, value))

    def _moment_of(self, value: Any) -> str:
        """As dateutil reads it, or 500."""
        if self._kind == "time" and not isinstance(value, str):
            told = f"Parser must be a string or character stream, not {type(value).__name__}"
            raise Refusal("TypeError", told, module="", status=500)
        if not isinstance(value, str) or value.startswith(_NO_DAYS):
            told = "'NoneType' object has no attribute 'strftime'"
            raise Refusal("AttributeError", told, module="", status=500)
        if (time_of_day(value) if self._kind == "time" else moment(value)) is None:
            told = f"Unknown string format: {value}"
            raise Refusal("ParserError", told, module="dateutil.parser._parser", status=500)
        return time_text(value) if self._kind == "time" else moment_text(value)

    def _compared(self, low: str) -> Condition:
        value, kept = self._value, self._operator in ("=",) or low == "like"
        is_text = isinstance(value, str) and self._fieldtype not in _NUMERIC
        fallback: str | None = "''"
        by_text = False
        if self._fieldtype == "Date":
            sql = shown = f"'{self._day(value)}'"
            fallback = "'0001-01-01'"
        elif self._fieldtype == "Datetime":
            sql = shown = f"'{self._moment_of(value) if value else _DAWN}'"
            fallback = f"'{_DAWN}'"
        elif self._kind == "time":
            sql, shown = literal(self._moment_of(value)), escaped(cstr(value))
            fallback = "'00:00:00'"
        elif low in ("like", "not like"):
            sql, shown = literal(cstr(value)), escaped(cstr(value).replace("%", "%%"))
            by_text = True
        elif self._kind == "datetime":
            sql, fallback = f"'{moment_text(value)}'", f"'{_DAWN}'"
            shown = escaped(cstr(value))
        elif is_text:
            sql, shown = literal(self._as_kept(value)), escaped(value)
        elif (low == "=" and self._fieldtype in ("Link", "Data")) or self._name == "name":
            sql = shown = str(value)
            if not value:  # Frappe quotes the quotes of the empty text
                sql, shown = literal("''"), escaped("''")
            if isinstance(value, list | tuple | dict):
                sql = shown = escaped(str(value))
        else:
            sql, fallback = repr(flt(value)), "0"
            shown = sql
        plain = not self._nullable() or (bool(value) and kept)
        found = self._condition(
            self._operator, sql, shown, None if plain else fallback, text=by_text
        )
        found.dangles = low == "between"
        return found

    def _nullable(self) -> bool:
        if self._name in ("name", "modified", "creation") or self._fieldtype in _NUMERIC:
            return False
        return not (self._operator in (">", ">=") and self._moment)

    def _condition(
        self, operator: str, sql: str, shown: str, fallback: str | None, *, text: bool = False
    ) -> Condition:
        """`fallback` is what an empty column counts as, None where it need not count. `text`: it is
        compared as one, whatever it holds.
        """
        place = f"{quoted(self._doctype.name)}.{column(self._name)}"
        left = right = place
        if text:
            left = as_text(place, self._kind, self._fieldtype)
        if fallback is not None:
            right = f"coalesce({place}, {fallback})"
        if fallback is not None and (text or self._kind not in _NUMBERS):
            left = f"ifnull({left}, {fallback})"
        if self._kind == "text":
            numeric = re.fullmatch(r"-?\d[\d.e+-]*", sql) and self._name != "name"
            left = f"CAST({left} AS REAL)" if numeric else f"{left} COLLATE {collation.NAME}"
        elif self._kind == "time":
            left = f"{left} COLLATE {collation.TIME}"
        sql_operator = {"is": "="}.get(operator.lower(), operator)
        return Condition(
            f"{left} {sql_operator} {sql}",
            f"{right} {operator} {shown}",
            self._doctype.name,
            self._name,
            *(left, sql_operator, sql),
        )
