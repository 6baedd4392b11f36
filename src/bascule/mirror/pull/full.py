"""The full pull: every document of a stream, read by name from both ends until the ends meet.

Fetching, reading and writing overlap; a page and the cursor that it moves commit together, so a
pull that was killed goes on where it was. What changes meanwhile is fetched by the incremental
pull that follows.
"""

import asyncio
from dataclasses import dataclass, field

from psycopg import AsyncConnection, errors, sql

from bascule.frappe import FrappeError, Page, PageSize
from bascule.frappe.walk_limit import WalkLimit
from bascule.mirror.pull import children
from bascule.mirror.pull.attempt import Attempt, Tally
from bascule.mirror.pull.copy import MISFITS, copy_page, merge, stage, staged_state, widen_misfits
from bascule.mirror.pull.cursor import Cursor, Lane
from bascule.mirror.pull.page_budget import page_budget
from bascule.mirror.schema.migration import Table, ensure_indexes, widen

# With children fetched by their parents, a page of parents brings many requests with it.
MOST_PARENTS = 2_000
MOST_ROWS = 10_000
MOST_MEETINGS = 5
MOST_BYTES = 4_000_000


async def pull_everything(attempt: Attempt) -> None:
    """Walk the lanes that the cursor holds. The caller has set phase and lanes (see `pull`)."""
    lanes = [lane for lane in attempt.cursor.lanes if not lane.done]
    counted = [await _count(attempt, lane) for lane in lanes]
    known = [rows for rows, _ in counted if rows is not None]
    await attempt.expect(sum(known) if len(known) == len(lanes) else None)
    for lane, (rows, ending) in zip(lanes, counted, strict=True):
        await attempt.log(f"Reading {lane.doctype}{'' if rows is None else f': {rows:,} rows'}")
        await _walk(attempt, lane, rows, ending)
    for table in attempt.tables.all():
        async with attempt.db.connection() as conn:
            await ensure_indexes(conn, table)


async def _drop_strays(attempt: Attempt, lane: Lane) -> None:
    """Child rows come with their parents: a list of them also has those of documents that the user
    may not read, or that are gone.
    """
    table = table_of(attempt, lane.doctype)
    if table.child and lane.fresh:
        async with attempt.lane() as conn, attempt.committing(conn) as tally:
            strays = await children.leave_out_strays(conn, attempt, table, table.identifier)
            tally.changed -= strays


async def _count(attempt: Attempt, lane: Lane) -> tuple[int | None, WalkLimit]:
    """The rows that this lane has still to fetch, None where the site would not count them; and
    what stops it beyond its count. Those that are here were had before, unless a person asks.
    """
    table = table_of(attempt, lane.doctype)
    try:
        counted = await attempt.count(table)
    except FrappeError as error:
        await attempt.log(f"The site would not count {lane.doctype}: {error}", "warning")
        return None, attempt.ending(table)
    if not lane.begun or not lane.fresh:
        return counted, attempt.ending(table, counted=counted)
    here = sql.SQL("SELECT count(*) FROM {}{}").format(table.identifier, _part_of(attempt, table))
    async with attempt.db.connection() as conn:
        row = await (await conn.execute(here)).fetchone()
    rows = int(row[0]) if row else 0
    got = 0 if attempt.by_a_person else rows
    return max(0, counted - rows), attempt.ending(table, counted=counted, got=got)


async def plan_lanes(attempt: Attempt, doctypes: list[str] | None = None) -> list[Lane]:
    """A lane for each DocType to walk. Children of a filtered stream come with their parents
    instead.
    """
    walked = [attempt.doctype, *([] if attempt.filters else attempt.tables.children)]
    lanes = []
    for doctype in walked:
        if doctypes is None or doctype in doctypes:
            fresh = await _is_empty(attempt, table_of(attempt, doctype))
            lanes.append(Lane(doctype, fresh=fresh))
    return lanes


