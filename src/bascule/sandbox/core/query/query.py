"""A list as Frappe makes it: its checks, the query, and what MariaDB answers to it.

The text that is run is the text that Frappe would send, as far as SQLite takes it; the one that
Frappe would send is kept beside it, for `debug` and for errors.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from bascule.sandbox.core.access.access import Access
from bascule.sandbox.core.access.masks import mask_rows
from bascule.sandbox.core.database.tables import Tables, no_table, quoted, syntax_error
from bascule.sandbox.core.doctypes.schema import OPTIONAL, DocType, Schema
from bascule.sandbox.core.errors import Call, Refusal
from bascule.sandbox.core.query.counting import count_condition
from bascule.sandbox.core.query.fields import FieldCheck, check_safe, columns_of, known_doctype
from bascule.sandbox.core.query.filters import (
    Condition,
    condition,
    conjunction,
    filter_tuple,
    literal,
)
from bascule.sandbox.core.values import cint

_AGGREGATES = ("count(", "min(", "max(", "sum(", "avg(")
_NO_TABLE = ("dayofyear(", "extract(", "locate(", "strpos(", "count(", "sum(", "avg(")
_ILLEGAL_ORDER = re.compile(r".*[^a-z0-9-_ ,`'\"\.\(\)].*")


@dataclass
class Asked:
    """What a caller wants listed; `limit` None or 0 means all."""

    doctype: str
    fields: Any = None
    filters: Any = None
    or_filters: Any = None
    order_by: Any = None
    group_by: Any = None
    start: Any = None
    limit: Any = 20
    parent: str | None = None
    as_dict: Any = True
    debug: Any = False


@dataclass
class _Linked:
    """A table joined because a field is reached through a Link."""

    doctype: str
    fieldname: str
    alias: str


@dataclass
class ListQuery:
    call: Call
    schema: Schema
    tables: Tables
    access: Access
    today: date
    asked: Asked
    fields: list[str] = field(default_factory=list)
    _children: list[str] = field(default_factory=list)
    _linked: list[_Linked] = field(default_factory=list)
    _conditions: list[Condition] = field(default_factory=list)
    _counting: bool = False

    def answered(self) -> list[Any]:
        """Rows as dicts, or as tuples when the caller does not want dicts."""
        asked = self.asked
        self.doctype = known_doctype(self.call, self.schema, asked.doctype)
        self._check()
        self.access.check_list(self.call, self.doctype, asked.parent)
        if self.doctype.is_single or asked.doctype != self.doctype.name:
            # A table is found by its name as it is written.
            raise Refusal(
                "ProgrammingError", repr(("DocType", asked.doctype)), module="pymysql.err"
            )
        self._resolve_fields()
        check_safe(self.call, self.fields)
        self._join_children()
        conditions = self._where()
        self._keep_readable()
        if not self.fields:
            return []
        sql, shown = self._texts(conditions)
        names, rows = self.tables.select(sql, shown)
        if asked.debug:
            self.call.debug += ["Execution time: 0.00 sec", shown]
        if masked := self.access.permissions.masked(self.call.user, self.doctype):
            rows = mask_rows(masked, names, rows)
        if not asked.as_dict:
            return rows
        return [dict(zip(names, row, strict=True)) for row in rows]

    def counted(self) -> int:
        """How many documents the filters leave, for anybody: Frappe asks for no permission here."""
        known = self.schema.find(self.asked.doctype)
        if known is None:
            raise no_table(self.asked.doctype)
        self.doctype = self.schema[known]
        self._counting = True
        given = _listed(self.doctype.name, self.asked.filters or [])
        conditions = [count_condition(self, self.doctype.name, one) for one in given]
        where = conjunction(conditions)
        shown = " and ".join(one.shown for one in conditions)
        count = f"count(distinct {quoted(self.doctype.name)}.`name`)"
        source = self._source()
        sql, shown = (_text(count, source, one, "", "", "") for one in (where, shown))
        return int(self.tables.select(sql, shown)[1][0][0])

    def joined(self, doctype: str) -> DocType:
        """A condition's DocType: its table takes part in the query from now on."""
        found = known_doctype(self.call, self.schema, doctype)
        if found.name != self.doctype.name and found.name not in self._children:
            self._join(found)
        return found

    def _check(self) -> None:
        asked = self.asked
        check = FieldCheck(self.call, self.schema, self.access.permissions, self.doctype)
        as_filters = None
        if asked.fields:
            as_filters = asked.fields if isinstance(asked.fields, dict) else None
            asked.fields = check.fields(list(asked.fields), asked.parent)
        if asked.filters:
            check.filters(asked.filters)
        if asked.or_filters:
            check.filters(asked.or_filters)
        if as_filters:  # Frappe takes the one for the other
            asked.filters, asked.fields = as_filters, asked.filters
        given = asked.fields or [f"{quoted(self.doctype.name)}.`name`"]
        self.fields = [entry for entry in given if entry]

    def _resolve_fields(self) -> None:
        """`table.field` becomes the child's column, `link.field` one of a table joined for it."""
        for position, given in enumerate(self.fields):
            if "." not in given:
                continue
            path, _, alias = given.partition(" as ")
            first, _, name = path.partition(".")
            entry = self.doctype.field(first)
            if entry is None:
                continue
            if entry["fieldtype"] == "Link":
                place = f"{quoted(self._link(entry['options'], first))}.`{name}`"
            else:
                place = f"{quoted(entry.get('options') or '')}.`{name}`"
            self.fields[position] = f"{place} as {alias}" if alias else place

    def _link(self, doctype: str, fieldname: str) -> str:
        for linked in self._linked:
            if (linked.doctype, linked.fieldname) == (doctype, fieldname):
                return linked.alias
        found = known_doctype(self.call, self.schema, doctype)
        self.access.check_list(self.call, found)
        number = sum(linked.doctype == doctype for linked in self._linked) + 1
        self._linked.append(_Linked(doctype, fieldname, f"{doctype}_{number}"))
        return self._linked[-1].alias

    def _join_children(self) -> None:
        aliases = {linked.alias for linked in self._linked}
        for given in self.fields:
            match = re.match(r"\s*(?:distinct\s+)?`?tab([^`.]+)`?\.", given)
            if match and match[1] not in (self.doctype.name, *aliases, *self._children):
                self._join(known_doctype(self.call, self.schema, match[1]))
            elif match is None:
                self._take_for_a_table(given)

    def _take_for_a_table(self, given: str) -> None:
        """What stands before the first dot is a table's name to Frappe, but for some functions."""
        if "tab" not in given or "." not in given or any(word in given for word in _NO_TABLE):
            return
        before = given.split(".", 1)[0].removeprefix("group_concat(").removeprefix("GROUP_CONCAT(")
        table = before if before.startswith("`") else f"`{before}`"
        if table[4:-1] != self.doctype.name:
            known_doctype(self.call, self.schema, table[4:-1])

    def _join(self, doctype: DocType) -> None:
        if not self._counting:
            self.access.check_list(self.call, doctype, self.doctype.name)
        self._children.append(doctype.name)

    def _where(self) -> tuple[str, str]:
        filters, alternatives = self.asked.filters or [], self.asked.or_filters or []
        name = self.doctype.name
        both = [
            [condition(self, name, one) for one in _listed(name, given)]
            for given in (filters, alternatives)
        ]
        self._conditions = both[0] + both[1]
        found, shown = list(both[0]), [one.shown for one in both[0]]
        if both[1]:
            found.append(Condition(f"({' or '.join(one.sql for one in both[1])})", "", name, ""))
            shown.append(f"({' or '.join(one.shown for one in both[1])})")
        matched = self.access.match(self.call.user, self.doctype)
        if matched[0]:
            found.append(Condition(matched[0], "", name, ""))
            shown.append(matched[1])
        return conjunction(found), " and ".join(shown)

    def _keep_readable(self) -> None:
        """Fields that the user may not read are left out; of arrays, their places too."""
        readable = self.access.permissions.readable(self.call.user, self.doctype, self.asked.parent)
        kept: list[str] = []
        aliases = {f"tab{linked.alias}": linked.doctype for linked in self._linked}
        for given in self.fields:
            names = columns_of(given)
            if names == ["*"] and "(" not in given:
                kept += readable
                continue
            # Of a function of many columns Frappe judges the first alone.
            if all(self._may_read(name, readable, aliases) for name in names[:1]):
                kept.append(given)
            elif not self.asked.as_dict:
                kept.append("NULL")
        self.fields = kept

    def _may_read(self, name: str, readable: list[str], aliases: dict[str, str]) -> bool:
        if name in readable or name in OPTIONAL or name == "*" or name.isnumeric():
            return True
        table, dot, bare = name.rpartition(".")
        if not dot:
            return False
        about = aliases.get(table, table.removeprefix("tab"))
        if about not in self.schema:
            raise Refusal("PermissionError", about)
        doctype = self.schema[about]
        return bare in self.access.permissions.readable(self.call.user, doctype, self.doctype.name)

    def _source(self) -> str:
        """The DocType's table and those that are joined to it."""
        main = quoted(self.doctype.name)
        source = main
        for child in map(quoted, self._children):
            source += (
                f" left join {child} on ({child}.parenttype = {literal(self.doctype.name)}"
                f" and {child}.parent = {main}.name)"
            )
        for linked in self._linked:
            alias = quoted(linked.alias)
            source += (
                f" left join {quoted(linked.doctype)} {alias}"
                f" on ({alias}.`name` = {main}.`{linked.fieldname}`)"
            )
        return source

    def _texts(self, conditions: tuple[str, str]) -> tuple[str, str]:
        """The query for SQLite, and as Frappe writes it."""
        asked, source, selected = self.asked, self._source(), self._selected()
        order = self._checked(asked.order_by)
        group = self._checked(asked.group_by)
        limit = self._limit()
        shown = _text(", ".join(selected), source, conditions[1], group, order, limit)
        if match := re.search(r"-\d+", limit):
            raise syntax_error(shown, shown.rfind(match[0]))
        if not order and not group and not self._aggregated():
            order = self._by_itself()
        named = ", ".join(map(_named, selected))
        return _text(named, source, conditions[0], group, order, limit), shown

    def _selected(self) -> list[str]:
        joins = bool(self._children or self._linked)
        texts = []
        for given in self.fields:
            entry = given
            if joins and "." not in given and not given.lower().startswith(_AGGREGATES):
                entry = "NULL" if given == "NULL" else f"{quoted(self.doctype.name)}.{given}"
            low = entry.strip().lower()
            if low[0] in "`*\"'" or "(" in low or "distinct" in low or entry == "NULL":
                texts.append(entry)
            elif "as" in low.split(" "):
                name, _, alias = entry.split()
                texts.append(f"`{name}` as {alias}")
            else:
                texts.append(f"`{entry}`")
        return texts

    def _checked(self, given: Any) -> str:
        """An `order_by` or `group_by`: no sub-query, no strange characters, no table but ours."""
        if not given:
            return ""
        text, low = str(given), str(given).lower()
        if "select" in low and "from" in low:
            self.call.refuse("Cannot use sub-query in order by")
        if _ILLEGAL_ORDER.match(low):
            self.call.refuse("Illegal SQL Query")
        tables = [quoted(self.doctype.name), *map(quoted, self._children)]
        for part in map(str.strip, text.split(",")):
            table = part.split(".", 1)[0]
            if "." in part and part.startswith("`tab") and table not in tables:
                told = f"Please select atleast 1 column from {table[4:-1]} to sort/group"
                self.call.refuse(told)
            if part.split("(", 1)[0].rstrip().lower() == "sleep":
                self.call.refuse(f"Cannot use {part} in order/group by")
        return text

    def _limit(self) -> str:
        limit = cint(self.asked.limit) if self.asked.limit else 0
        return f"limit {limit} offset {cint(self.asked.start)}" if limit else ""

    def _aggregated(self) -> bool:
        aggregates = (*_AGGREGATES, "bit_xor(")
        return any(given.lower().lstrip().startswith(aggregates) for given in self.fields)

    def _by_itself(self) -> str:
        """The order in which MariaDB comes upon the rows when it is asked for none.

        It reads the shortest index that holds all columns of the query, or else by name.
        """
        main = f"tab{self.doctype.name}"
        wanted = {one.column for one in self._conditions if one.doctype == self.doctype.name}
        for given in self.fields:
            for name in columns_of(given):
                table, _, bare = name.rpartition(".")
                if table in ("", main):
                    wanted.add(bare)
        wanted |= {linked.fieldname for linked in self._linked}
        covering = [
            (size, place, name)
            for place, (name, size) in enumerate(self.doctype.indexes)
            if wanted <= {name, "name"}
        ]
        first = min(covering)[2] if covering else "name"
        table = quoted(self.doctype.name)
        return ", ".join(f"{table}.`{name}`" for name in dict.fromkeys((first, "name")))


def _named(expression: str) -> str:
    """With the name that it has by itself: SQLite orders by a name only where it is given."""
    match = re.fullmatch(r"`[^`]+`\.`?(\w+)`?", expression)
    return f"{expression} as `{match[1]}`" if match else expression


def _listed(doctype: str, filters: Any) -> Sequence[Any]:
    if isinstance(filters, dict):
        return [filter_tuple(doctype, name, value) for name, value in filters.items()]
    return list(filters)


def _text(selected: str, source: str, where: str, group: str, order: str, limit: str) -> str:
    lines = [
        f"select {selected}",
        f"from {source}",
        f"where {where}" if where else "",
        f" group by {group}" if group else "",
        f" order by {order}" if order else "",
        limit,
    ]
    return "\n\t\t\t".join(lines).strip()
