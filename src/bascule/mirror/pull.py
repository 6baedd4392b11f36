"""One stream brought to its site: all of it at first, the changes after that.

Decides what a run has to do from the cursor; how it is done is `full`'s, `incremental`'s and
`reconcile`'s.
"""

from bascule.connections.warehouses import without_stock
from bascule.mirror import silent
from bascule.mirror.attempt import Attempt, hub_clock
from bascule.mirror.cursor import Cursor, Lane
from bascule.mirror.findings import By, Findings
from bascule.mirror.full import plan_lanes, pull_everything
from bascule.mirror.incremental import pull_changes
from bascule.mirror.reconcile import count_here, reconcile
from bascule.mirror.schema import gather_statistics
from bascule.mirror.views import rebuild_views


async def sync(attempt: Attempt, *, afresh: bool) -> None:
    """Bring the stream to its site. `afresh`: fetch everything, also where rows are there
    already.
    """
    cursor = attempt.cursor
    if afresh or cursor.phase == "new" or cursor.filters != attempt.filters:
        await _tell_unknown_warehouses(attempt)
        await _begin_full(attempt, await plan_lanes(attempt))
    elif cursor.phase == "incremental" and (refilled := _to_fill(attempt)):
        await _begin_full(attempt, await plan_lanes(attempt, refilled))
    if cursor.phase == "full":
        await _finish_full(attempt)
    elif silent.due(attempt) and not await silent.differing(attempt):
        await attempt.save()
        return  # every value of every row is the site's
    await pull_changes(attempt)
    if cursor.refresh:
        await reconcile(attempt, repair=True, by=_cheapest(attempt))
        await attempt.save(lambda c: setattr(c, "refresh", False))
    elif silent.due(attempt):
        await _find_silent_changes(attempt)
    elif await _counts_differ(attempt):
        await attempt.log("The site counts other documents than are here: comparing name by name")
        await reconcile(attempt, repair=True, by=_cheapest(attempt))
    await refresh_views(attempt)


def _to_fill(attempt: Attempt) -> list[str]:
    """The DocTypes whose rows here lack values: of new columns, or of their checksums."""
    added = list(attempt.tables.added)
    wanted = [*added, *(name for name in silent.outdated(attempt) if name not in added)]
    if attempt.filters and wanted:  # children of a filtered stream come with their parents
        wanted.insert(0, attempt.doctype)
    return wanted


def _cheapest(attempt: Attempt) -> By:
    return "name and time" if attempt.tables.parent.checksum is None else "checksum"


async def _find_silent_changes(attempt: Attempt) -> None:
    if others := await silent.differing(attempt):
        await attempt.log(f"Other values on the site than here: {', '.join(others)}")
        await reconcile(attempt, repair=True, by="checksum")


async def verify(attempt: Attempt, *, repair: bool) -> Findings:
    """Prove the stream equal to its site, or say what is not, and mend it where `repair`."""
    if attempt.cursor.phase != "incremental":
        await sync(attempt, afresh=False)
    else:
        await pull_changes(attempt)
    return await reconcile(attempt, repair=repair, by="value")


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

    def move(c: Cursor) -> None:
        c.phase, c.checksummed = "incremental", silent.signatures(attempt)

    await attempt.save(move)
    await count_here(attempt)
    async with attempt.db.connection() as conn:
        for table in attempt.tables.all():
            await gather_statistics(conn, table)


async def _counts_differ(attempt: Attempt) -> bool:
    """Whether the site counts other rows than when both were known equal: renamed, deleted unseen.

    Asked at every sync, but for webhooks only where something points to it.
    """
    if attempt.trigger == "webhook" and not attempt.reappeared:
        return False
    offset = await attempt.site.count(attempt.doctype, attempt.filters) - attempt.rows
    return offset != (attempt.cursor.count_offset or 0)


async def refresh_views(attempt: Attempt) -> None:
    async with attempt.db.connection() as conn:
        await conn.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"ddl:{attempt.schema}"]
        )
        await rebuild_views(conn, schema=attempt.schema)
