"""A list as version 16 makes it: its own checks, and a query of its own (frappe/database/query.py).

`fields` that a caller names are read by `selecting`, conditions are written by `criteria`; here
they come together with the tables that they need and with what the user may read.
"""

import re
from dataclasses import dataclass, field
from datetime import date
from typing import Any, NoReturn

from bascule.sandbox.core.access.access import Access
from bascule.sandbox.core.access.masks import mask_rows
from bascule.sandbox.core.access.permissions import ADMINISTRATOR, CORE
from bascule.sandbox.core.database.tables import Row, Tables, column, no_table, quoted, syntax_error
from bascule.sandbox.core.doctypes.schema import OPTIONAL, DocType, Schema
from bascule.sandbox.core.errors import Call, Refusal, bold, database_error
from bascule.sandbox.core.query.criteria import criteria
from bascule.sandbox.core.query.fields import FieldCheck, known_doctype
from bascule.sandbox.core.query.filters import literal
from bascule.sandbox.core.query.places import Place
from bascule.sandbox.core.query.query import Asked
from bascule.sandbox.core.query.selecting import Selected, selected
from bascule.sandbox.core.values import cint

_SIMPLE = re.compile(r"\w+")
_BACKTICKED = re.compile(r"`tab([\w\s-]+)`\.(`?)(\w+)\2")
_DIRECTIONS = ("asc", "desc")


