"""The fields of a list of version 16: columns, columns through links and rows, and functions.

A function comes as {"COUNT": "name", "as": "n"}, arithmetic as {"ADD": [1, "idx"]}, the rows of a
document as {"items": ["item_code"]}; a text is a column, under another name or not.
"""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bascule.sandbox.core.database.tables import column, quoted
from bascule.sandbox.core.doctypes.schema import OPTIONAL, Field
from bascule.sandbox.core.errors import Refusal
from bascule.sandbox.core.query.fields import known_doctype
from bascule.sandbox.core.query.filters import literal
from bascule.sandbox.core.query.places import Place

if TYPE_CHECKING:
    from bascule.sandbox.core.query.context import QueryContext

_COMMA = re.compile(r",\s*(?![^()]*\))")
_CALL = re.compile(r"\s*[a-zA-Z_][a-zA-Z0-9_]*\s*\(", re.ASCII)
_ALLOWED = re.compile(
    r"(?:(?:`[\w\s-]+`|\w+)\.)?(?:`\w+`|\w+)(?:\s+as\s+(?:`[\w\s-]+`|'[\w\s:-]+'|\w+))?",
    re.IGNORECASE,
)
_PARTS = re.compile(r"(?:(`?)(tab[\w\s-]+)\1\.)?(`?)(\w+)\3")
_AS = re.compile(r"\s+as\s+", re.IGNORECASE)
_SIMPLE = re.compile(r"\w+")
_AGGREGATES = ("COUNT", "SUM", "AVG", "MAX", "MIN")
_FUNCTIONS = (
    *_AGGREGATES,
    *("ABS", "EXTRACT", "LOCATE", "TIMESTAMP", "IFNULL", "CONCAT", "NOW", "NULLIF"),
    *("MONTHNAME", "QUARTER", "MONTH"),
)
_OPERATORS = {"ADD": "+", "SUB": "-", "MUL": "*", "DIV": "/"}
_ARGUMENT = "Only quoted string literals or simple field names are allowed."


@dataclass
class Selected:
    """`sql` of the column; `sums` where it is one of all rows; `bare` where it has no name but its
    text; `rows`: a table field and what of its rows is wanted."""

    sql: str
    sums: bool = False
    bare: bool = False
    rows: tuple[Field, list[str]] | None = None


def selected(context: "QueryContext", given: Any) -> list[Selected]:
    """What of the fields the user may have, each as SQLite takes it; all of it where it is `*`."""
    items = _COMMA.split(given) if isinstance(given, str) else list(given or ["name"])
    chosen: list[Selected] = []
    for item in items:
        if isinstance(item, dict):
            chosen += _Functions(context).item(item)
        elif isinstance(item, str):
            for part in map(str.strip, _COMMA.split(item)):
                chosen += _column(context, part) if part else []
        elif item is not None:
            context.call.refuse(f"Invalid field type: {type(item)}")
    if any(one.rows is not None and one.rows[0] not in context.doctype.tables for one in chosen):
        told = "'ChildQuery' object has no attribute 'fieldname'"
        raise Refusal("AttributeError", told, module="", status=500)
    return chosen


def _column(context: "QueryContext", text: str) -> list[Selected]:
    doctype, parent = context.doctype, context.asked.parent
    if text == "*":
        readable = context.access.permissions.readable(context.call.user, doctype, parent)
        return [Selected(context.own(name)) for name in readable]
    if _CALL.match(text):
        context.call.refuse(
            f"SQL functions are not allowed as strings in SELECT: {text}."
            " Use dict syntax like {'COUNT': '*'} instead."
        )
    if not _ALLOWED.fullmatch(text):
        told = "Field names must be simple, backticked, table-qualified, aliased, or '*'."
        context.call.refuse(f"Invalid field format for SELECT: {text}. {told}", "PermissionError")
    bare, *named = _AS.split(text)
    alias = named[-1].strip().strip("`\"'") if named else ""
    if alias:
        context.aliases.add(alias)
    ending = f" as {column(alias)}" if alias else ""
    if place := context.place(bare, tabs=True):
        return [Selected(context.join(place) + ending)] if _may(context, place) else []
    match = _PARTS.fullmatch(bare)
    if match is None:
        context.call.refuse(f"Could not parse field: {text}")
    name = match[4]
    if name not in OPTIONAL and not context.may_field(doctype, name, parent):
        return []
    return [Selected(context.own(name) + ending)]


def _may(context: "QueryContext", place: Place) -> bool:
    """Whether the user may have a column that is reached through a link or a table."""
    doctype = context.doctype
    if place.link:
        through = context.may_field(doctype, place.link, context.asked.parent)
        return (
            through
            and context.may_select(place.doctype)
            and context.may_field(place.doctype, place.name)
        )
    if context.selects_only(doctype):
        return False
    entry = doctype.field(place.table) if place.table else None
    level = int((entry or {}).get("permlevel") or 0)
    if entry and level not in context.access.permissions.levels(context.call.user, doctype):
        return False
    return context.may_field(place.doctype, place.name, doctype.name)


