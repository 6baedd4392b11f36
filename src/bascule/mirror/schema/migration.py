"""The mirror's tables: made, migrated and widened to fit what the site holds.

One schema a connection, one table a DocType. A table's comment names its DocType and a column's
comment its field, so that names can differ from the site's and still be found again. Types only
ever widen, and at the end of that road is text, which holds everything.
"""

from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from itertools import chain

from psycopg import AsyncConnection, sql

from bascule.frappe.checksums import CHECKSUM, row_checksum
from bascule.mirror import views
from bascule.mirror.schema.columns import Column, TableSchema
from bascule.mirror.schema.names import table_name
from bascule.mirror.schema.plan import Plan, plan_table, wider_type
from bascule.mirror.schema.readers import admit_reader
from bascule.mirror.schema.widening import widen_column

_SAME_NAME = {"timestamp without time zone": "timestamp", "time without time zone": "time"}


@dataclass(slots=True)
class Table:
    """`columns`: those that are asked of the site and compared, in that order; a checksum of the
    others may be last. The table may have more. `levelled`: those of a permission level in a child,
    which only its parents give.
    """

    schema: str
    name: str
    doctype: str
    columns: tuple[Column, ...]
    child: bool = False
    levelled: tuple[str, ...] = ()

    @property
    def through_parents(self) -> bool:
        """How rows of a child are asked for, see `Site.page`."""
        return bool(self.levelled)

    @property
    def identifier(self) -> sql.Identifier:
        return sql.Identifier(self.schema, self.name)

    @property
    def fields(self) -> tuple[str, ...]:
        return tuple(column.field for column in self.columns)

    @property
    def values(self) -> tuple[Column, ...]:
        """The columns of the DocType's own fields."""
        return tuple(column for column in self.columns if column.name != CHECKSUM)

    @property
    def checksum(self) -> Column | None:
        return next((column for column in self.columns if column.name == CHECKSUM), None)

    def with_checksum(self) -> "Table":
        """The same, and the site is asked for a checksum of each row, which is kept beside it."""
        checksum = row_checksum([column.field for column in self.values])
        return replace(self, columns=(*self.values, Column(checksum, CHECKSUM, "bigint")))

    @property
    def types(self) -> tuple[str, ...]:
        return tuple(column.base_type for column in self.columns)


@dataclass(slots=True)
class Tables:
    """The tables of one stream. `added`: DocTypes that got columns their existing rows lack the
    site's values for. `told`: what was changed of columns that were there, and which have another
    name than their fields. `gone`: fields ("Task.colour") that the site no longer has, and whose
    columns stay.
    """

    parent: Table
    children: dict[str, Table] = field(default_factory=dict)
    added: dict[str, list[str]] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)

    def all(self) -> list[Table]:
        return [self.parent, *self.children.values()]

    def lack(self, doctype: str, fields: Iterable[str]) -> None:
        """Note that rows of this DocType lack the site's values of these fields, if any."""
        known = self.added.get(doctype, [])
        if new := [name for name in fields if name not in known]:
            self.added = {**self.added, doctype: [*known, *new]}

    def with_checksums(self) -> "Tables":
        children = {doctype: table.with_checksum() for doctype, table in self.children.items()}
        return replace(self, parent=self.parent.with_checksum(), children=children)


async def ensure_tables(
    conn: AsyncConnection, schema: str, shape: TableSchema, *, omit: Iterable[str] = ()
) -> Tables:
    """The tables of a shape, made or migrated, in the caller's transaction.

    Streams of one connection share child tables, so only one at a time may change a schema.
    """
    await lock_schema(conn, schema)
    await conn.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(schema)))
    await admit_reader(conn, [schema])
    taken = await _tables_there(conn, schema)
    planned = []
    for one in (shape, *shape.children):
        name = table_name(one.doctype, taken, views.RESERVED)
        omitted = frozenset(() if one.child else omit)
        there = await _all_columns(conn, schema, name) if name in taken else None
        planned.append(plan_table(schema, name, one, there, omitted))
        taken[name] = one.doctype
    await _add_checksums(conn, schema, [plan.name for plan in planned if not plan.new])
    respelled = {}
    async with AsyncExitStack() as stack:
        if any(plan.under_views for plan in planned):
            await stack.enter_async_context(views.views_aside(conn, schema))
        for plan in planned:
            respelled[plan.shape.doctype] = await _carry_out(conn, plan)
    found = {plan.shape.doctype: await _table(conn, plan) for plan in planned}
    tables = Tables(
        found.pop(shape.doctype),
        found,
        told=[line for plan in planned for line in plan.told],
        gone=[f"{plan.shape.doctype}.{field}" for plan in planned for field in plan.gone],
    )
    for plan in planned:
        tables.lack(plan.shape.doctype, [*plan.fields_added, *respelled[plan.shape.doctype]])
    return tables


async def lock_schema(conn: AsyncConnection, schema: str) -> None:
    """To the transaction's end nobody else changes this schema's tables."""
    await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"ddl:{schema}"])


