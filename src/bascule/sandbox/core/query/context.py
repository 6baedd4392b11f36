"""A list of version 16 while it is made: rights to its columns, and the tables that it joins.

`criteria` and `selecting` read what the caller asked for; `engine` runs the query.
"""

import re
from dataclasses import dataclass, field
from datetime import date
from typing import NoReturn

from bascule.sandbox.core.access.access import Access
from bascule.sandbox.core.access.permissions import ADMINISTRATOR, CORE
from bascule.sandbox.core.database.tables import Tables, column, quoted
from bascule.sandbox.core.doctypes.schema import OPTIONAL, DocType, Schema
from bascule.sandbox.core.errors import Call, bold, database_error
from bascule.sandbox.core.query.fields import known_doctype
from bascule.sandbox.core.query.filters import literal
from bascule.sandbox.core.query.places import Place
from bascule.sandbox.core.query.query import Asked


@dataclass
class QueryContext:
    """One list: who asks for what, and the tables and conditions that the query has so far.

    `compat`: asked by the older API, in which an empty column counts as nothing.
    `used`: columns of the listed DocType. `broken`: what of a condition MariaDB cannot read.
    """

    call: Call
    schema: Schema
    tables: Tables
    access: Access
    today: date
    asked: Asked
    compat: bool = True
    aliases: set[str] = field(default_factory=set)
    used: set[str] = field(default_factory=set)
    broken: str = ""
    doctype: DocType = field(init=False)
    _joins: dict[str, str] = field(default_factory=dict)
    _where: list[str] = field(default_factory=list)

    def refuse(self, doctype: str) -> NoReturn:
        told = f"Insufficient Permission for {bold(doctype)}"
        self.call.refuse(told, "PermissionError")

    def may_select(self, doctype: DocType) -> bool:
        user = self.call.user
        return any(self.access.may_list(user, doctype, right) for right in ("select", "read"))

    def selects_only(self, doctype: DocType) -> bool:
        return self.access.permissions.selects_only(self.call.user, doctype)

    def may_field(
        self, doctype: DocType, name: str, parent: str | None = None, *, filtering: bool = False
    ) -> bool:
        """Whether that user may ask for the column, or filter and order by it."""
        if name in OPTIONAL:
            return True
        if doctype.name in CORE:
            return name in doctype.kinds
        if filtering and not doctype.is_child and self.selects_only(doctype):
            levels = {entry["fieldname"] for entry in doctype.stored if not entry.get("permlevel")}
            return name in levels or (name in doctype.columns and doctype.field(name) is None)
        return name in self.access.permissions.readable(self.call.user, doctype, parent)

    def check_field(
        self, doctype: DocType, name: str, parent: str | None = None, *, filtering: bool = True
    ) -> None:
        """403 about the field unless the user may, where there are any rights to look at."""
        held = doctype
        if doctype.is_child and parent and parent in self.schema:
            held = self.schema[parent]
        if not held.permissions:
            return
        about = bold(f"{doctype.name}.{name}")
        if parent and parent in self.schema and self.selects_only(self.schema[parent]):
            told = f"You do not have permission to access child table field: {about}"
            self.call.refuse(told, "PermissionError")
        if not self.may_field(doctype, name, parent, filtering=filtering):
            told = f"You do not have permission to access field: {about}"
            self.call.refuse(told, "PermissionError", title="Permission Error")

    def place(self, text: str, *, tabs: bool = False) -> Place | None:
        """What `link.field`, `table.field` and, with `tabs`, `tabRow.field` stand for."""
        match = re.fullmatch(r"[`\"]?tab([\w\s]+)[`\"]?\.([`\"]?)(\w+)\2", text) if tabs else None
        if match:
            if match[1] == self.doctype.name:
                return None
            return Place(known_doctype(self.call, self.schema, match[1]), match[3], table="")
        first, dot, name = text.partition(".")
        words = all(part.replace("_", "").isalnum() for part in (first, name))
        entry = self.doctype.field(first) if dot and words else None
        if entry is None or entry.get("options") not in self.schema:
            return None
        linked = self.schema[str(entry["options"])]
        if entry["fieldtype"] == "Link":
            return Place(linked, name, link=first)
        if entry in self.doctype.tables:
            return Place(linked, name, table=first, parent=self.doctype.name)
        return None

    def join(self, place: Place) -> str:
        """The column, whose table takes part in the query from now on."""
        name = place.doctype.name
        there, main = quoted(name), quoted(self.doctype.name)
        if name in self._joins:
            return place.sql
        if place.link:
            if name == self.doctype.name:
                told = f"Not unique table/alias: 'tab{name}'"
                raise database_error("OperationalError", 1066, told)
            self.used.add(place.link)
            self._joins[name] = f"left join {there} on {there}.`name`={main}.{column(place.link)}"
            self._where += self._conditions(place.doctype)
        else:
            self._joins[name] = (
                f"left join {there} on {there}.`parent`={main}.`name`"
                f" and {there}.`parenttype`={literal(self.doctype.name)}"
            )
            if place.table:
                self._joins[name] += f" and {there}.`parentfield`={literal(place.table)}"
        return place.sql

    def own(self, name: str) -> str:
        """A column of the DocType that is listed."""
        self.used.add(name)
        return f"{quoted(self.doctype.name)}.{column(name)}"

    def _conditions(self, doctype: DocType) -> list[str]:
        """What the user sees of that DocType; 403 where that is nothing."""
        if self.call.user == ADMINISTRATOR:
            return []
        if not self.may_select(doctype):
            self.refuse(doctype.name)
        matched = self.access.match(self.call.user, doctype)[0]
        return [matched] if matched else []
