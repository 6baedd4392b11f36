"""One stream brought to its site: all of it at first, the changes after that.

Decides what a run has to do from the cursor; how it is done is `full`'s, `incremental`'s and
`reconcile`'s.
"""

from uuid import UUID

from bascule.connections.tables import Connection
from bascule.mirror.proof.findings import Findings
from bascule.mirror.proof.reconcile import cheapest, count_here, reconcile
from bascule.mirror.pull import silent_changes
from bascule.mirror.pull.attempt import Attempt, hub_clock
from bascule.mirror.pull.cursor import Cursor, Lane
from bascule.mirror.pull.full import plan_lanes, pull_everything
from bascule.mirror.pull.incremental import pull_changes
from bascule.mirror.schema.migration import gather_statistics
from bascule.mirror.views import rebuild_views
from bascule.sites.warehouses import without_stock
from bascule.store import Database

# Documents of a stream that the nightly proof compares by value in one night.
WHOLE_AT_NIGHT = 100_000
# Connections whose views this process has made, so that they are this version's.
_views_made: set[UUID] = set()


async def sync(attempt: Attempt, *, afresh: bool) -> None:
    """Bring the stream to its site. `afresh`: fetch everything, also where rows are there
    already. What is to be fetched again because a column became text meanwhile is, in the same run.
    """
    cursor = attempt.cursor
    others: list[str] = []
    if afresh or cursor.phase == "new" or cursor.filters != attempt.filters:
        await _tell_unknown_warehouses(attempt)
        if cursor.phase != "new" and cursor.filters != attempt.filters:
            await attempt.forget_proof()
        await _begin_full(attempt, await plan_lanes(attempt))
    elif lacking := _to_fill(attempt):
        if attempt.tables.added:
            await attempt.log(f"Columns to fill: {attempt.tables.added}")
        await _walk_again(attempt, await plan_lanes(attempt, lacking))
    if cursor.phase == "full":
        await _finish_full(attempt)
    elif silent_changes.by_checksum(attempt):
        others = await silent_changes.differing(attempt)
        if not others:
            attempt.compared_by = "checksum"
            await attempt.save()
            await ensure_views(attempt.db, attempt.connection)
            return  # every value of every row is the site's
        await silent_changes.note_unchecked(attempt, others)
    if not attempt.tables.added:
        await pull_changes(attempt)
    if not attempt.tables.added:
        await _compare(attempt, others)
    if attempt.tables.added:
        await sync(attempt, afresh=False)
        return
    await refresh_views(attempt.db, attempt.connection)


async def _compare(attempt: Attempt, others: list[str]) -> None:
    """What the pull cannot tell, and mend it. `others`: the DocTypes that differed before it."""
    cursor = attempt.cursor
    if cursor.refresh:
        attempt.compared_by = cheapest(attempt)
        await reconcile(attempt, repair=True, by=attempt.compared_by)
        await attempt.save(lambda c: setattr(c, "refresh", False))
    elif others or silent_changes.due(attempt):
        attempt.compared_by = await silent_changes.find(attempt, others)
    elif attempt.trigger != "webhook" or attempt.reappeared:
        await _compare_counts(attempt)


def _to_fill(attempt: Attempt) -> list[str]:
    """The DocTypes whose rows here lack the site's values: of new columns, of those that became
    text, or of their checksums.
    """
    wanted = list(attempt.tables.added)
    if attempt.cursor.phase == "incremental":
        wanted += [name for name in silent_changes.outdated(attempt) if name not in wanted]
    if attempt.filters and wanted:  # children of a filtered stream come with their documents
        wanted.insert(0, attempt.doctype)
    return wanted


async def verify(attempt: Attempt, *, repair: bool) -> Findings:
    """Prove the stream equal to its site by value, or say what is not, and mend it where `repair`.
    At night a large stream is compared over several nights.
    """
    if attempt.cursor.phase == "incremental" and not _to_fill(attempt):
        await pull_changes(attempt)
    if attempt.cursor.phase != "incremental" or _to_fill(attempt):
        await sync(attempt, afresh=False)
    part = attempt.trigger == "schedule" and attempt.rows > WHOLE_AT_NIGHT
    found = await reconcile(attempt, repair=repair, by="value", part=part)
    if attempt.tables.added:  # what was compared before a column became text is not proven
        return await verify(attempt, repair=repair)
    return found


async def _begin_full(attempt: Attempt, lanes: list[Lane]) -> None:
    clock, here = await attempt.site.clock(), hub_clock()

    def move(c: Cursor) -> None:
        c.phase, c.lanes, c.filters = "full", lanes, attempt.filters
        c.refresh = not all(lane.fresh for lane in lanes)
        c.begin(clock, here)
        c.max_modified = c.since = c.position = c.count_offset = None

    await attempt.save(move)
    attempt.tables.added = {}


async def _walk_again(attempt: Attempt, lanes: list[Lane]) -> None:
    """These DocTypes from their beginning, beside what a full pull under way has still to do. What
    changed since the last pull is asked for as ever.
    """
    names = {lane.doctype for lane in lanes}

    def move(c: Cursor) -> None:
        c.phase = "full"
        c.lanes = [*(lane for lane in c.lanes if lane.doctype not in names), *lanes]
        c.refresh = c.refresh or not all(lane.fresh for lane in lanes)

    await attempt.save(move)
    attempt.tables.added = {}


async def _tell_unknown_warehouses(attempt: Attempt) -> None:
    if attempt.doctype == "Bin":
        named = attempt.connection.warehouse_filter
        for what, next_step in await without_stock(attempt.site, named):
            await attempt.log(f"{what} {next_step}", "warning")


async def _finish_full(attempt: Attempt) -> None:
    with silent_changes.comparing(attempt):
        await pull_everything(attempt)

    def move(c: Cursor) -> None:
        c.phase, c.checksummed = "incremental", silent_changes.signatures(attempt)

    await attempt.save(move)
    await count_here(attempt)
    async with attempt.db.connection() as conn:
        for table in attempt.tables.all():
            await gather_statistics(conn, table)


async def _compare_counts(attempt: Attempt) -> None:
    """Where the site counts other rows than when both were known equal, something was renamed or
    deleted unseen: compare name by name.
    """
    offset = await attempt.site.count(attempt.doctype, attempt.filters) - attempt.rows
    attempt.compared_by = "count and time"
    if offset != (attempt.cursor.count_offset or 0):
        await attempt.log("The site counts other documents than are here: comparing name by name")
        attempt.compared_by = cheapest(attempt)
        await reconcile(attempt, repair=True, by=attempt.compared_by)


async def ensure_views(db: Database, connection: Connection) -> None:
    """Nothing changed, but the views may be another version's."""
    if connection.id not in _views_made:
        await refresh_views(db, connection)


async def refresh_views(db: Database, connection: Connection) -> None:
    async with db.connection() as conn:
        await conn.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"ddl:{connection.slug}"]
        )
        await rebuild_views(conn, schema=connection.slug)
    _views_made.add(connection.id)
