"""Rows of the site held against those here, column by column, a page at a time.

Nothing is written. A page is fetched while the one before it is compared; what stays of a page
are the names of its rows, so that those which are here only show at the end.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing

from psycopg import AsyncConnection, sql

from bascule.frappe import Page, PageSize
from bascule.mirror.proof.findings import Findings
from bascule.mirror.pull import children
from bascule.mirror.pull.attempt import Attempt, hub_clock
from bascule.mirror.pull.copy import MISFITS, stage
from bascule.mirror.pull.full import MOST_BYTES, MOST_PARENTS, MOST_ROWS, widen_to_fit
from bascule.mirror.pull.incremental import names_in
from bascule.mirror.pull.page_budget import page_budget
from bascule.mirror.schema.migration import Table


async def compare_values(attempt: Attempt) -> Findings:
    """Every value of every row of the stream, child rows included, against the site's."""
    found = Findings("value")
    tables, most = _to_walk(attempt)
    async with attempt.db.pool.connection() as conn:
        for table in tables:
            await _begin_seen(conn, table)
            async with aclosing(walk(attempt, table, most=most)) as pages:
                async for page in pages:
                    await _compare_page(attempt, conn, table, page, found)
            await _find_extra(attempt, conn, table, found)
    found.children -= found.missing | found.extra
    return found


