"""Puts the views into a connection's schema, and only those whose definition changed.

A table's comment names its DocType and a column's comment its field (see
`bascule.mirror.schema.migration`), so renamed columns are found.
"""

import hashlib
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from psycopg.sql import SQL, Composed, Identifier, Literal

from bascule.errors import Conflict
from bascule.mirror.schema.names import identifier
from bascule.mirror.views.sources import FIELDS, MirroredTable, Sources, TableColumn
from bascule.mirror.views.view import VIEWS, View

Connection = AsyncConnection[TupleRow]

_COLUMNS = """
select c.relname, coalesce(obj_description(c.oid, 'pg_class'), ''), a.attname,
       coalesce(col_description(c.oid, a.attnum), ''), format_type(a.atttypid, null),
       coalesce(l.collname, 'default')
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  left join pg_collation l on l.oid = a.attcollation
 where n.nspname = %s and c.relkind in ('r', 'p')
 order by c.relname, a.attnum"""

# Returns null for a text that is no such value. Strict: a null costs no call.
_SAFE_CAST = """
create or replace function {name} (value text) returns {type}
language plpgsql stable strict parallel safe as $$
begin
    return value::{type};
exception when data_exception then
    return null;
end $$"""


# The owner has all rights anyway, and gets them with the view.
_GRANTS = """
select c.relname, a.privilege_type, r.rolname, a.is_grantable
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  cross join aclexplode(c.relacl) a
  left join pg_roles r on r.oid = a.grantee
 where n.nspname = %s and c.relname = any (%s) and a.grantee <> c.relowner"""


@dataclass(frozen=True, slots=True)
class _Planned:
    view: View
    sql: str
    mark: str  # the end of the view's comment; changes with the definition
    missing: frozenset[str]
    safe_casts: frozenset[str]


async def rebuild_views(
    conn: Connection,
    *,
    schema: str,
    columns: Mapping[str, Mapping[str, str]] | None = None,
    include_disabled: bool | None = None,
    warehouse_filter: list[str] | None = None,
    renamed: Mapping[str, Mapping[str, str]] | None = None,
) -> list[str]:
    """Bring the schema's views up to its tables and settings; the names of those made anew.

    In the caller's transaction. What is not given is read: `columns` (table -> column -> type) and
    `renamed` (DocType -> field -> column) from the schema, the settings from its connection.
    Conflict if somebody's own view stands in the way. A schema that is not there yet gets no views.
    """

    async def outdated() -> list[_Planned]:
        tables = await _tables(conn, schema, columns, renamed or {})
        disabled, warehouses = await _settings(conn, schema)
        disabled = disabled if include_disabled is None else include_disabled
        warehouses = warehouses if warehouse_filter is None else warehouse_filter
        marks = await _marks(conn, schema)
        planned = _plan(schema, tables, disabled, warehouses)
        return [plan for plan in planned if not marks.get(plan.view.name, "").endswith(plan.mark)]

    schemas = await conn.execute("select from pg_namespace where nspname = %s", [schema])
    if await schemas.fetchone() is None or not await outdated():
        return []
    # Two streams of one connection may end at the same moment, or its settings change.
    await conn.execute("select pg_advisory_xact_lock(hashtextextended(%s, 1))", [f"views:{schema}"])
    plans = await outdated()
    for wanted in sorted(set().union(*(plan.safe_casts for plan in plans))):
        function = Identifier(schema, f"{wanted}_or_null")
        await conn.execute(SQL(_SAFE_CAST).format(name=function, type=SQL(wanted)))
    for plan in plans:
        await _make(conn, schema, plan)
    return [plan.view.name for plan in plans]


@asynccontextmanager
async def views_aside(conn: Connection, schema: str) -> AsyncIterator[None]:
    """Inside, the views are out of the way of a change of the tables underneath; afterwards
    they are back, with what was granted on them.

    All of it in the caller's transaction: who reads a view meanwhile waits, and finds it.
    """
    there = await _marks(conn, schema)
    grants = await conn.execute(_GRANTS, [schema, list(there)])
    granted = await grants.fetchall()
    for name in there:
        await _drop(conn, schema, name)
    yield
    if there:
        await rebuild_views(conn, schema=schema)
    for view, privilege, role, further in granted:
        grant = SQL("grant {} on {} to {}{}").format(
            SQL(privilege),
            Identifier(schema, view),
            SQL("public") if role is None else Identifier(role),
            SQL(" with grant option" if further else ""),
        )
        await conn.execute(grant)


async def missing(
    conn: Connection, *, schema: str, renamed: Mapping[str, Mapping[str, str]] | None = None
) -> dict[str, list[str]]:
    """View -> the DocTypes and fields ("Item Price", "Item.end_of_life") that it lacks."""
    tables = await _tables(conn, schema, None, renamed or {})
    planned = _plan(schema, tables, False, [])
    return {plan.view.name: sorted(plan.missing) for plan in planned if plan.missing}