@dataclass
class Engine:
    """`compat`: as the older API asks, where an empty column counts as nothing."""

    call: Call
    schema: Schema
    tables: Tables
    access: Access
    today: date
    asked: Asked
    compat: bool = True
    aliases: set[str] = field(default_factory=set)
    used: set[str] = field(default_factory=set)  # columns of the DocType itself
    broken: str = ""  # what of the conditions MariaDB cannot read
    _joins: dict[str, str] = field(default_factory=dict)
    _where: list[str] = field(default_factory=list)
    _counting: bool = False

    def answered(self) -> list[Any]:
        """Rows as dicts, or as tuples when the caller does not want dicts."""
        names, rows, chosen = self._run()
        if masked := self.access.permissions.masked(self.call.user, self.doctype):
            rows = mask_rows(masked, names, rows)
        if not self.asked.as_dict:
            return rows
        found = [dict(zip(names, row, strict=True)) for row in rows]
        for one in chosen:
            if one.rows is not None:
                self._add_rows(found, one)
        return found

    def counted(self) -> int:
        """How many rows the query has: none without a right to them."""
        self.asked.fields, self.asked.order_by = None, None
        self._counting = True
        return int(self._run()[1][0][0])

    def _run(self) -> tuple[list[str], list[tuple[Any, ...]], list[Selected]]:
        asked = self.asked
        self.doctype = known_doctype(self.call, self.schema, asked.doctype)
        if self.compat:
            self._check()
        if self.doctype.is_single or asked.doctype != self.doctype.name:
            # A table is found by its name as it is written.
            raise Refusal(
                "ProgrammingError", repr(("DocType", asked.doctype)), module="pymysql.err"
            )
        self._check_listable()
        chosen = selected(self, asked.fields)
        for given, alternatives in ((asked.filters, False), (asked.or_filters, True)):
            if found := criteria(self, given):
                self._where += [f"({' or '.join(found)})"] if alternatives else found
        limit = self._limit()
        group = self._grouped()
        order = self._ordered()
        self._permit()
        return *self._selected(chosen, group, order, limit), chosen

    def _check(self) -> None:
        """What the older API looks at before any query; it also changes places."""
        asked = self.asked
        check = FieldCheck(self.call, self.schema, self.access.permissions, self.doctype)
        as_filters = asked.fields if isinstance(asked.fields, dict) else None
        if asked.fields:
            asked.fields = check.fields(list(asked.fields), asked.parent)
        for given in filter(None, (asked.filters, asked.or_filters)):
            check.filters(given)
        if as_filters:  # Frappe takes the one for the other
            asked.filters, asked.fields = as_filters, asked.filters

    def refuse(self, doctype: str) -> NoReturn:
        told = f"Insufficient Permission for {bold(doctype)}"
        self.call.refuse(told, "PermissionError")

    def _check_listable(self) -> None:
        about = self.doctype
        if self.call.user == ADMINISTRATOR:
            return
        if about.is_child:
            if not self.asked.parent:
                self.refuse(about.name)
            parent = known_doctype(self.call, self.schema, str(self.asked.parent))
            if all(one.get("options") != about.name for one in parent.tables):
                self.refuse(about.name)
            about = parent
        if not self.may_select(about):
            self.refuse(self.doctype.name)

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

    def _permit(self) -> None:
        parent = self.asked.parent
        about = self.doctype
        if parent and parent != about.name:
            about = known_doctype(self.call, self.schema, parent)
            if about.is_single:
                return
            there = quoted(about.name)
            main = quoted(self.doctype.name)
            self._joins[about.name] = f"join {there} on {main}.`parent`={there}.`name`"
            self.used.add("parent")
        self._where += self._conditions(about)

    def _limit(self) -> str:
        limit, start = cint(self.asked.limit), cint(self.asked.start)
        for name, number in (("Limit", limit), ("Offset", start)):
            if number < 0:
                refusal = Refusal(
                    *("TypeError", f"{name} must be a non-negative integer"), module="", status=500
                )
                self.call.raise_told(refusal)
        if not limit:
            return "limit -1 offset " + str(start) if start else ""
        return f"limit {limit}" + (f" offset {start}" if start else "")

    def _grouped(self) -> str:
        given = self.asked.group_by
        parts = [part.strip() for part in str(given).split(",")] if given else []
        return ",".join(self._clause(part, "Group By") for part in parts if part)

    def _ordered(self) -> str:
        given, written = self.asked.order_by, []
        for part in map(str.strip, str(given).split(",") if given else ()):
            *names, last = part.split() or [""]
            direction = last.lower() if names and last.lower() in _DIRECTIONS else ""
            name = " ".join(names) if direction else part
            usual = "asc" if self.compat else "desc"
            if name:
                written.append(f"{self._clause(name, 'Order By')} {(direction or usual).upper()}")
        return ",".join(written)

    def _clause(self, name: str, clause: str) -> str:
        """A column to order or group by."""
        if name.isdigit():  # which is a name here, and no place
            return self.own(name)
        if name in self.aliases:
            return column(name)
        if "`" in name:
            match = _BACKTICKED.fullmatch(name)
            if match is None:
                self.call.refuse(f"{clause} has invalid backtick notation: {name}")
            doctype = known_doctype(self.call, self.schema, match[1])
            self.check_field(doctype, match[3])
            self.used.add(match[3])
            return Place(doctype, match[3]).sql
        if place := self.place(name):
            if place.link:
                self.check_field(self.doctype, place.link)
            self.check_field(place.doctype, place.name, place.parent)
            return self.join(place)
        if not _SIMPLE.fullmatch(name):
            self.call.refuse(
                f"Invalid field format in {clause}: {name}."
                " Use 'field', 'link_field.field', or 'child_table.field'."
            )
        self.check_field(self.doctype, name)
        return self.own(name)

    def _selected(
        self, chosen: list[Selected], group: str, order: str, limit: str
    ) -> tuple[list[str], list[tuple[Any, ...]]]:
        if not self.tables.has(self.doctype.name):
            raise no_table(self.doctype.name)
        main = quoted(self.doctype.name)
        texts = [self._column(one, main) for one in chosen if one.rows is None]
        texts = texts or [self.own("name")]
        source = " ".join([main, *self._joins.values()])
        by_itself = (
            ""
            if order or group or self._counting or any(one.sums for one in chosen)
            else self._by_itself()
        )
        shown = [
            f"SELECT {','.join(texts)} FROM {source}",
            f"WHERE {' AND '.join(self._where)}" if self._where else "",
            f"GROUP BY {group}" if group else "",
        ]
        parts = [*shown, f"ORDER BY {order or by_itself}" if order or by_itself else "", limit]
        told = [*shown, f"ORDER BY {order}" if order else "", limit.upper()]
        text = " ".join(filter(None, told))
        if not self._joins:  # a query of one table does not name it
            text = text.replace(f"{main}.", "")
        if self._counting:
            text = f"select count(*) from ( {text} ) p"
        if self.broken:
            rest = text[text.find(self.broken) :]
            refusal = syntax_error(rest if len(rest) <= 80 else f"{rest[:77]}...", 0)
            refusal.debug = f"Syntax error in query:\n{text} "
            raise refusal
        if self.asked.debug:
            self.call.debug += [text, "Execution time: 0.000 ms"]
        query = " ".join(filter(None, parts))
        if self._counting:
            query = f"select count(*) from ({query})"
        return self.tables.select(query, text)

    def _column(self, one: Selected, main: str) -> str:
        """With the name that MariaDB gives it: the text of the query, in which one table is not
        named."""
        shown = one.sql if self._joins else one.sql.replace(f"{main}.", "")
        return f'{one.sql} as "{shown}"' if one.bare else one.sql

    def _by_itself(self) -> str:
        """The order in which MariaDB comes upon the rows when it is asked for none.

        It reads the shortest index that holds all columns of the query, or else by name.
        """
        indexes = enumerate(self.doctype.indexes)
        covering = [(size, at, name) for at, (name, size) in indexes if self.used <= {name, "name"}]
        first = min(covering)[2] if covering else "name"
        main = quoted(self.doctype.name)
        return ", ".join(f"{main}.{column(name)}" for name in dict.fromkeys((first, "name")))

    def _add_rows(self, found: list[Row], one: Selected) -> None:
        """The rows of each document that were asked for with it: {"items": ["item_code"]}."""
        entry, fields = one.rows or ({}, [])
        child = self.schema[str(entry["options"])]
        for document in found if found and found[0].get("name") else ():
            rows = self.tables.rows(
                child.name,
                "`idx`",
                parent=document["name"],
                parentfield=entry["fieldname"],
                parenttype=self.doctype.name,
            )
            document[entry["fieldname"]] = [
                {name: row.get(name) for name in fields} for row in rows
            ]
