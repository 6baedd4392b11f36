"""Changes that left `modified` alone, found at a sync by one request a stream.

The site's database is asked for a checksum of all values of all rows, and the checksums of the
rows here, which came with them, have to give the same. Where they do not, the rows are listed with
their checksums, and those that differ are fetched. ERPNext renames, reposts and closes by nightly
jobs in this way, in some two hundred places. Child tables that are too large to be asked for with
their documents (`families`) are once in 90 minutes, where the clock begins a sync that finds all
else unchanged. A site that has no checksums, such as version 16, is compared by value instead, the
more seldom the longer that takes.
"""

import asyncio
import time
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

from psycopg import AsyncConnection, sql

from bascule.frappe.checksums import CHECKSUM, Total
from bascule.mirror.proof.findings import By
from bascule.mirror.proof.reconcile import reconcile
from bascule.mirror.pull.attempt import Attempt, hub_clock
from bascule.mirror.pull.families import guards_of, same_together
from bascule.mirror.schema.migration import Table

PARENTS_AT_ONCE = 2_000
# The looks of a connection, one after another, would take at most one second in so many.
SHARE = 2
# By the clock, rows of large child tables are looked at in turns: each stream's once in 90 minutes.
TURNS, TURN = 6, timedelta(minutes=15)
LONG = 10.0  # seconds: who syncs by hand does not wait for a longer one each time
NOTHING = Total(0, 0)


def outdated(attempt: Attempt) -> list[str]:
    """The DocTypes whose rows here have no checksum, or one of other fields than today's."""
    known = attempt.cursor.checksummed
    return [
        table.doctype
        for table in attempt.tables.all()
        if table.checksum is not None and known.get(table.doctype) != signature(table)
    ]


def signatures(attempt: Attempt) -> dict[str, int]:
    """By DocType, for a stream whose rows were all fetched with their checksums."""
    return {
        table.doctype: signature(table)
        for table in attempt.tables.all()
        if table.checksum is not None
    }


def signature(table: Table) -> int:
    """Which fields, in which order, the checksums of this table are of."""
    return zlib.crc32("\n".join(table.fields).encode())


def due(attempt: Attempt) -> bool:
    """Whether it is time for a look: at each sync, but of large streams more seldom, and not for
    each webhook. Who syncs by hand waits for any look but a long comparison by value.
    """
    cursor = attempt.cursor
    if attempt.trigger == "webhook":
        return False
    quick = attempt.tables.parent.checksum is not None or cursor.look_seconds < LONG
    if cursor.looked_at is None or (attempt.by_hand and quick):
        return True
    pause = timedelta(seconds=SHARE * attempt.streams * cursor.look_seconds)
    return hub_clock() - datetime.fromisoformat(cursor.looked_at) >= pause