# Table -> its DocType and its columns, see `_all_columns`.
Catalogue = dict[str, tuple[str, list[Column]]]


async def catalogue_of(conn: AsyncConnection, schema: str) -> Catalogue:
    """All tables that the mirror made in this schema, in one query."""
    rows = await conn.execute(
        """
        SELECT c.relname, coalesce(d.description, ''), coalesce(f.description, ''), a.attname,
               format_type(a.atttypid, a.atttypmod)
          FROM pg_namespace n JOIN pg_class c ON c.relnamespace = n.oid AND c.relkind = 'r'
          JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
          LEFT JOIN pg_description d ON d.objoid = c.oid AND d.objsubid = 0
               AND d.classoid = 'pg_class'::regclass
          LEFT JOIN pg_description f ON f.objoid = c.oid AND f.objsubid = a.attnum
               AND f.classoid = 'pg_class'::regclass
         WHERE n.nspname = %s ORDER BY c.oid, a.attnum
        """,
        [schema],
    )
    found: Catalogue = {}
    columns: list[tuple[str, str, str, str, str]] = await rows.fetchall()
    for table, doctype, fieldname, column, pg_type in columns:
        known = found.setdefault(table, (doctype, []))
        known[1].append(Column(fieldname, column, _SAME_NAME.get(pg_type, pg_type)))
    return found


def tables_as_they_are(
    there: Catalogue, schema: str, shape: TableSchema, *, omit: Iterable[str] = ()
) -> Tables | None:
    """The tables of a shape, as `ensure_tables` gives them; None where it had something to do."""
    taken = {name: doctype for name, (doctype, _) in there.items()}
    found, gone = {}, []
    for one in (shape, *shape.children):
        name = table_name(one.doctype, taken, views.RESERVED)
        if name not in there or CHECKSUM not in {column.name for column in there[name][1]}:
            return None
        plan = plan_table(schema, name, one, there[name][1], frozenset(() if one.child else omit))
        if plan.changes or plan.told:
            return None
        columns = {column.field: column for column in there[name][1] if column.field}
        mine = tuple(columns[column.field] for column in plan.wanted)
        found[one.doctype] = Table(schema, name, one.doctype, mine, one.child)
        gone += [f"{one.doctype}.{field}" for field in plan.gone]
    return Tables(found.pop(shape.doctype), found, gone=gone)


async def _tables_there(conn: AsyncConnection, schema: str) -> dict[str, str]:
    """Table -> DocType, for the tables that the mirror made in this schema."""
    rows = await conn.execute(
        """
        SELECT c.relname, coalesce(obj_description(c.oid, 'pg_class'), '')
          FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname = %s AND c.relkind = 'r'
        """,
        [schema],
    )
    return dict(await rows.fetchall())


async def _carry_out(conn: AsyncConnection, plan: Plan) -> list[str]:
    """The fields whose rows have to be fetched again, see `widening`."""
    if plan.new:
        await _create(conn, plan.schema, plan.name, plan.shape.doctype, plan.wanted)
        return []
    table = sql.Identifier(plan.schema, plan.name)
    for column in plan.omitted:
        with views.others_in_the_way(f"The table {plan.schema}.{plan.name}"):
            await conn.execute(
                sql.SQL("ALTER TABLE {} DROP COLUMN {}").format(table, sql.Identifier(column.name))
            )
    for now, then in plan.renaming_steps():
        await conn.execute(
            sql.SQL("ALTER TABLE {} RENAME COLUMN {} TO {}").format(
                table, sql.Identifier(now), sql.Identifier(then)
            )
        )
    for column in plan.added:
        await conn.execute(
            sql.SQL("ALTER TABLE {} ADD COLUMN {} {}; {}").format(
                table,
                sql.Identifier(column.name),
                sql.SQL(column.type),
                _name_field(plan.schema, plan.name, column),
            )
        )
    return [
        now.field
        for now, then in plan.widened
        if await widen_column(conn, plan.schema, plan.name, now, then.type)
    ]


async def _add_checksums(conn: AsyncConnection, schema: str, names: list[str]) -> None:
    """The column for checksums, to tables that were made before there was one."""
    lacking = await conn.execute(
        """
        SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname = %s AND c.relname = ANY(%s) AND NOT EXISTS
               (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = %s)
        """,
        [schema, names, CHECKSUM],
    )
    for (name,) in await lacking.fetchall():
        await conn.execute(
            sql.SQL("ALTER TABLE {} ADD COLUMN {} bigint").format(
                sql.Identifier(schema, name), sql.Identifier(CHECKSUM)
            )
        )


async def _table(conn: AsyncConnection, plan: Plan) -> Table:
    there = await columns_there(conn, plan.schema, plan.name)
    columns = tuple(there[column.field] for column in plan.wanted)
    return Table(plan.schema, plan.name, plan.shape.doctype, columns, plan.shape.child)