def table_of(attempt: Attempt, doctype: str) -> Table:
    return attempt.tables.children.get(doctype, attempt.tables.parent)


async def _is_empty(attempt: Attempt, table: Table) -> bool:
    query = sql.SQL("SELECT NOT EXISTS (SELECT 1 FROM {}{})").format(
        table.identifier, _part_of(attempt, table)
    )
    async with attempt.db.connection() as conn:
        row = await (await conn.execute(query)).fetchone()
    return bool(row and row[0])


def _part_of(attempt: Attempt, table: Table) -> sql.Composable:
    """The rows of a child table that are this stream's: others may share it."""
    if not table.child:
        return sql.SQL("")
    return sql.SQL(" WHERE parenttype = {}").format(attempt.doctype)


@dataclass(slots=True)
class _Walk:
    """The two ends of one lane while they move; what was fetched may be ahead of what was
    committed.

    `left`: the rows that neither end has asked for, as far as they were counted. With it the ends
    meet between two pages; without, both fetch the last rows, and one of them has to merge them.
    """

    lane: Lane
    ending: WalkLimit
    low: tuple[str, ...] | None
    high: tuple[str, ...] | None
    left: int | None
    met: bool = False
    under_way: int = 0  # ends that wait for their page
    landing: asyncio.Event = field(default_factory=asyncio.Event)  # of the next page

    def share(self, most: int) -> int:
        """How many rows an end asks for; 0 when the other end is fetching all that was left."""
        if self.left is None or not self.under_way:
            return most
        return max(0, min(most, self.left if self.left <= most else -(-self.left // 2)))

    def asks(self, rows: int) -> None:
        self.under_way += 1
        if self.left is not None:
            self.left -= rows

    def got(self, page: Page, rows: int, *, descending: bool) -> None:
        """The page that an end asked for with so many rows."""
        if descending:
            self.high = page.last or self.high
        else:
            self.low = page.last or self.low
        self.met = self.met or not page.full
        self.under_way -= 1
        if self.left is not None:
            self.left += rows - page.asked
            if self.left < 0 and page.full:
                self.left = None  # there are more than were counted
        self.landing.set()
        self.landing = asyncio.Event()


def _begin(lane: Lane, counted: int | None, ending: WalkLimit) -> _Walk:
    low, high = (tuple(end) if end else None for end in (lane.low, lane.high))
    # How many rows the ends of a walk over rows that were there have behind them, nobody knows.
    left = None if lane.begun and not lane.fresh else counted
    return _Walk(lane, ending, low, high, left)


async def _walk(attempt: Attempt, lane: Lane, counted: int | None, ending: WalkLimit) -> None:
    await ending.saw(0)
    walk = _begin(lane, counted, ending)
    table = table_of(attempt, lane.doctype)
    with_children = attempt.filters and attempt.tables.children and not table.child
    size = PageSize(max_rows=MOST_PARENTS if with_children else MOST_ROWS, max_bytes=MOST_BYTES)
    async with asyncio.TaskGroup() as group:
        from_above = asyncio.Event()  # a second end is worth it once one page was not enough
        group.create_task(_end(attempt, table, walk, size, from_above, descending=False))
        group.create_task(_end(attempt, table, walk, size, from_above, descending=True))
    await _drop_strays(attempt, lane)
    await attempt.save(lambda _: setattr(lane, "done", True))


async def _end(
    attempt: Attempt,
    table: Table,
    walk: _Walk,
    size: PageSize,
    from_above: asyncio.Event,
    *,
    descending: bool,
) -> None:
    """Move one end: a page is fetched while the one before it is written."""
    if descending:
        await from_above.wait()
    fetched: asyncio.Queue[Page | None] = asyncio.Queue(maxsize=1)
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_fetch(attempt, table, walk, size, from_above, fetched, descending))
            group.create_task(_write(attempt, table, walk, fetched, descending))
    finally:
        from_above.set()
        while not fetched.empty():
            if fetched.get_nowait() is not None:
                page_budget().release()


async def _fetch(
    attempt: Attempt,
    table: Table,
    walk: _Walk,
    size: PageSize,
    from_above: asyncio.Event,
    fetched: asyncio.Queue[Page | None],
    descending: bool,
) -> None:
    while not walk.met:
        most = size.rows
        rows = walk.share(most)
        if not rows:
            await walk.landing.wait()
            continue
        walk.asks(rows)
        await page_budget().acquire()
        try:
            page = await attempt.page(
                table,
                descending=descending,
                after=walk.high if descending else walk.low,
                before=walk.low if descending else walk.high,
                limit=rows,
            )
            if rows == most or page.asked < rows:  # what was asked short says little
                size.saw(page)
            walk.got(page, rows, descending=descending)
            await walk.ending.saw(page.count)
            from_above.set()
            await fetched.put(page)
        except BaseException:
            page_budget().release()
            raise
    await fetched.put(None)


async def _write(
    attempt: Attempt,
    table: Table,
    walk: _Walk,
    fetched: asyncio.Queue[Page | None],
    descending: bool,
) -> None:
    async with attempt.lane() as conn:
        while (page := await fetched.get()) is not None:
            try:
                parts = [page] if page.count else []
                while parts:
                    part = parts.pop(0)
                    try:
                        await _put(attempt, conn, table, walk.lane, part, descending)
                    except children.TooMuch:
                        children.in_parts(part, parts)
            finally:
                page_budget().release()


async def _put(
    attempt: Attempt,
    conn: AsyncConnection,
    table: Table,
    lane: Lane,
    page: Page,
    descending: bool,
) -> None:
    """One page, its children where they come with it, and the cursor: one transaction."""
    family = await children.of_page(attempt, table, page)

    def move(_: Cursor) -> None:
        setattr(lane, "high" if descending else "low", list(page.last or ()))

    async def write(tally: Tally, *, fresh: bool) -> None:
        tally.saw(page)
        tally.moves = move
        if fresh:
            await copy_page(conn, table.identifier, table, page)
            tally.changed += page.count
            tally.rows += 0 if table.child else page.count
        else:
            staging = await stage(conn, table, [page])
            await children.leave_out_strays(conn, attempt, table, staging)
            new, _ = await staged_state(conn, table, staging)
            tally.changed += await merge(conn, table, staging)
            tally.rows += 0 if table.child else new
        await children.replace(conn, attempt, family, tally)

    for left in range(MOST_MEETINGS, -1, -1):
        fresh = lane.fresh and left == MOST_MEETINGS
        try:
            async with attempt.committing(conn) as tally:
                await write(tally, fresh=fresh)
            return
        except (errors.UniqueViolation, errors.DeadlockDetected):
            # The ends met in this page, or it was there when the last attempt was killed: merge it.
            # Two ends that write the same rows in opposite order can lock each other out.
            if not left:
                raise
        except MISFITS:
            await widen_to_fit(attempt, table, page, family)
            async with attempt.committing(conn) as tally:
                await write(tally, fresh=False)
            return


async def widen_to_fit(
    attempt: Attempt, table: Table, page: Page, family: dict[str, children.Rows]
) -> None:
    """Widen what these pages do not fit, say so, and give the tables' new types to this attempt,
    and the fields that are to be filled with that.
    """
    for misfit, pages in [(table, [page]), *((rows.table, rows.pages) for rows in family.values())]:
        async with attempt.db.connection() as conn:
            widened = await widen_misfits(conn, misfit, pages)
            if (known := table_of(attempt, misfit.doctype)) is not misfit:
                await widen(conn, known, {})  # `misfit` is a part of it
        attempt.tables.lack(misfit.doctype, widened.respelled)
        if widened.respelled:  # where there are no checksums, a look finds it if this is cut off
            attempt.cursor.looked_at = None
        for column, to in widened.types.items():
            await attempt.log(
                f"{misfit.schema}.{misfit.name}.{column} became {to}: a value did not fit its type",
                "warning",
            )