def with_family(attempt: Attempt) -> bool:
    """Whether it is time to look at child tables too that cost requests of their own."""
    at = attempt.cursor.family_at
    if at is None or attempt.by_hand or not attempt.tables.children:
        return True
    now = hub_clock()
    since = now - datetime.fromisoformat(at)
    turn = int(now.timestamp() // TURN.total_seconds()) % TURNS
    if turn == attempt.stream_id % TURNS:
        return since >= TURN
    return since >= TURNS * TURN - TURN / 3  # a sync comes a little earlier or later


def by_checksum(attempt: Attempt) -> bool:
    """Whether one request a table tells that nothing is otherwise, and it is time to ask."""
    return attempt.tables.parent.checksum is not None and due(attempt)


async def find(attempt: Attempt, among: Sequence[str] = ()) -> By:
    """Find and mend what changed in silence; what was compared for it. `among`: the DocTypes that
    differed before the pull, if that is known.
    """
    if attempt.tables.parent.checksum is None:
        with comparing(attempt):
            await reconcile(attempt, repair=True, by="value")
        return "value"
    if others := await differing(attempt, among):
        await attempt.log(f"Other values on the site than here: {', '.join(others)}")
        await reconcile(attempt, repair=True, by="checksum")
    return "checksum"


@contextmanager
def comparing(attempt: Attempt) -> Iterator[None]:
    """A walk over all values is a look where there are no checksums, and takes as long as one."""
    if attempt.tables.parent.checksum is not None:
        yield
        return
    with _timed(attempt):
        yield


@contextmanager
def _timed(attempt: Attempt) -> Iterator[None]:
    began = time.monotonic()
    yield
    _note(attempt, began, whole=True)


def _note(attempt: Attempt, began: float, *, whole: bool) -> None:
    """Note how long a look took, and that it was taken; the caller's next commit keeps it. `whole`:
    at all tables of the stream.
    """
    cursor = attempt.cursor
    cursor.looked_at, cursor.look_seconds = hub_clock().isoformat(), time.monotonic() - began
    if whole:
        cursor.family_at = cursor.looked_at


async def differing(
    attempt: Attempt,
    among: Sequence[str] = (),
    *,
    here: Mapping[str, Total] | None = None,
    sparing: bool = False,
) -> list[str]:
    """The DocTypes of this stream, or of those named, whose rows on the site are not those here.
    `here`: the stream's of `totals_here`, where they were asked for with those of others.
    `sparing`: child tables that cost requests of their own are left for their turn.
    """
    began = time.monotonic()
    same = set() if among else await same_together(attempt)
    if same is None:  # something is otherwise: which?
        same, sparing, here = set(), False, None
    if here is None:
        here = (await totals_here([attempt]))[attempt.stream_id]
    own, *family = attempt.tables.all()
    if not any(total.rows for total in here.values()):
        family = []  # rows of a child table are nobody's where there are no documents
    left = [
        table
        for table in (own, *family)
        if table.doctype not in same and (not among or table.doctype in among)
    ]
    asked_for = [table for table in left if not (sparing and table.child)]
    by_parents = _by_parents(attempt) and any(table.child for table in asked_for)
    parents: list[str] = []
    if by_parents:
        async with attempt.db.connection() as conn:
            parents = await _parents(attempt, conn)
    async with asyncio.TaskGroup() as group:
        asked = {
            table.doctype: group.create_task(
                _differs_by_parents(attempt, table, parents)
                if by_parents and table.child
                else _differs(attempt, table, here[table.doctype])
            )
            for table in asked_for
        }
    _note(attempt, began, whole=not among and len(asked_for) == len(left))
    return [doctype for doctype, task in asked.items() if task.result()]


def _by_parents(attempt: Attempt) -> bool:
    """Whether rows of its child tables are asked for by the documents that they are in."""
    return bool(attempt.filters and attempt.tables.children)


async def totals_here(
    attempts: Sequence[Attempt], without_family: Collection[int] = ()
) -> dict[int, dict[str, Total]]:
    """Of each stream, by DocType, the rows here, but for child rows that are asked for by their
    documents, and for those of the streams `without_family`: of all in one statement.
    """
    asked = [
        (attempt, table)
        for attempt in attempts
        for table in attempt.tables.all()
        if not (table.child and (_by_parents(attempt) or attempt.stream_id in without_family))
    ]
    found: dict[int, dict[str, Total]] = {attempt.stream_id: {} for attempt in attempts}
    if asked:
        parts = [
            sql.SQL("SELECT {}, total.* FROM ({}) total").format(place, _total_here(*one))
            for place, one in enumerate(asked)
        ]
        query = sql.SQL(" UNION ALL ").join(parts)
        async with asked[0][0].db.connection() as conn:
            rows = await (await conn.execute(query, prepare=False)).fetchall()
        for place, *total in rows:
            attempt, table = asked[place]
            found[attempt.stream_id][table.doctype] = Total(*total)
    return found


async def note_unchecked(attempt: Attempt, among: Sequence[str]) -> None:
    """Note, of these DocTypes, those whose rows here lack checksums: a column of theirs became text
    in a run of another stream, or in one that was cut off.
    """
    for table in attempt.tables.all():
        if table.doctype in among and table.checksum is not None:
            query = sql.SQL(
                "SELECT FROM {} WHERE _checksum IS NULL AND _deleted_at IS NULL"
            ).format(table.identifier)
            if table.child:
                query += sql.SQL(" AND parenttype = {}").format(attempt.doctype)
            async with attempt.db.connection() as conn:
                found = await conn.execute(query + sql.SQL(" LIMIT 1"), prepare=False)
            attempt.tables.lack(table.doctype, [CHECKSUM] * found.rowcount)


async def _differs(attempt: Attempt, table: Table, here: Total) -> bool:
    beyond = attempt.cursor.unreachable.get(table.doctype, list(NOTHING))
    wanted = Total(here.rows + beyond[0], here.checksum ^ beyond[1])
    if not wanted.rows:  # no values that could be others, and a count costs the site less
        return await attempt.count(table) > 0
    return await _there(attempt, table, []) != wanted


async def _differs_by_parents(attempt: Attempt, table: Table, parents: list[str]) -> bool:
    """The rows of a child table, asked for by the documents here that they are in."""
    for start in range(0, len(parents), PARENTS_AT_ONCE):
        some = parents[start : start + PARENTS_AT_ONCE]
        async with attempt.db.connection() as conn:
            rows = await conn.execute(_total_here(attempt, table, some), prepare=False)
            here = Total(*(await rows.fetchone() or NOTHING))
        if here != await _there(attempt, table, some):
            return True
    return False


async def _there(attempt: Attempt, table: Table, parents: list[str]) -> Total | None:
    total = await attempt.site.total_checksum(
        table.doctype,
        [column.field for column in table.values],
        [*attempt.scope(table), *([["parent", "in", parents]] if parents else [])],
        parent=attempt.doctype if table.child else None,
        # A list of child rows never gives fields of a level: these come through the parents.
        guards=() if table.child else guards_of(attempt, table),
    )
    if total is None:
        await attempt.page(table, limit=1)  # which tells the fields that are withheld
    return total


def _total_here(attempt: Attempt, table: Table, parents: list[str] | None = None) -> sql.Composed:
    query = sql.SQL(
        "SELECT count(*), coalesce(bit_xor(_checksum), 0) FROM {} WHERE _deleted_at IS NULL"
    ).format(table.identifier)
    if table.child:
        query += sql.SQL(" AND parenttype = {}").format(attempt.doctype)
    if parents is not None:
        query += sql.SQL(" AND parent = ANY({})").format(parents)
    return query


async def _parents(attempt: Attempt, conn: AsyncConnection) -> list[str]:
    rows = await conn.execute(
        sql.SQL("SELECT name FROM {} WHERE _deleted_at IS NULL ORDER BY name").format(
            attempt.tables.parent.identifier
        )
    )
    return [name for (name,) in await rows.fetchall()]
