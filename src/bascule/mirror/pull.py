"""One stream brought to its site: all of it at first, the changes after that.

Decides what a run has to do from the cursor; how it is done is `full`'s, `incremental`'s and
`reconcile`'s.
"""

from datetime import datetime, timedelta

from bascule.connections.warehouses import without_stock
from bascule.mirror.attempt import Attempt, hub_clock
from bascule.mirror.cursor import Cursor, Lane
from bascule.mirror.full import plan_lanes, pull_everything
from bascule.mirror.incremental import pull_changes
from bascule.mirror.reconcile import Findings, count_here, reconcile
from bascule.mirror.schema import gather_statistics
from bascule.mirror.views import rebuild_views

# Between two looks at the site's count of a DocType.
COUNT_EVERY = timedelta(minutes=10)


async def sync(attempt: Attempt, *, afresh: bool) -> None:
    """Bring the stream to its site. `afresh`: fetch everything, also where rows are there
    already.
    """
    cursor = attempt.cursor
    if afresh or cursor.phase == "new" or cursor.filters != attempt.filters:
        await _tell_unknown_warehouses(attempt)
        await _begin_full(attempt, await plan_lanes(attempt))
    elif attempt.tables.added and cursor.phase == "incremental":
        await attempt.log(f"New columns to fill: {attempt.tables.added}")
        with_parent = attempt.filters or attempt.doctype in attempt.tables.added
        lanes = [attempt.doctype] if with_parent else []
        await _begin_full(attempt, await plan_lanes(attempt, [*lanes, *attempt.tables.added]))
    if cursor.phase == "full":
        await _finish_full(attempt)
    await pull_changes(attempt)
    if cursor.refresh:
        await reconcile(attempt, repair=True)
        await attempt.save(lambda c: setattr(c, "refresh", False))
    elif await _counts_differ(attempt):
        await attempt.log("The site counts other documents than are here: comparing name by name")
        await reconcile(attempt, repair=True)
    await refresh_views(attempt)


async def verify(attempt: Attempt, *, repair: bool) -> Findings:
    """Prove the stream equal to its site, or say what is not, and mend it where `repair`."""
    if attempt.cursor.phase != "incremental":
        await sync(attempt, afresh=False)
    else:
        await pull_changes(attempt)
    return await reconcile(attempt, repair=repair)


async def _begin_full(attempt: Attempt, lanes: list[Lane]) -> None:
    clock, here = await attempt.site.clock(), hub_clock()

    def move(c: Cursor) -> None:
        c.phase, c.lanes, c.filters = "full", lanes, attempt.filters
        c.refresh = not all(lane.fresh for lane in lanes)
        c.begin(clock, here)
        c.max_modified = c.since = c.position = c.count_offset = None

    await attempt.save(move)


async def _tell_unknown_warehouses(attempt: Attempt) -> None:
    if attempt.doctype == "Bin":
        named = attempt.connection.warehouse_filter
        for what, next_step in await without_stock(attempt.site, named):
            await attempt.log(f"{what} {next_step}", "warning")


async def _finish_full(attempt: Attempt) -> None:
    await pull_everything(attempt)
    await attempt.save(lambda c: setattr(c, "phase", "incremental"))
    await count_here(attempt)
    async with attempt.db.connection() as conn:
        for table in attempt.tables.all():
            await gather_statistics(conn, table)


async def _counts_differ(attempt: Attempt) -> bool:
    """Whether the site counts other rows than when both were known equal: renamed, deleted unseen.

    Asked where something points to it, and now and then when no other question was due.
    """
    cursor = attempt.cursor
    last = datetime.fromisoformat(cursor.counted_at) if cursor.counted_at else None
    due = last is None or hub_clock() - last > COUNT_EVERY
    unseen = not cursor.deleted_documents and (due or attempt.by_hand)
    if not (attempt.reappeared or unseen or (due and not attempt.asked_definition)):
        return False
    offset = await attempt.site.count(attempt.doctype, attempt.filters) - attempt.rows
    await attempt.save(lambda c: setattr(c, "counted_at", hub_clock().isoformat()))
    return offset != (cursor.count_offset or 0)


async def refresh_views(attempt: Attempt) -> None:
    async with attempt.db.connection() as conn:
        await conn.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"ddl:{attempt.schema}"]
        )
        await rebuild_views(conn, schema=attempt.schema)