class _Functions:
    def __init__(self, context: "QueryContext") -> None:
        self._context = context

    def item(self, given: dict[str, Any]) -> list[Selected]:
        names = [name for name in given if name.lower() != "as"]
        if len(names) == 1 and names[0] in (*_FUNCTIONS, *_OPERATORS):
            sums = any(f"{name}(" in self._expression(given) for name in _AGGREGATES)
            text, alias = self._expression(given), self._alias(given)
            named = f" as {column(alias)}" if alias else ""
            return [Selected(text + named, sums=sums, bare=not alias)]
        return [one for name, wanted in given.items() for one in self._rows(name, wanted)]

    def _rows(self, name: str, wanted: Any) -> list[Selected]:
        context = self._context
        if name.isupper():
            context.call.refuse(f"Unsupported function or operator: {name}")
        if not isinstance(wanted, list | tuple):
            context.call.refuse(f"Child query fields for '{name}' must be a list or tuple.")
        entry = context.doctype.field(name)
        if entry is None:
            told = "'NoneType' object has no attribute 'fieldtype'"
            raise Refusal("AttributeError", told, module="", status=500)
        if entry not in context.doctype.tables:
            return [Selected("", rows=(entry, []))]
        child = context.schema[str(entry["options"])]
        may = [one for one in wanted if context.may_field(child, str(one), context.doctype.name)]
        context.used.add("name")
        return [Selected("", rows=(entry, may))] if may else []

    def _alias(self, given: dict[str, Any]) -> str:
        call = self._context.call
        found = next((value for name, value in given.items() if name.lower() == "as"), None)
        if not found:
            return ""
        if not isinstance(found, str):
            call.refuse("Alias must be a string")
        if not found.strip():
            call.refuse("Empty alias is not allowed")
        if not _SIMPLE.fullmatch(found.strip()):
            told = f"Invalid alias format: {found.strip()}. Alias must be a simple identifier."
            call.refuse(told)
        self._context.aliases.add(found)
        return found

    def _expression(self, given: dict[str, Any]) -> str:
        name = next(key for key in given if key.lower() != "as")
        wanted, call = given[name], self._context.call
        if name in _OPERATORS:
            if not isinstance(wanted, list) or len(wanted) != 2:
                told = f"Operator {name} requires exactly 2 arguments (left and right operands)"
                call.refuse(told)
            left, right = map(self._argument, wanted)
            if name != "DIV":
                return f"({left}{_OPERATORS[name]}{right})"
            kinds = self._context.doctype.kinds
            exact = any(column(field) in left for field in kinds if kinds[field] == "float")
            digits = 13 if exact else 4
            return f"round({left}*1.0/{right},{digits})"
        if isinstance(wanted, dict):
            told = "Only strings, numbers, lists, and None are allowed."
            call.refuse(f"Invalid function argument type: dict. {told}")
        listed = wanted if isinstance(wanted, list) else [] if wanted is None else [wanted]
        if wanted == [] and name != "NOW":
            told = f"{name.title()}.__init__() missing 1 required positional argument: 'term'"
            raise Refusal("TypeError", told, module="", status=500)
        if not listed and name != "NOW":
            call.refuse(f"Function {name} requires arguments but none were provided")
        return f"{name}({','.join(self._argument(one, name) for one in listed)})"

    def _argument(self, given: Any, function: str = "") -> str:
        call = self._context.call
        if given is None:
            return "null"
        if isinstance(given, int | float):
            return repr(given)
        if isinstance(given, str):
            return self._text(given.strip(), function)
        if not isinstance(given, dict):
            told = "Only strings, numbers, dicts, and None are allowed."
            call.refuse(f"Invalid argument type: {type(given).__name__}. {told}")
        names = [name for name in given if name.lower() != "as"]
        if len(names) != 1 or names[0] not in (*_FUNCTIONS, *_OPERATORS):
            told = "dictionary must represent a function or operator"
            call.refuse(f"Invalid nested expression: {told}")
        return self._expression(given)

    def _text(self, text: str, function: str) -> str:
        context = self._context
        if not text:
            context.call.refuse("Empty string arguments are not allowed")
        if text == "*":
            if function != "COUNT":
                context.call.refuse("'*' is only allowed in COUNT SQL function(s)")
            return "*"
        if len(text) >= 2 and text[0] in "'\"" and text[-1] == text[0]:
            return literal(text[1:-1])
        match = re.fullmatch(r"`tab([\w\s-]+)`\.(`?)(\w+)\2", text)
        if match:
            doctype = known_doctype(context.call, context.schema, match[1])
            context.check_field(doctype, match[3], filtering=False)
            context.used.add(match[3])
            return f"{quoted(doctype.name)}.{column(match[3])}"
        if text.isdigit():
            return text
        if not _SIMPLE.fullmatch(text):
            context.call.refuse(f"Invalid argument format: {text}. {_ARGUMENT}")
        context.check_field(context.doctype, text, context.asked.parent, filtering=False)
        return context.own(text)
