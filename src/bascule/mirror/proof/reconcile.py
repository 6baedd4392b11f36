"""The proof: every row on the site against those here, by value, by checksum, or by name and time.

What differs is looked at again by value, with an incremental pull in between, because a site does
not stand still while it is listed. What differs still is reported, and mended where that was asked
for.
"""

from contextlib import aclosing
from dataclasses import replace

from psycopg import AsyncConnection, sql

from bascule.mirror.proof.comparison import compare_documents, compare_part, compare_values, walk
from bascule.mirror.proof.findings import By, Findings
from bascule.mirror.pull.attempt import Attempt
from bascule.mirror.pull.copy import MISFITS, copy_page
from bascule.mirror.pull.full import widen_to_fit
from bascule.mirror.pull.incremental import (
    fetch_documents,
    known_among,
    mark_gone,
    named_documents,
    pull_changes,
)
from bascule.mirror.schema.columns import Column
from bascule.mirror.schema.migration import Table

MOST_STAMPS = 50_000


async def reconcile(attempt: Attempt, *, repair: bool, by: By, part: bool = False) -> Findings:
    """Compare, and bring the mirror to the site where `repair`. The findings are those before the
    repair. `part`: by value only as many rows as are due tonight, all others by what costs less.
    """
    what = "name and time of change" if by == "name and time" else by
    await attempt.log(f"Comparing every document with the site, by {what}")
    if by == "value" and not part:
        found = await compare_values(attempt)
    else:
        found = await _compare_stamps(attempt, cheapest(attempt) if part else by)
    if part:
        await compare_part(attempt, found)
        round_done = attempt.cursor.proof_round_at is not None
        found.proven_before = attempt.rows if round_done else attempt.cursor.proof_seen
    if not found.equal:
        await pull_changes(attempt)
        found = await _look_again(attempt, found)
    if repair and not found.equal:
        await repair_documents(attempt, sorted(found.documents()))
        found.repaired = (await _look_again(attempt, found)).equal
    if repair or found.equal:
        await _count_rows(attempt)
    if found.columns:
        silent = ", ".join(f"{field} in {rows:,}" for field, rows in found.columns.most_common(10))
        await attempt.log(f"Changed on the site without its time of change: {silent}", "warning")
    return found


def cheapest(attempt: Attempt) -> By:
    """How all rows of the stream can be compared in a few columns."""
    return "name and time" if attempt.tables.parent.checksum is None else "checksum"


async def repair_documents(attempt: Attempt, names: list[str]) -> None:
    """Fetch these documents with their children; those that the site has not are gone."""
    there = await fetch_documents(attempt, names)
    await mark_gone(attempt, [name for name in names if name not in there])


async def _look_again(attempt: Attempt, before: Findings) -> Findings:
    """The documents that differed, by value, now that the mirror has caught up."""
    found = Findings(before.by, before.checked, before.rows, before.part, before.proven_before)
    suspects = sorted(before.documents())
    there: set[str] = set()
    async with (
        attempt.db.pool.connection() as conn,
        aclosing(named_documents(attempt, suspects)) as pages,
    ):
        async for page in pages:
            there.update(await compare_documents(attempt, conn, page, found))
    known = await known_among(attempt, [name for name in suspects if name not in there])
    found.extra = {name for name, is_live in known.items() if is_live}
    found.children -= found.missing | found.extra
    return found


async def _count_rows(attempt: Attempt) -> None:
    """Set the stream's count of live rows right, and what the site counts beyond it."""
    site_count = await attempt.site.count(attempt.doctype, attempt.filters)
    live = await count_here(attempt)
    await attempt.save(lambda c: setattr(c, "count_offset", site_count - live))


async def count_here(attempt: Attempt) -> int:
    """Set the stream's count of live rows right; two ends that met may both have counted."""
    async with attempt.lane() as conn, attempt.committing(conn) as tally:
        rows = await conn.execute(
            sql.SQL("SELECT count(*) FROM {} WHERE _deleted_at IS NULL").format(
                attempt.tables.parent.identifier
            )
        )
        row = await rows.fetchone()
        live = int(row[0]) if row else 0
        tally.rows = live - attempt.rows
    return live


async def _compare_stamps(attempt: Attempt, by: By) -> Findings:
    """One column of every row tells whether it is the same: its checksum, or `modified`."""
    found = Findings(by)
    async with attempt.db.pool.connection() as conn:
        for table in attempt.tables.all():
            stamp = _stamp_of(table, by)
            rows = await _list(attempt, conn, table, stamp)
            found.rows += rows
            if table.child:
                found.children |= await _other_children(attempt, conn, table, stamp)
                if stamp == table.checksum:
                    unreachable = await _unreachable(attempt, conn, stamp)
                    attempt.cursor.unreachable[table.doctype] = unreachable
            else:
                found.checked = rows
                await _other_documents(attempt, conn, table, stamp, found)
            await conn.commit()
    found.children -= found.missing | found.extra | found.stale
    return found


