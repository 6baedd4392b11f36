"""The query of a list of version 16, with its own checks; follows frappe/database/query.py.

`selecting` reads the fields that a caller names, `criteria` writes the conditions, `context` holds
the joined tables and the user's rights.
"""

import re
from dataclasses import dataclass
from typing import Any

from bascule.sandbox.core.access.masks import mask_rows
from bascule.sandbox.core.access.permissions import ADMINISTRATOR
from bascule.sandbox.core.database.tables import Row, column, no_table, quoted, syntax_error
from bascule.sandbox.core.errors import Refusal
from bascule.sandbox.core.query.context import QueryContext
from bascule.sandbox.core.query.criteria import criteria
from bascule.sandbox.core.query.fields import FieldCheck, known_doctype
from bascule.sandbox.core.query.places import Place
from bascule.sandbox.core.query.selecting import Selected, selected
from bascule.sandbox.core.values import cint

_SIMPLE = re.compile(r"\w+")
_BACKTICKED = re.compile(r"`tab([\w\s-]+)`\.(`?)(\w+)\2")
_DIRECTIONS = ("asc", "desc")


@dataclass
class Engine(QueryContext):
    """Runs the query and gives its rows."""

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