async def _create(
    conn: AsyncConnection, schema: str, name: str, doctype: str, columns: tuple[Column, ...]
) -> None:
    definitions = [
        sql.SQL("{} {}").format(sql.Identifier(column.name), sql.SQL(column.type))
        for column in columns
    ]
    table = sql.Identifier(schema, name)
    create = sql.SQL(
        "CREATE TABLE {} ({}, _deleted_at timestamptz, _synced_at timestamptz DEFAULT now(), "
        "{} bigint, PRIMARY KEY (name))"
    ).format(table, sql.SQL(", ").join(definitions), sql.Identifier(CHECKSUM))
    named = sql.SQL("COMMENT ON TABLE {} IS {}").format(table, doctype)
    fields = [_name_field(schema, name, column) for column in columns]
    await conn.execute(sql.SQL("; ").join([create, named, *fields]))


def _name_field(schema: str, table: str, column: Column) -> sql.Composed:
    return sql.SQL("COMMENT ON COLUMN {} IS {}").format(
        sql.Identifier(schema, table, column.name), column.field
    )


async def columns_there(conn: AsyncConnection, schema: str, name: str) -> dict[str, Column]:
    """The columns of a mirrored table by the field that they hold."""
    found = await _all_columns(conn, schema, name)
    return {column.field: column for column in found if column.field}


async def _all_columns(conn: AsyncConnection, schema: str, name: str) -> list[Column]:
    """With those that hold no field of the site's: their `field` is empty."""
    rows = await conn.execute(
        """
        SELECT coalesce(col_description(a.attrelid, a.attnum), ''), a.attname,
               format_type(a.atttypid, a.atttypmod)
          FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
          JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE n.nspname = %s AND c.relname = %s AND a.attnum > 0 AND NOT a.attisdropped
         ORDER BY a.attnum
        """,
        [schema, name],
    )
    found: list[tuple[str, str, str]] = await rows.fetchall()
    return [
        Column(fieldname, column, _SAME_NAME.get(pg_type, pg_type))
        for fieldname, column, pg_type in found
    ]


@dataclass(frozen=True, slots=True)
class Widened:
    """`types`: the columns widened, with their new types. `respelled`: the fields whose rows have
    to be fetched again, see `widening`.
    """

    types: dict[str, str]
    respelled: list[str]


async def widen(conn: AsyncConnection, table: Table, needed: Mapping[str, str]) -> Widened:
    """Have these columns hold values of these types too, in the caller's transaction, and give
    `table` the types that its columns have now.
    """
    await lock_schema(conn, table.schema)
    there = await columns_there(conn, table.schema, table.name)
    # The other end of a pull may have met the same kind of value a moment ago.
    wider = {
        column.name: to
        for column in there.values()
        if column.name in needed
        and (to := wider_type(column.base_type, needed[column.name])) is not None
    }
    respelled = []
    if wider:
        async with views.views_aside(conn, table.schema):
            for column in (column for column in there.values() if column.name in wider):
                to = wider[column.name]
                if await widen_column(conn, table.schema, table.name, column, to):
                    respelled.append(column.field)
    types = {column.name: column.type for column in there.values()} | wider
    table.columns = tuple(
        Column(column.field, column.name, types.get(column.name, column.type))
        for column in table.columns
    )
    return Widened(wider, respelled)


async def ensure_indexes(conn: AsyncConnection, table: Table) -> None:
    """The indexes that pulls, views and look-ups use; made after a first load, which is faster
    without them. Two streams may have a child table in common, and "if not exists" alone lets both
    begin.
    """
    lock = f"indexes:{table.schema}.{table.name}"
    await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [lock])
    by_field = {column.field: column for column in table.columns}
    for fields in _indexed(table):
        columns = [by_field[f].name for f in fields if f in by_field]
        if len(columns) != len(fields):
            continue
        name = f"{table.name}_{'_'.join(columns)}"[:58] + "_idx"
        await conn.execute(
            sql.SQL("CREATE INDEX IF NOT EXISTS {} ON {} ({})").format(
                sql.Identifier(name),
                table.identifier,
                sql.SQL(", ").join(map(sql.Identifier, columns)),
            )
        )


def _indexed(table: Table) -> list[list[str]]:
    """The fields of each of its indexes but the primary key."""
    wanted = [["modified", "name"], *([["parent", "idx"]] if table.child else [])]
    return wanted + [list(columns) for columns in views.INDEXES.get(table.doctype, [])]


async def gather_statistics(conn: AsyncConnection, table: Table) -> None:
    """Tell the planner about a table that was just filled: without, the first look at a large one
    can take minutes.

    Only about the columns that indexes and views have. PostgreSQL does not count such a look as
    one, so its autovacuum looks at all columns within a minute or two, and nobody waits for it.
    """
    asked_for = {
        "name",
        *chain.from_iterable(_indexed(table)),
        *views.FIELDS.get(table.doctype, ()),
    }
    columns = [column.name for column in table.columns if column.field in asked_for]
    await conn.execute(
        sql.SQL("ANALYZE {} ({})").format(
            table.identifier, sql.SQL(", ").join(map(sql.Identifier, columns))
        )
    )