async def _tables(
    conn: Connection,
    schema: str,
    columns: Mapping[str, Mapping[str, str]] | None,
    renamed: Mapping[str, Mapping[str, str]],
) -> dict[str, MirroredTable]:
    """The tables that views read, by DocType."""
    if columns is None:
        rows = await (await conn.execute(_COLUMNS, [schema])).fetchall()
    else:
        rows = [
            (table, "", column, "", kind, "default")
            for table, found_there in columns.items()
            for column, kind in found_there.items()
        ]
    doctype_of = {identifier(doctype): doctype for doctype in FIELDS}
    found: dict[str, tuple[str, dict[str, TableColumn]]] = {}
    for table, comment, column, fieldname, kind, collation in rows:
        doctype = comment if comment in FIELDS else doctype_of.get(table) if not comment else None
        if doctype is None:
            continue
        fields = found.setdefault(doctype, (table, {}))[1]
        fields[fieldname or column] = TableColumn(column, kind, collation)
    for doctype, (_, fields) in found.items():
        by_name = {column.name: column for column in fields.values()}
        for fieldname, name in renamed.get(doctype, {}).items():
            if name in by_name:
                fields[fieldname] = by_name[name]
    return {doctype: MirroredTable(table, fields) for doctype, (table, fields) in found.items()}


def _plan(
    schema: str,
    tables: dict[str, MirroredTable],
    include_disabled: bool,
    warehouse_filter: list[str],
) -> list[_Planned]:
    planned = []
    for view in VIEWS.values():
        sources = Sources(schema, tables, include_disabled, warehouse_filter)
        text = view.query(sources).as_string(None).strip()
        casts = frozenset(sources.safe_casts)
        digest = hashlib.sha256(repr((text, view.what, view.columns)).encode()).hexdigest()[:16]
        planned.append(_Planned(view, text, f"[{digest}]", frozenset(sources.missing), casts))
    return planned


async def _marks(conn: Connection, schema: str) -> dict[str, str]:
    """The comments of our views that are there, by name."""
    rows = await conn.execute(
        """
        select c.relname, coalesce(obj_description(c.oid, 'pg_class'), '')
          from pg_class c join pg_namespace n on n.oid = c.relnamespace
         where n.nspname = %s and c.relkind = 'v' and c.relname = any (%s)
        """,
        [schema, list(VIEWS)],
    )
    return dict(await rows.fetchall())


async def _settings(conn: Connection, schema: str) -> tuple[bool, list[str]]:
    """What the schema's connection shows; everything, where it is no connection's."""
    found = await conn.execute(
        "select include_disabled, warehouse_filter from bascule.connections where slug = %s",
        [schema],
    )
    return await found.fetchone() or (False, [])


async def _make(conn: Connection, schema: str, plan: _Planned) -> None:
    """Replace where the columns allow it: grants, and views that others put on top, then stay."""
    name = Identifier(schema, plan.view.name)
    create = Composed([SQL("create or replace view {} as\n").format(name), SQL(plan.sql)])
    try:
        async with conn.transaction():
            await conn.execute(create)
    except (psycopg.errors.InvalidTableDefinition, psycopg.errors.FeatureNotSupported):
        await _drop(conn, schema, plan.view.name)
        await conn.execute(create)
    except psycopg.errors.WrongObjectType:
        raise Conflict(
            f"The schema {schema} has a table named {plan.view.name}, where a view belongs.",
            next_step=f'ALTER TABLE "{schema}"."{plan.view.name}" RENAME TO another_name.',
        ) from None
    comment = SQL("comment on view {} is {}")
    await conn.execute(comment.format(name, Literal(f"{plan.view.what} {plan.mark}")))
    for column in plan.view.columns:
        await conn.execute(
            SQL("comment on column {} is {}").format(
                Identifier(schema, plan.view.name, column.name),
                Literal(f"{column.what}. {column.source}"),
            )
        )


async def _drop(conn: Connection, schema: str, name: str) -> None:
    with others_in_the_way(f"The view {schema}.{name}"):
        await conn.execute(SQL("drop view if exists {}").format(Identifier(schema, name)))


@contextmanager
def others_in_the_way(what: str) -> Iterator[None]:
    """Conflict, where PostgreSQL does not change something because of what others made of it."""
    try:
        yield
    except (
        psycopg.errors.DependentObjectsStillExist,
        psycopg.errors.FeatureNotSupported,  # what it says of a column's type
    ) as error:
        raise Conflict(
            f"{what} has to change, and others depend on it: {error.diag.message_detail}.",
            next_step="Drop your own views on top of it, sync, and make them again.",
        ) from None
