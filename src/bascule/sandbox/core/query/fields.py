"""What the fields of a list may be, by Frappe's checks, and which columns they are about."""

import re
from typing import Any

from bascule.sandbox.core.access.permissions import Permissions
from bascule.sandbox.core.doctypes.schema import (
    OF_CHILDREN,
    OPTIONAL,
    STANDARD,
    DocType,
    Field,
    Schema,
)
from bascule.sandbox.core.errors import Call, Refusal, not_found, python_error
from bascule.sandbox.core.versions import SIXTEEN

_ALWAYS = (*STANDARD, *OPTIONAL, *OF_CHILDREN, "doctype")
_TOKEN = re.compile(
    r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|(?:`[^`]*`|[\w$]+)(?:\.(?:`[^`]*`|\w+|\*))*|\*|\S"
)
_WORDS = {
    *("select", "distinct", "and", "or", "not", "is", "null", "in", "like", "between", "case"),
    *("when", "then", "else", "end", "asc", "desc", "div", "mod", "interval", "union", "all"),
}
_NO_TABLES = {"from", "join", "into", "update"}
_QUERY = re.compile(r"(select|delete|update|drop|create)\s")
_PREDICATE = re.compile(r"\s*[0-9a-zA-z]*\s*( from | group by | order by | where | join )")
_SUSPECT = re.compile(r".*[,();@].*")
_STATEMENTS = {"select", "create", "insert", "delete", "drop", "update", "case", "show"}
_FUNCTIONS = {
    *("concat", "concat_ws", "if", "ifnull", "nullif", "coalesce", "connection_id", "global"),
    *("current_user", "database", "last_insert_id", "session_user", "system_user", "user"),
    "version",
}


def columns_of(field: str) -> list[str]:
    """The columns that a field expression reads, without backticks: `count(name) as n` -> name."""
    if not re.search(r"\W", field):
        return [field]
    tokens = _TOKEN.findall(field)
    names: list[str] = []
    previous = ""
    for position, token in enumerate(tokens):
        word = token.lower()
        following = tokens[position + 1] if position + 1 < len(tokens) else ""
        is_name = re.match(r"[A-Za-z_$`*]", token)
        is_alias = previous == "as" or (position and following == "" and _ends(previous))
        skipped = word in _WORDS or word == "as" or word in _NO_TABLES or following == "("
        if is_name and not skipped and not is_alias and previous not in _NO_TABLES:
            name = token.replace("`", "")
            if name not in names:
                names.append(name)
        previous = word
    return names


def _ends(previous: str) -> bool:
    """Whether what went before is a whole expression, so that a word after it names it."""
    return previous == ")" or bool(re.fullmatch(r"[`\w.$]+", previous) and previous not in _WORDS)


def is_standard(name: str) -> bool:
    if "." in name:
        name = name.split(".")[1].strip("`")
    return name in _ALWAYS


def not_permitted(call: Call, name: object) -> None:
    call.refuse(f"Field not permitted in query: {name}", "DataError")


class FieldCheck:
    """Frappe's checks of the fields and filters that come over the API, before any query."""

    def __init__(self, call: Call, schema: Schema, permissions: Permissions, doctype: DocType):
        self._call = call
        self._schema = schema
        self._permissions = permissions
        self._doctype = doctype

    def fields(self, fields: list[Any], parent: str | None) -> list[Any]:
        """The fields that may be asked for; those above the user's permission level are gone."""
        wildcard = fields == ["*"]
        if wildcard:
            fields = list(self._permissions.readable(self._call.user, self._doctype, parent))
        kept = list(fields)
        for field in fields:
            if isinstance(field, dict) and self._schema.major >= SIXTEEN:  # a function, or rows
                continue
            names = _names(field)
            if is_standard(names[0]):
                continue
            found = self.resolved(names[0])
            if found is None:
                if wildcard:
                    continue
                not_permitted(self._call, names[0])
            else:
                doctype, entry = found
                level = int(entry.get("permlevel") or 0)
                # A child has the permissions of what is listed: none, where it is listed itself.
                holder = self._doctype if doctype.is_child else doctype
                if level and level not in self._permissions.levels(self._call.user, holder):
                    kept.remove(field)
        return kept

    def filters(self, filters: Any) -> None:
        if not isinstance(filters, list):
            for name in filters:
                self._filtered(name)
            return
        for condition in filters:
            if len(condition) == 3:
                self._filtered(condition[0])
                continue
            try:
                name = condition[1]
            except IndexError as error:
                raise python_error(error) from error
            if is_standard(name):
                continue
            if self.doctype(condition[0]).field(name) is None:
                not_permitted(self._call, name)

    def _filtered(self, name: str) -> None:
        if not is_standard(name) and self.resolved(name) is None:
            not_permitted(self._call, name)

    def doctype(self, name: str) -> DocType:
        return known_doctype(self._call, self._schema, name)

    def resolved(self, name: str) -> tuple[DocType, Field] | None:
        """The DocType and the field that a name means: `field`, `table.field`, `tabX.field`."""
        doctype, bare = self._doctype, name.strip("`")
        if "." in name:
            first, bare = name.split(".")[:2]
            entry = doctype.field(first)
            if entry is None and not first.startswith("tab"):
                raise Refusal(
                    "AttributeError",
                    "'NoneType' object has no attribute 'options'",
                    module="",
                    status=500,
                )
            doctype = self.doctype(first[3:] if entry is None else entry.get("options") or "")
        found = doctype.field(bare)
        return None if found is None else (doctype, found)


def known_doctype(call: Call, schema: Schema, name: str) -> DocType:
    found = schema.find(str(name))
    if found is None:
        call.raise_told(not_found("DocType", name))
    return schema[found]


def _names(field: Any) -> list[str]:
    if isinstance(field, list | dict):  # Frappe remembers what it read of a field, by the field
        told = f"unhashable type: '{type(field).__name__}'"
        raise Refusal("TypeError", told, module="", status=500)
    names = columns_of(field)
    if not names:
        raise Refusal("IndexError", "list index out of range", module="", status=500)
    return names


def check_safe(call: Call, fields: list[str]) -> None:
    """Refuses sub-queries, functions that tell of the server, and what looks like an injection."""
    restricted = "Use of sub-query or function is restricted"
    for field in fields:
        lower = field.lower().strip()
        if _SUSPECT.match(field):
            if lower.startswith("(") and lower[1:].lstrip().split(" ", 1)[0] in _STATEMENTS:
                call.refuse(restricted, "DataError")
            function = lower.split("(", 1)[0].rstrip()
            if function in _FUNCTIONS:
                call.refuse(f"Use of function {function} in field is restricted", "DataError")
            if "@" in lower:
                call.refuse(restricted, "DataError")
        if re.match(r"[0-9a-zA-Z]+\s*[',]", field) or _QUERY.match(field):
            call.refuse(restricted, "DataError")
        if _PREDICATE.match(field):
            call.refuse(restricted, "DataError")
