"""The filters of a list of version 16, as conditions for SQLite with MariaDB's sense of values."""

import json
import re
from typing import TYPE_CHECKING, Any

from bascule.sandbox.core.database import collation
from bascule.sandbox.core.database.tables import Row, quoted
from bascule.sandbox.core.doctypes.schema import OF_CHILDREN, OPTIONAL, STANDARD, DocType, kind_of
from bascule.sandbox.core.errors import Refusal, database_error
from bascule.sandbox.core.query.fields import known_doctype
from bascule.sandbox.core.query.filters import escaped, literal
from bascule.sandbox.core.query.places import Place
from bascule.sandbox.core.query.timespans import span
from bascule.sandbox.core.values import cstr, date_text, moment, moment_text, number, time_text

if TYPE_CHECKING:
    from bascule.sandbox.core.query.context import QueryContext

_NESTED = (
    *("ancestors of", "descendants of", "not ancestors of", "not descendants of"),
    "descendants of (inclusive)",
)
_COMPARING = {"=": "=", "!=": "!=", "<": "<", ">": ">", "<=": "<=", "=<": "<="}
_COMPARING |= {">=": ">=", "=>": ">="}
_ARITHMETIC = ("+", "-", "*", "/")
_KNOWN = (
    *(*_COMPARING, *_ARITHMETIC, "in", "not in", "like", "ilike", "not like", "regex"),
    *("between", "is", "timespan"),
)
_NUMERIC = ("Check", "Float", "Int", "Currency", "Percent")
_FALLBACKS: dict[str, Any] = {
    **dict.fromkeys(_NUMERIC, 0),
    **dict.fromkeys(("Date", "Datetime"), "0001-01-01"),
    "Time": "00:00:00",
}
_STANDARD = {"idx": "Int", "docstatus": "Int"}
_NEVER_EMPTY = ("name", "modified", "creation")


def criteria(context: "QueryContext", given: Any) -> list[str]:
    """One condition for each filter: {field: value} or [[field, operator, value], ...]."""
    if given is None:
        return []
    if isinstance(given, str | int):
        given = {"name": given}
    if isinstance(given, dict):
        return [_Criterion(context, name, *_pair(value)).written() for name, value in given.items()]
    written: list[str] = []
    for one in given:
        if isinstance(one, dict):
            written += criteria(context, one)
        elif isinstance(one, list | tuple):
            written.append(_listed(context, list(one)))
        else:
            told = f"Invalid item type in filter list: {type(one).__name__}."
            told += " Expected list, tuple, dict, or Criterion."
            raise Refusal("ValueError", told, module="", status=500)
    return written


def _pair(value: Any) -> tuple[Any, Any]:
    """Operator and value."""
    if not isinstance(value, list | tuple):
        return "=", value
    if len(value) != 2:
        few = "not enough" if len(value) < 2 else "too many"
        told = f"{few} values to unpack (expected 2, got {len(value)})"
        raise Refusal("ValueError", told, module="", status=500)
    return value[0], value[1]


def _listed(context: "QueryContext", one: list[Any]) -> str:
    if len(one) == 2:
        return _Criterion(context, one[0], "=", one[1]).written()
    if len(one) == 3:
        return _Criterion(context, *one).written()
    if len(one) in (4, 5):
        return _Criterion(context, one[1], one[2], one[3], str(one[0])).written()
    raise Refusal("ValueError", f"Unknown filter format: {one}", module="", status=500)


