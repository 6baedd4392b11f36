"""Child tables: rows that live and die with their parent.

A changed parent has all its children replaced, in the transaction that writes the parent. Rows of
child DocTypes are listed like documents, provided that the parent's DocType is named.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from psycopg import AsyncConnection, sql

from bascule.frappe import Page, PageSize, TooLarge
from bascule.mirror.pull.attempt import Attempt, Tally
from bascule.mirror.pull.copy import merge, stage
from bascule.mirror.schema.migration import Table

# Parents named in one request, and children taken in one page.
PARENTS_AT_ONCE = 250
ROWS_AT_ONCE = 10_000
BYTES_AT_ONCE = 4_000_000
MOST_BYTES = 16_000_000  # of all children that are written in one transaction
MOST_OF_ONE = 128_000_000  # of the children of one parent, which cannot be written in parts


@dataclass(slots=True)
class Rows:
    """All children of one DocType that these parents have."""

    table: Table
    parents: Sequence[str]
    pages: list[Page] = field(default_factory=list)


@dataclass(slots=True)
class _Room:
    """How many bytes of children are held, and how many may be."""

    most: int
    used: int = 0

    @property
    def is_full(self) -> bool:
        return self.used > self.most


class TooMuch(Exception):
    """These parents' children have more bytes than are held at once."""


def in_parts(page: Page, parts: list[Page]) -> None:
    """Put the halves of a page, in its order, before the parts of pages that are still to do."""
    parts[:0] = page.halves()


async def of_page(attempt: Attempt, table: Table, page: Page) -> dict[str, Rows]:
    """The children that come with a page of a filtered stream; nothing where they are walked by
    themselves.
    """
    if table.child or not attempt.filters or not page.count:
        return {}
    return await of_parents(attempt, page.column("name"))


async def of_parents(attempt: Attempt, parents: Sequence[str]) -> dict[str, Rows]:
    """Every child of these parents, by child DocType. TooMuch where they are for several parents,
    TooLarge where one has more than there may be.
    """
    if not parents:
        return {}
    room = _Room(MOST_BYTES if len(parents) > 1 else MOST_OF_ONE)
    family = {doctype: Rows(table, parents) for doctype, table in attempt.tables.children.items()}
    async with asyncio.TaskGroup() as group:
        for rows in family.values():
            group.create_task(_fetch(attempt, rows, room))
    if room.is_full and len(parents) > 1:
        raise TooMuch
    if room.is_full:
        raise TooLarge(
            f"The rows of the tables in {attempt.doctype} '{parents[0]}' have more than "
            f"{MOST_OF_ONE // 1_000_000} MB, which is more than the hub takes of one document.",
            next_step="Look at that document in ERPNext. If it is all right, leave it out by a "
            "filter of the stream.",
            bytes_=room.used,
        )
    return family


async def _fetch(attempt: Attempt, rows: Rows, room: _Room) -> None:
    size = PageSize(ROWS_AT_ONCE, max_rows=ROWS_AT_ONCE, max_bytes=BYTES_AT_ONCE)
    for start in range(0, len(rows.parents), PARENTS_AT_ONCE):
        some = list(rows.parents[start : start + PARENTS_AT_ONCE])
        after = None
        of_these: list[list[object]] = [["parent", "in", some]]
        ending = attempt.ending(rows.table, of_these)
        while not room.is_full:
            page = await attempt.page(rows.table, of_these, after=after, limit=size.rows)
            size.saw(page)
            await ending.saw(page.count)
            room.used += page.bytes
            if page.count:
                rows.pages.append(page)
            if not page.full:
                break
            after = page.last


async def replace(
    conn: AsyncConnection, attempt: Attempt, family: dict[str, Rows], tally: Tally
) -> None:
    """Put the children of these parents in the place of those that are here."""
    for rows in family.values():
        for page in rows.pages:
            tally.saw(page)
            tally.expected += page.count
        staging = await stage(conn, rows.table, rows.pages)
        gone = await conn.execute(
            sql.SQL(
                """
                DELETE FROM {table} t WHERE t.parenttype = %s AND t.parent = ANY(%s)
                   AND NOT EXISTS (SELECT 1 FROM {staging} s WHERE s.name = t.name)
                """
            ).format(table=rows.table.identifier, staging=staging),
            [attempt.doctype, list(rows.parents)],
        )
        tally.deleted += gone.rowcount
        tally.changed += await merge(conn, rows.table, staging)


async def leave_out_strays(
    conn: AsyncConnection, attempt: Attempt, table: Table, rows: sql.Composable
) -> int:
    """Delete those of `rows`, the table or its staging, whose parent is none of this stream's
    documents; how many. Nothing where these are no children.
    """
    if not table.child:
        return 0
    strays = await conn.execute(
        sql.SQL(
            """
            DELETE FROM {rows} s WHERE s.parenttype = %s AND NOT EXISTS
              (SELECT FROM {parents} p WHERE p.name = s.parent AND p._deleted_at IS NULL)
            """
        ).format(rows=rows, parents=attempt.tables.parent.identifier),
        [attempt.doctype],
    )
    return strays.rowcount


async def mark_deleted(conn: AsyncConnection, attempt: Attempt, parents: Iterable[str]) -> None:
    """Children of deleted documents are deleted with them."""
    names = list(parents)
    for table in attempt.tables.children.values():
        await conn.execute(
            sql.SQL(
                "UPDATE {} SET _deleted_at = now() "
                "WHERE parenttype = %s AND parent = ANY(%s) AND _deleted_at IS NULL"
            ).format(table.identifier),
            [attempt.doctype, names],
        )
