"""A stream looked at by one request: its documents, with the rows in all their child tables."""

from collections.abc import Mapping, Sequence

from psycopg import AsyncConnection, sql

from bascule.frappe import Invalid
from bascule.frappe.family_totals import FamilyMember, FamilyTotal, family_totals
from bascule.mirror.pull.attempt import Attempt
from bascule.mirror.schema.migration import Table

# What a request costs a site, and a look for the rows of a document in one more table, in
# checksums of rows. Joining tables may not be more work than asking for each.
A_REQUEST = 1_000
A_LOOK = 0.1
MOST_TABLES = 30  # MariaDB joins 61
MOST_ROWS = 50_000  # of a stream, which are counted here for it at each look
# Who may do no more than select a DocType is not given this, as every reader is.
READERS_FIELD = "creation"


async def same_together(attempt: Attempt) -> set[str] | None:
    """The DocTypes of the stream of which one request tells that every row is as here; those that
    are more work for the site when joined than by themselves are not among them. None: something
    differs, or is withheld.
    """
    tables = attempt.tables.all()
    if attempt.rows > MOST_ROWS or any(table.checksum is None for table in tables):
        return set()
    async with attempt.db.connection() as conn:
        here = await _here(conn, attempt)
    if len(here) <= 1:
        return set()
    family = [_member(attempt, table, total) for table, total in here]
    try:
        there = await family_totals(attempt.site, family, attempt.filters)
    except Invalid:  # a site whose database takes no such question
        return set()
    if there != [total for _, total in here]:
        return None
    return {table.doctype for table, _ in here}


def _member(attempt: Attempt, table: Table, here: FamilyTotal) -> FamilyMember:
    if not here.rows:
        return FamilyMember(table.doctype, ())
    fields = tuple(column.field for column in table.values)
    return FamilyMember(table.doctype, fields, guards_of(attempt, table))


def guards_of(attempt: Attempt, table: Table) -> tuple[str, ...]:
    """Fields that the user may lose the right to without a change of any definition."""
    shapes = {one.doctype: one for one in (attempt.shape, *attempt.shape.children)}
    levelled = shapes[table.doctype].levelled
    fields = [column.field for column in table.values if column.field in levelled]
    return (*fields, *([] if table.child else [READERS_FIELD]))


async def _here(conn: AsyncConnection, attempt: Attempt) -> list[tuple[Table, FamilyTotal]]:
    """The documents' table and those that are worth joining to it, with the rows here."""
    own, *children = attempt.tables.all()
    rows = await _asked(conn, attempt, (own, *children), sql.SQL("count(*)"))
    if not rows[own.doctype]:
        return []
    children = sorted(children, key=lambda table: rows[table.doctype])[: MOST_TABLES - 1]
    empty = [table for table in children if not rows[table.doctype]]
    filled = children[len(empty) :]
    joined = (
        await (await conn.execute(_products(attempt, own, filled), prepare=False)).fetchone() or ()
    )
    together: list[Table] = []
    for number, product in enumerate(joined):
        tried = [own, *empty, *filled[:number]]
        most = sum(rows[table.doctype] for table in tried) + A_REQUEST * (len(tried) - 1)
        if float(product) * (1 + number + A_LOOK * (len(tried) - 1)) > most:
            break
        together = tried
    sums = await _asked(conn, attempt, together, sql.SQL("coalesce(sum(DISTINCT _checksum), 0)"))
    return [(one, FamilyTotal(rows[one.doctype], sums[one.doctype])) for one in together]


async def _asked(
    conn: AsyncConnection, attempt: Attempt, tables: Sequence[Table], what: sql.SQL
) -> Mapping[str, int]:
    """That of each table, by its DocType."""
    parts = [
        sql.SQL("SELECT {}, {} {}").format(table.doctype, what, _rows(attempt, table))
        for table in tables
    ]
    if not parts:
        return {}
    found = await conn.execute(sql.SQL(" UNION ALL ").join(parts), prepare=False)
    return {doctype: int(value) for doctype, value in await found.fetchall()}


def _rows(attempt: Attempt, table: Table) -> sql.Composed:
    of = sql.SQL("FROM {} WHERE _deleted_at IS NULL").format(table.identifier)
    return of + sql.SQL(" AND parenttype = {}").format(attempt.doctype) if table.child else of


def _products(attempt: Attempt, own: Table, children: Sequence[Table]) -> sql.Composed:
    """How many rows there are with none of the children joined, with one, with two, ..."""
    counted = [sql.Identifier(f"child{place}") for place in range(len(children))]
    times = [
        sql.SQL("1::numeric").format(),
        *(sql.SQL("coalesce({}.rows, 1)").format(one) for one in counted),
    ]
    sums = [
        sql.SQL("coalesce(sum({}), 0)").format(sql.SQL(" * ").join(times[: number + 1]))
        for number in range(len(times))
    ]
    query = sql.SQL("SELECT {} FROM {} own").format(sql.SQL(", ").join(sums), own.identifier)
    for name, table in zip(counted, children, strict=True):
        query += sql.SQL(
            " LEFT JOIN (SELECT parent, count(*) AS rows {} GROUP BY parent) {name}"
            " ON {name}.parent = own.name"
        ).format(_rows(attempt, table), name=name)
    return query + sql.SQL(" WHERE own._deleted_at IS NULL")
