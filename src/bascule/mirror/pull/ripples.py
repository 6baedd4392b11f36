"""Which mirrored documents to look at again because of what changed beside them.

The rules are `bascule.frappe.side_effects`; the fields that name documents are read from the rows
that are here already, so the site is asked nothing for it.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from psycopg import AsyncConnection, sql

from bascule.frappe.side_effects import SIDE_EFFECTS, SideEffect
from bascule.mirror.schema.columns import Column

_COLUMNS = """
SELECT obj_description(c.oid, 'pg_class'), c.relname, col_description(a.attrelid, a.attnum),
       a.attname, format_type(a.atttypid, null)
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
 WHERE n.nspname = %s AND c.relkind = 'r' AND obj_description(c.oid, 'pg_class') = ANY(%s)
   AND col_description(a.attrelid, a.attnum) = ANY(%s)"""


class _Place:
    """A DocType's table: its name, and the columns of the fields that rules speak of."""

    def __init__(self, schema: str, name: str) -> None:
        self.table = sql.Identifier(schema, name)
        self.columns: dict[str, Column] = {}

    def text(self, alias: str, field: str) -> sql.Composable:
        """The field as text; an index on a text column is used."""
        column = self.columns[field]
        named = sql.Identifier(alias, column.name)
        return named if column.type == "text" else sql.SQL("{}::text").format(named)


async def moved_by(
    conn: AsyncConnection,
    schema: str,
    doctype: str,
    names: Sequence[str],
    *,
    stamped: bool = False,
) -> dict[str, set[str]]:
    """Names of mirrored documents, by DocType, that may have moved with these of `doctype`.

    They are to be fetched by name; one that the site does not give is gone. `stamped`: also those
    whose `modified` moved, which an incremental pull finds by itself.
    """
    rules = [rule for rule in SIDE_EFFECTS.get(doctype, ()) if stamped or not rule.stamped]
    found: dict[str, set[str]] = defaultdict(set)
    if not rules or not names:
        return found
    places = await _places(conn, schema, doctype, rules)
    for rule in rules:
        query = _query(places, doctype, rule)
        if query is None:  # it or its rows are not mirrored
            continue
        rows = await conn.execute(query, {"names": list(names), "of": doctype, "to": rule.to})
        found[rule.to].update(str(name) for (name,) in await rows.fetchall())
    found[doctype] -= set(names)  # they were fetched a moment ago
    return {name: moved for name, moved in found.items() if moved}


async def _places(
    conn: AsyncConnection, schema: str, doctype: str, rules: Iterable[SideEffect]
) -> dict[str, _Place]:
    tables = {doctype}
    fields = {"name", "parent", "parenttype"}
    for rule in rules:
        tables |= {rule.to, rule.rows, rule.held} - {""}
        fields |= {*rule.named, *rule.by, rule.after, rule.when[0] if rule.when else ""} - {""}
    rows = await conn.execute(_COLUMNS, [schema, sorted(tables), sorted(fields)])
    places: dict[str, _Place] = {}
    for about, table, field, column, kind in await rows.fetchall():
        place = places.setdefault(about, _Place(schema, table))
        place.columns[field] = Column(field, column, kind)
    return places


def _query(places: Mapping[str, _Place], doctype: str, rule: SideEffect) -> sql.Composed | None:
    """From `s`, rows of what changed, to `t`, what moved, or by `h`, rows of it."""
    source = places.get(rule.rows or doctype)
    target = places.get(rule.held or rule.to)
    there = places.get(rule.to)
    if source is None or target is None or there is None or not _knows(source, target, rule):
        return None
    conditions: list[sql.Composable] = [
        sql.SQL("{} = {}").format(target.text("t", by), source.text("s", named))
        for named, by in zip(rule.named, rule.by, strict=True)
    ]
    if rule.rows:
        of = sql.SQL("{} = ANY(%(names)s) AND {} = %(of)s")
        conditions.append(of.format(source.text("s", "parent"), source.text("s", "parenttype")))
    else:
        conditions.append(sql.SQL("{} = ANY(%(names)s)").format(source.text("s", "name")))
    if rule.when:
        field, value = rule.when
        conditions.append(sql.SQL("{} = {}").format(source.text("s", field), value))
    if rule.after:
        later = sql.Identifier("t", target.columns[rule.after].name)
        conditions.append(
            sql.SQL("{} > {}").format(later, sql.Identifier("s", source.columns[rule.after].name))
        )
    if rule.held:
        conditions.append(sql.SQL("{} = %(to)s").format(target.text("t", "parenttype")))
    conditions.append(sql.SQL("t._deleted_at IS NULL"))
    return sql.SQL("SELECT DISTINCT {} FROM {} s JOIN {} t ON {}").format(
        target.text("t", "parent" if rule.held else "name"),
        source.table,
        target.table,
        sql.SQL(" AND ").join(conditions),
    )


def _knows(source: _Place, target: _Place, rule: SideEffect) -> bool:
    when = {rule.when[0]} if rule.when else set()
    after = {rule.after} - {""}
    ours = {*rule.named, *when, *after, *(("parent", "parenttype") if rule.rows else ("name",))}
    theirs = {*rule.by, *after, *(("parent", "parenttype") if rule.held else ("name",))}
    return ours <= source.columns.keys() and theirs <= target.columns.keys()