async def compare_part(attempt: Attempt, found: Findings) -> None:
    """So many rows by value that all of them are within `proof_days` nights, from where the last
    night ended.
    """
    found.by, found.part = "value", True
    cursor = attempt.cursor
    tables, most = _to_walk(attempt)
    async with attempt.db.pool.connection() as conn:
        left = -(-await _rows_here(attempt, conn) // max(1, attempt.connection.proof_days))
        start = {table.doctype: place for place, table in enumerate(tables)}
        begun = start.get(cursor.proof_at[0], 0) if cursor.proof_at else 0
        for table in tables[begun:]:
            after = None
            if cursor.proof_at and cursor.proof_at[0] == table.doctype:
                after = (cursor.proof_at[1],)
            await _begin_seen(conn, table)
            async with aclosing(walk(attempt, table, most=most, after=after)) as pages:
                async for page in pages:
                    await _compare_page(attempt, conn, table, page, found)
                    left -= page.count
                    cursor.proof_seen += 0 if table.child else page.count
                    cursor.proof_at = [table.doctype, page.last[0]] if page.last else None
                    if left <= 0:
                        return
    cursor.proof_at, cursor.proof_seen = None, 0
    cursor.proof_round_at = hub_clock().isoformat()


def _to_walk(attempt: Attempt) -> tuple[list[Table], int]:
    """The tables to walk and the rows of a page: children of a filtered stream come with their
    documents.
    """
    if attempt.filters and attempt.tables.children:
        return [attempt.tables.parent], MOST_PARENTS
    return attempt.tables.all(), MOST_ROWS


async def _rows_here(attempt: Attempt, conn: AsyncConnection) -> int:
    rows = 0
    for table in _to_walk(attempt)[0]:
        counted = await conn.execute(
            sql.SQL("SELECT count(*) FROM {} WHERE _deleted_at IS NULL").format(table.identifier)
        )
        rows += int((await counted.fetchone() or (0,))[0])
    await conn.rollback()
    return rows


async def walk(
    attempt: Attempt, table: Table, *, most: int, after: tuple[str, ...] | None = None
) -> AsyncGenerator[Page]:
    """The pages of a table by name, `most` rows each, fetched while the one before is worked on."""
    size = PageSize(max_rows=most, max_bytes=MOST_BYTES)
    places = page_budget()
    ending = attempt.ending(table)

    async def fetch(after: tuple[str, ...] | None) -> Page:
        await places.acquire()
        try:
            page = await attempt.page(table, after=after, limit=size.rows)
            await ending.saw(page.count)
            return page
        except BaseException:
            places.release()
            raise

    coming: asyncio.Task[Page] | None = asyncio.create_task(fetch(after))
    try:
        while coming is not None:
            page = await coming
            size.saw(page)
            coming = asyncio.create_task(fetch(page.last)) if page.full else None
            try:
                yield page
            finally:
                places.release()
    finally:
        if coming is not None:
            coming.cancel()
            await asyncio.wait([coming])
            if not coming.cancelled() and coming.exception() is None:
                places.release()


async def compare_children(
    attempt: Attempt, conn: AsyncConnection, parents: list[str], found: Findings
) -> None:
    """The child rows of these documents, on the site and here."""
    try:
        family = await children.of_parents(attempt, parents)
    except children.TooMuch:
        middle = len(parents) // 2
        await compare_children(attempt, conn, parents[:middle], found)
        await compare_children(attempt, conn, parents[middle:], found)
        return
    for rows in family.values():
        staging = await _staged(attempt, conn, rows.table, rows.pages)
        found.rows += sum(page.count for page in rows.pages)
        await _note(attempt, conn, rows.table, staging, found)
        gone = await conn.execute(
            sql.SQL(
                "SELECT DISTINCT t.parent FROM {table} t WHERE t.parenttype = %s"
                " AND t.parent = ANY(%s) AND t._deleted_at IS NULL"
                " AND NOT EXISTS (SELECT FROM {staging} s WHERE s.name = t.name)"
            ).format(table=rows.table.identifier, staging=staging),
            [attempt.doctype, parents],
        )
        found.children |= {str(parent) for (parent,) in await gone.fetchall()}
        await conn.rollback()


async def compare_documents(
    attempt: Attempt, conn: AsyncConnection, page: Page, found: Findings
) -> list[str]:
    """A page of documents with their child rows; their names."""
    table = attempt.tables.parent
    names = names_in(page)
    staging = await _staged(attempt, conn, table, [page])
    await _note(attempt, conn, table, staging, found)
    await conn.rollback()
    await compare_children(attempt, conn, names, found)
    return names


async def _compare_page(
    attempt: Attempt, conn: AsyncConnection, table: Table, page: Page, found: Findings
) -> None:
    await attempt.saw(page)
    found.rows += page.count
    found.checked += 0 if table.child else page.count
    if not page.count:
        return
    staging = await _staged(attempt, conn, table, [page])
    await _note(attempt, conn, table, staging, found)
    await conn.execute(
        sql.SQL("INSERT INTO pg_temp.seen SELECT name FROM {}").format(staging), prepare=False
    )
    await conn.commit()
    if attempt.filters and not table.child:
        await compare_children(attempt, conn, names_in(page), found)


async def _staged(
    attempt: Attempt, conn: AsyncConnection, table: Table, pages: Iterable[Page]
) -> sql.Identifier:
    pages = list(pages)
    try:
        return await stage(conn, table, pages)
    except MISFITS:
        await conn.rollback()
        for page in pages:
            await widen_to_fit(attempt, table, page, {})
        return await stage(conn, table, pages)


async def _note(
    attempt: Attempt,
    conn: AsyncConnection,
    table: Table,
    staging: sql.Identifier,
    found: Findings,
) -> None:
    """Add to the findings how the staged rows differ from those here."""
    rows = await conn.execute(_differing(attempt, table, staging), prepare=False)
    for document, missing, moved, fields in await rows.fetchall():
        if table.child:
            found.children.add(document)
        else:
            kind = found.missing if missing else found.stale if moved else found.changed
            kind.add(document)
        if not missing and not moved:
            found.columns.update(f"{table.doctype}.{field}" for field in fields)


def _differing(attempt: Attempt, table: Table, staging: sql.Identifier) -> sql.Composed:
    """Of the staged rows that are otherwise here: document, missing here, `modified` moved, the
    fields with other values. Child rows of documents that are not here are nobody's.
    """
    columns = [(c.field, sql.Identifier(c.name)) for c in table.values if c.field != "name"]
    each = [
        sql.SQL("CASE WHEN t.{0} IS DISTINCT FROM s.{0} THEN {1} END").format(column, field)
        for field, column in columns
    ]
    known: sql.Composable = sql.SQL("")
    if table.child:
        known = sql.SQL(
            " AND EXISTS (SELECT FROM {} p WHERE p.name = s.parent AND p._deleted_at IS NULL)"
        ).format(attempt.tables.parent.identifier)
    return sql.SQL(
        """
        SELECT s.{document}, t.name IS NULL OR t._deleted_at IS NOT NULL,
               t.modified IS DISTINCT FROM s.modified, array_remove(ARRAY[{each}]::text[], NULL)
          FROM {staging} s LEFT JOIN {table} t USING (name)
         WHERE (t.name IS NULL OR t._deleted_at IS NOT NULL
                OR ROW({here}) IS DISTINCT FROM ROW({there})){known}
        """
    ).format(
        document=sql.Identifier("parent" if table.child else "name"),
        each=sql.SQL(", ").join(each),
        staging=staging,
        table=table.identifier,
        here=sql.SQL(", ").join(sql.SQL("t.{}").format(column) for _, column in columns),
        there=sql.SQL(", ").join(sql.SQL("s.{}").format(column) for _, column in columns),
        known=known,
    )


async def _begin_seen(conn: AsyncConnection, table: Table) -> None:
    await conn.execute("DROP TABLE IF EXISTS pg_temp.seen")
    await conn.execute(
        sql.SQL("CREATE TEMP TABLE seen AS SELECT name FROM {} LIMIT 0").format(table.identifier)
    )
    await conn.commit()


async def _find_extra(
    attempt: Attempt, conn: AsyncConnection, table: Table, found: Findings
) -> None:
    """The rows here that no page had."""
    await conn.execute("CREATE INDEX ON pg_temp.seen (name)")
    await conn.execute("ANALYZE pg_temp.seen")
    query = sql.SQL(
        "SELECT t.{document} FROM {table} t WHERE t._deleted_at IS NULL{mine}"
        " AND NOT EXISTS (SELECT FROM pg_temp.seen s WHERE s.name = t.name)"
    ).format(
        document=sql.Identifier("parent" if table.child else "name"),
        table=table.identifier,
        mine=sql.SQL(" AND t.parenttype = {}").format(attempt.doctype)
        if table.child
        else sql.SQL(""),
    )
    rows = await conn.execute(query, prepare=False)
    names = {str(name) for (name,) in await rows.fetchall()}
    if table.child:
        found.children |= names - found.extra
    else:
        found.extra |= names
    await conn.execute("DROP TABLE pg_temp.seen")
    await conn.commit()