class _Criterion:
    def __init__(
        self, context: "QueryContext", name: Any, operator: Any, value: Any, doctype: str = ""
    ) -> None:
        self._context = context
        if not isinstance(operator, str):
            told = f"'{type(operator).__name__}' object has no attribute 'lower'"
            raise Refusal("AttributeError", told, module="", status=500)
        self._operator = operator
        self._low = self._operator.lower()
        self._value: Any = int(value) if isinstance(value, bool) else value
        if isinstance(value, dict):
            self._value = json.dumps(value, indent=1, sort_keys=True, separators=(",", ": "))
        self._named = str(name)
        self._meant = doctype
        self._fiscal_year()
        self._doctype, self._name, self._sql = self._place()
        entry = self._doctype.field(self._name)
        self._type = entry["fieldtype"] if entry else None
        self._kind = self._doctype.kinds.get(self._name, kind_of(self._type or "Data"))
        # What empty counts as is asked of the DocType that is listed, also for another's field.
        name = self._meant if self._meant in context.schema else context.doctype.name
        found = context.schema[name].field(self._name) or {}
        self._judged = found.get("fieldtype") or _STANDARD.get(self._name)

    def _fiscal_year(self) -> None:
        """ERPNext's own operator; a year that is not there is none, which means today."""
        if self._low == "fiscal year":
            year = self._context.tables.row("Fiscal Year", cstr(self._value)) or {}
            if year:
                self._value = [year["year_start_date"], year["year_end_date"]]
            self._operator = self._low = "between"

    def _place(self) -> tuple[DocType, str, str]:
        """The DocType, the field and the column that the filter is about; 403 about the field."""
        context, name = self._context, self._named
        if "`" in name:
            match = re.fullmatch(r"`tab([\w\s-]+)`\.(`?)(\w+)\2", name.strip())
            if match is None:
                told = f"Filter fields have invalid backtick notation: {name}"
                context.call.refuse(told, title="Invalid Filter")
            doctype = known_doctype(context.call, context.schema, match[1])
            context.check_field(doctype, match[3])
            context.used.add(match[3])
            return doctype, match[3], f"{quoted(doctype.name)}.`{match[3]}`"
        if "." in name:
            place = context.place(name)
            if place is None:
                context.call.refuse(
                    f"Invalid filter field format: {name}."
                    " Use 'fieldname' or 'link_fieldname.target_fieldname'.",
                    title="Invalid Filter",
                )
            return self._through(place)
        if not re.fullmatch(r"\w+", name):
            context.call.refuse(
                f"Invalid characters in fieldname: {name}."
                " Only letters, numbers, and underscores are allowed.",
                title="Invalid Filter",
            )
        return self._simple(name)

    def _through(self, place: Place) -> tuple[DocType, str, str]:
        self._context.check_field(place.doctype, place.name, place.parent)
        return place.doctype, place.name, self._context.join(place)

    def _simple(self, name: str) -> tuple[DocType, str, str]:
        context, main = self._context, self._context.doctype
        about = main
        if self._meant and self._meant != main.name:
            about = known_doctype(context.call, context.schema, self._meant)
            held = [one for one in main.tables if one.get("options") == about.name]
            if held:
                return self._through(_row_place(main, about, name, held[0]["fieldname"]))
            context.check_field(about, name, context.asked.parent)
            return about, name, f"{quoted(about.name)}.`{name}`"
        own = (*STANDARD, *OPTIONAL, *OF_CHILDREN)
        if not self._meant and name not in own and main.field(name) is None:
            for entry in main.tables:
                child = context.schema[str(entry["options"])]
                if child.field(name):
                    return self._through(_row_place(main, child, name, entry["fieldname"]))
        parent = context.asked.parent if self._meant or main.is_child else None
        context.check_field(main, name, parent)
        return main, name, context.own(name)

    def written(self) -> str:
        self._spans()
        value, sql = self._value, self._sql
        if not value and isinstance(value, list | tuple):
            listing = self._low in ("in", "not in", "between")
            value = ("",) if listing else ""  # one of one is that one
        if value is None and self._context.compat and self._low in ("in", "not in"):
            value = ("",)
        if self._operator in _NESTED:
            names = self._relatives() or [""]
            return self._among(sql, names, negated=self._operator.startswith("not "))
        if self._low not in _KNOWN:
            raise Refusal("KeyError", repr(self._low), module="", status=500)
        if value is None:
            if self._low == "!=":
                return self._compared(sql, "!=", self._fallback())
            return f"{sql} is null"
        if self._null_counts(value):
            fallback = self._fallback()
            if fallback == value and self._low in ("=", "!="):
                compared = self._compared(sql, self._low, value)
                return f"({sql} is null or {compared})" if self._low == "=" else compared
            sql = self._filled(sql, fallback)
        return self._operated(sql, value)

    def _filled(self, sql: str, fallback: Any) -> str:
        """With the fallback where it is empty: a text makes a text of it, as MariaDB writes it."""
        if not isinstance(fallback, str) or self._kind == "text":
            return f"ifnull({sql}, {self._literal(fallback)})"
        kind, self._kind = self._kind, "text"
        text = {
            "float": f"printf('%.9f', {sql})",
            "datetime": f"{sql} || CASE WHEN instr({sql}, '.') THEN '' ELSE '.000000' END",
        }.get(kind, f"CAST({sql} AS TEXT)")
        return f"CASE WHEN {sql} IS NULL THEN {literal(fallback)} ELSE {text} END"

    def _operated(self, sql: str, value: Any) -> str:
        low = self._low
        if low == "regex":  # which MariaDB calls otherwise
            return self._unread(f"{sql} ", f"REGEX {_written(value)}")
        if low in _COMPARING and isinstance(value, list | tuple):
            return self._unread(sql + _COMPARING[low].replace("!=", "<>"), _written(value))
        if low in _COMPARING:
            return self._compared(sql, _COMPARING[low], value)
        if low in ("like", "ilike", "not like"):
            words = "not like" if low == "not like" else "like"
            if isinstance(value, list | tuple):
                return self._unread(f"{sql} {words} ", _written(value))
            return f"{sql} {words} {literal(cstr(value))}"
        if low == "not in" and not isinstance(value, str | list | tuple):
            told = f"'{type(value).__name__}' object has no attribute 'nodes_'"
            raise Refusal("AttributeError", told, module="", status=500)
        if low in ("in", "not in"):
            values = value.split(",") if isinstance(value, str) else value
            if not isinstance(values, list | tuple):
                told = f"'{type(values).__name__}' object is not iterable"
                raise Refusal("TypeError", told, module="", status=500)
            return self._among(sql, list(values), negated=low == "not in")
        if low == "is":
            return self._set_or_not(sql, cstr(value).lower())
        if low == "between":
            return self._between(sql, value)
        return f"(CAST({sql} AS REAL) {low} {number(value)!r})"

    def _unread(self, sql: str, text: str) -> str:
        self._context.broken = self._context.broken or text
        return sql + text

    def _set_or_not(self, sql: str, wanted: str) -> str:
        if wanted not in ("set", "not set"):
            told = "`is` operator only supports `set` and `not set` as value"
            raise Refusal("ValueError", told, module="", status=500)
        compared = self._compared(sql, "!=" if wanted == "set" else "=", "")
        return compared if wanted == "set" else f"({sql} is null or {compared})"

    def _among(self, sql: str, values: list[Any], *, negated: bool) -> str:
        values = ["" if one is None else one for one in values] if not negated else values
        if "" in values and not negated:
            sql = self._filled(sql, "")
        tests = [self._compared(sql, "=", one) for one in values]
        either = f"({' or '.join(tests)})"
        return f"not {either}" if negated else either

    def _between(self, sql: str, value: Any) -> str:
        if isinstance(value, str):
            today = str(self._context.today)
            value = [today, today]
            if self._type in (None, "Datetime"):
                value = [f"{today} 00:00:00", f"{today} 23:59:59.999999"]
        if not isinstance(value, list | tuple):
            told = f"slice() argument after * must be an iterable, not {type(value).__name__}"
            raise Refusal("TypeError", told, module="", status=500)
        first, last = ([None, *value] if len(value) == 1 else list(value))[:2]
        if first is None or last is None:
            return "null"
        if self._kind == "datetime":
            first, last = _whole_day(first, "00:00:00"), _whole_day(last, "23:59:59.999999")
        return f"({self._compared(sql, '>=', first)} and {self._compared(sql, '<=', last)})"

    def _compared(self, sql: str, operator: str, value: Any) -> str:
        """A comparison as MariaDB makes it: by what the column is, and by what it is told."""
        if self._kind == "text" and isinstance(value, int | float):
            return f"CAST({sql} AS REAL) {operator} {value!r}"
        if self._kind == "text":
            return f"{sql} COLLATE {collation.NAME} {operator} {literal(cstr(value))}"
        if self._kind == "date" and re.search(r"\d[ T]+\d", cstr(value)):
            return f"({sql} || ' 00:00:00') {operator} '{moment_text(value)}'"
        return f"{sql} {operator} {self._literal(value)}"

    def _literal(self, value: Any) -> str:
        if self._kind in ("int", "float"):
            return repr(number(value))
        if self._kind == "datetime":
            return f"'{moment_text(value)}'"
        if self._kind == "date":
            return f"'{date_text(value)}'"
        return literal(time_text(value) if self._kind == "time" else cstr(value))

    def _spans(self) -> None:
        """The operators that name a span of days."""
        if self._low in ("timespan", "previous", "next"):
            days = None
            if not isinstance(self._value, list | tuple):
                days = span(self._low, self._value, self._context.today)
            elif self._low != "timespan":
                told = "cannot use 'list' as a dict key (unhashable type: 'list')"
                raise Refusal("TypeError", told, module="", status=500)
            self._value = list(map(str, days)) if days else None
            self._operator = self._low = "between"

    def _relatives(self) -> list[str]:
        """The names above or below the given one in the tree."""
        entry = self._context.doctype.field(self._named)
        named = entry.get("options") if entry else self._context.doctype.name
        if named is None:
            told = "expected string or bytes-like object, got 'NoneType'"
            raise Refusal("TypeError", told, module="", status=500)
        if named not in self._context.schema:
            self._context.call.refuse(f"Invalid DocType: {named}")
        tables, tree = self._context.tables, str(named)
        if not tables.has_column(tree, "lft"):
            told = "Unknown column 'lft' in 'SELECT'"
            raise database_error("OperationalError", 1054, told)
        place: Row = tables.row(tree, cstr(self._value)) or {}
        test, order = "`lft` < ? AND `rgt` > ?", "DESC"
        if "descendants" in self._operator:
            test, order = "`lft` > ? AND `rgt` < ?", "ASC"
        rows = tables.run(
            f"SELECT `name` FROM {quoted(tree)} WHERE {test} ORDER BY `lft` {order}",
            (place.get("lft"), place.get("rgt")),
        )
        names = [row[0] for row in rows]
        return [*names, cstr(self._value)] if "inclusive" in self._operator else names

    def _fallback(self) -> Any:
        return _FALLBACKS.get(str(self._judged), "")

    def _null_counts(self, value: Any) -> bool:
        """Whether an empty column counts as nothing here: only by the older API."""
        low, name = self._low, self._name
        timed = self._judged in ("Date", "Datetime")
        if not self._context.compat or low in ("like", "is") or (low == "=" and value):
            return False
        if name in _NEVER_EMPTY or self._judged in _NUMERIC:
            return False
        if low in (">", ">=", "between") and timed:
            return False
        if low == "in":
            return isinstance(value, list | tuple) and any(one in (None, "") for one in value)
        return True


def _written(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, list | tuple):
        return f"[{','.join(map(_written, value))}]"
    return escaped(value) if isinstance(value, str) else str(value)


def _row_place(main: DocType, child: DocType, name: str, table: str) -> Place:
    return Place(child, name, table=table, parent=main.name)


def _whole_day(value: Any, time: str) -> Any:
    """A day means from its start to its end, where a moment is compared."""
    if moment(value) is None or re.search(r"\d[ T]+\d", cstr(value).strip()):
        return value
    return f"{date_text(value)} {time}"
