"""The filters of `get_count` of version 15, which takes another way than lists: an empty column is
NULL and meets no comparison, `is set` is IS NOT NULL, and values stand as they came.
"""

import re
from collections.abc import Callable
from typing import Any

from bascule.sandbox.core.database import collation
from bascule.sandbox.core.database.tables import column, quoted
from bascule.sandbox.core.doctypes.schema import DocType, kind_of
from bascule.sandbox.core.errors import Refusal
from bascule.sandbox.core.query.filters import Condition, Tree, as_text, condition, literal
from bascule.sandbox.core.query.timespans import span
from bascule.sandbox.core.values import cstr, date_text, moment_text, number, time_text

_COMPARING = {"=<": "<=", "=>": ">="} | {one: one for one in ("=", "!=", "<", ">", "<=", ">=")}
_SPECIAL = re.compile(r"[\W]", re.UNICODE)


def count_condition(query: Tree, doctype: str, given: Any) -> Condition:
    """One filter; of trees as lists have it."""
    if not isinstance(given, list | tuple) or len(given) not in (2, 3, 4):
        return condition(query, doctype, given)
    if len(given) == 2:
        given = (given[0], "=", given[1])
    about = given[0] if len(given) == 4 else doctype
    name, operator, value = given[-3:]
    low = str(operator).casefold()
    if low.endswith(("ancestors of", "descendants of", "descendants of (inclusive)")):
        return condition(query, doctype, given)
    if not isinstance(name, str) or _SPECIAL.search(name):
        query.call.refuse(f"Invalid filter: {name}")
    found = _Counted(query, query.joined(str(about)), name)
    return found.written(low, int(value) if isinstance(value, bool) else value)


class _Counted:
    def __init__(self, query: Tree, doctype: DocType, name: str) -> None:
        self._query = query
        self._doctype = doctype
        self._name = name
        entry = doctype.field(name) or {}
        self._type = entry.get("fieldtype")
        self._kind = doctype.kinds.get(name, kind_of(str(self._type or "Data")))
        self._place = f"{quoted(doctype.name)}.{column(name)}"

    def written(self, low: str, value: Any) -> Condition:
        sql = self._sql(low, value)
        return Condition(sql, sql, self._doctype.name, self._name)

    def _sql(self, low: str, value: Any) -> str:
        if low not in _COMPARING and low not in _WRITING:
            raise Refusal("KeyError", repr(low), module="", status=500)
        if value is None:
            return f"{self._place} IS NULL"
        if low in _COMPARING:
            return self._compared(_COMPARING[low], value)
        return _WRITING[low](self, value)

    def _compared(self, operator: str, value: Any) -> str:
        if self._kind == "text" and isinstance(value, int | float):
            return f"CAST({self._place} AS REAL) {operator} {value!r}"
        if self._kind == "text":
            return f"{self._place} COLLATE {collation.NAME} {operator} {literal(cstr(value))}"
        return f"{self._place} {operator} {self._literal(value)}"

    def _literal(self, value: Any) -> str:
        if self._kind == "datetime":
            return f"'{moment_text(value)}'"
        if self._kind == "date":
            return f"'{date_text(value)}'"
        return literal(time_text(value)) if self._kind == "time" else repr(number(value))

    def _among(self, value: Any) -> str:
        values = value.split(",") if isinstance(value, str) else value
        if not isinstance(values, list | tuple):
            told = f"'{type(values).__name__}' object is not iterable"
            raise Refusal("TypeError", told, module="", status=500)
        return f"({' or '.join(self._compared('=', one) for one in values or [''])})"

    def _like(self, value: Any) -> str:
        return f"{as_text(self._place, self._kind, self._type)} like {literal(cstr(value))}"

    def _set_or_not(self, value: Any) -> str:
        if not isinstance(value, str):
            told = f"'{type(value).__name__}' object has no attribute 'lower'"
            raise Refusal("AttributeError", told, module="", status=500)
        return f"{self._place} IS {'NOT ' if value.lower() == 'set' else ''}NULL"

    def _between(self, value: Any) -> str:
        if not isinstance(value, list | tuple) or len(value) not in (2, 3):
            told = "slice expected at most 3 arguments"
            raise Refusal("TypeError", told, module="", status=500)
        return f"({self._compared('>=', value[0])} and {self._compared('<=', value[1])})"

    def _timespan(self, value: Any) -> str:
        days = span("timespan", str(value), self._query.today)
        return self._between(list(map(str, days or ())))


_WRITING: dict[str, Callable[[_Counted, Any], str]] = {
    "in": _Counted._among,
    "not in": lambda one, value: f"not {one._among(value)}",
    "like": _Counted._like,
    "not like": lambda one, value: f"not {one._like(value)}",
    "is": _Counted._set_or_not,
    "between": _Counted._between,
    "timespan": _Counted._timespan,
}