def _stamp_of(table: Table, by: By) -> Column:
    if by == "checksum" and table.checksum is not None:
        return table.checksum
    return next(column for column in table.columns if column.field == "modified")


async def _other_documents(
    attempt: Attempt, conn: AsyncConnection, table: Table, stamp: Column, found: Findings
) -> None:
    parts = {"table": table.identifier, "stamp": sql.Identifier(stamp.name)}
    found.missing = await _names(
        conn,
        sql.SQL(
            "SELECT s.name FROM pg_temp.seen s LEFT JOIN {table} t USING (name) "
            "WHERE t.name IS NULL OR t._deleted_at IS NOT NULL"
        ).format(**parts),
    )
    found.extra = await _names(
        conn,
        sql.SQL(
            "SELECT t.name FROM {table} t WHERE t._deleted_at IS NULL "
            "AND NOT EXISTS (SELECT 1 FROM pg_temp.seen s WHERE s.name = t.name)"
        ).format(**parts),
    )
    found.stale = await _names(
        conn,
        sql.SQL(
            "SELECT s.name FROM pg_temp.seen s JOIN {table} t USING (name) "
            "WHERE t._deleted_at IS NULL AND t.{stamp} IS DISTINCT FROM s.{stamp}"
        ).format(**parts),
    )


async def _other_children(
    attempt: Attempt, conn: AsyncConnection, child: Table, stamp: Column
) -> set[str]:
    """The documents here whose rows of this child table are not the site's."""
    return await _names(
        conn,
        sql.SQL(
            """
            SELECT coalesce(s.parent, t.parent)
              FROM pg_temp.seen s
              FULL JOIN (SELECT name, parent, {stamp} FROM {child}
                          WHERE parenttype = {doctype} AND _deleted_at IS NULL) t USING (name)
             WHERE (s.name IS NULL OR t.name IS NULL OR s.{stamp} IS DISTINCT FROM t.{stamp}
                    OR s.parent IS DISTINCT FROM t.parent)
               AND EXISTS (SELECT 1 FROM {parent} p WHERE p.name = coalesce(s.parent, t.parent)
                              AND p._deleted_at IS NULL)
            """
        ).format(
            child=child.identifier,
            parent=attempt.tables.parent.identifier,
            doctype=attempt.doctype,
            stamp=sql.Identifier(stamp.name),
        ),
    )


async def _unreachable(attempt: Attempt, conn: AsyncConnection, stamp: Column) -> list[int]:
    """Count and checksum of the listed child rows whose documents are not here."""
    rows = await conn.execute(
        sql.SQL(
            "SELECT count(*), coalesce(bit_xor(s.{}), 0) FROM pg_temp.seen s WHERE NOT EXISTS"
            " (SELECT FROM {} p WHERE p.name = s.parent AND p._deleted_at IS NULL)"
        ).format(sql.Identifier(stamp.name), attempt.tables.parent.identifier)
    )
    return list(await rows.fetchone() or (0, 0))


async def _list(attempt: Attempt, conn: AsyncConnection, table: Table, stamp: Column) -> int:
    """Name and stamp of every row of a DocType on the site, in the temporary table `seen`; how
    many.
    """
    wanted = ("name", *(("parent",) if table.child else ()), stamp.field)
    by_field = {column.field: column for column in table.columns}
    columns = sql.SQL(", ").join(sql.Identifier(by_field[field].name) for field in wanted)
    await conn.execute("DROP TABLE IF EXISTS pg_temp.seen")
    await conn.execute(
        sql.SQL("CREATE TEMP TABLE seen AS SELECT {} FROM {} LIMIT 0").format(
            columns, table.identifier
        )
    )
    await conn.commit()
    listed = replace(table, columns=tuple(by_field[field] for field in wanted))
    rows = 0
    async with aclosing(walk(attempt, listed, most=MOST_STAMPS)) as pages:
        async for page in pages:
            rows += page.count
            try:
                await copy_page(conn, sql.Identifier("pg_temp", "seen"), listed, page)
            except MISFITS:
                await conn.rollback()
                await widen_to_fit(attempt, listed, page, {})
                return await _list(attempt, conn, table, stamp)
            await conn.commit()
    await conn.execute("CREATE INDEX ON pg_temp.seen (name)")
    await conn.execute("ANALYZE pg_temp.seen")
    return rows


async def _names(conn: AsyncConnection, query: sql.Composed) -> set[str]:
    return {str(name) for (name,) in await (await conn.execute(query)).fetchall()}
