"""The incremental pull: what was modified since a little before the last one, and what was deleted.

The overlap makes it see the same rows again, which costs a comparison and no write. Two requests a
DocType: the changes and the deletions. What a sync compares beside them is `pull`'s.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime, timedelta

from psycopg import AsyncConnection, sql

from bascule.frappe import NoPermission, NotFound, Page, PageSize
from bascule.frappe.walk_limit import limit_by_modified
from bascule.mirror.pull import children
from bascule.mirror.pull.attempt import Attempt, hub_clock
from bascule.mirror.pull.copy import MISFITS, merge, stage, staged_state
from bascule.mirror.pull.cursor import Cursor, moment_of
from bascule.mirror.pull.full import MOST_BYTES, widen_to_fit

# Where no checksums find it, what was committed late is looked for from longer ago, now and then.
LATE_EVERY = timedelta(hours=1)
LATE_AT_MOST = timedelta(hours=2)
ROWS_AT_ONCE = 2_000
NAMES_AT_ONCE = 500


async def pull_changes(attempt: Attempt) -> None:
    """Fetch and merge what changed, from `cursor.since` and, after a kill, from `cursor.position`
    on.
    """
    cursor = attempt.cursor
    began = hub_clock()
    if cursor.since is None:
        since = cursor.since_for(None, began)
        if since is not None and _late_due(attempt, began):
            since -= LATE_AT_MOST
            cursor.late_at = began.isoformat()
        await _ask_from(attempt, since)
    clock: datetime | None = None
    newest = cursor.max_modified
    size = PageSize(ROWS_AT_ONCE, max_rows=ROWS_AT_ONCE, max_bytes=MOST_BYTES)
    ending = attempt.ending(attempt.tables.parent, _since(cursor), limit_by_modified)
    while True:
        page = await _changes_page(attempt, size)
        size.saw(page)
        await ending.saw(page.count)
        if clock is None:
            clock = await attempt.site_clock(page)
            earlier = cursor.since_for(clock, began)
            if earlier and cursor.since and earlier < datetime.fromisoformat(cursor.since):
                # The site's clock was set back since the last pull: what it wrote then looks older.
                await _ask_from(attempt, earlier)
                ending = attempt.ending(attempt.tables.parent, _since(cursor), limit_by_modified)
                continue
        if page.count and page.last is not None:
            await merge_page(attempt, page, keep_position=True)
            newest = attempt.newest = max(newest or "", page.last[0])
        if not page.full:
            break
    await _take_deletions(attempt, cursor.since)
    reading = clock
    newest = newest or await _newest_here(attempt)

    def finish(c: Cursor) -> None:
        c.begin(reading, began)
        c.max_modified, c.since, c.position = newest, None, None

    await attempt.save(finish)


def _late_due(attempt: Attempt, now: datetime) -> bool:
    """Whether it is time to ask from longer ago. `modified` is when a transaction began to write,
    and the ten minutes that pulls overlap are less than some take.
    """
    if attempt.tables.parent.checksum is not None:
        return False
    last = attempt.cursor.late_at
    return last is None or now - datetime.fromisoformat(last) >= LATE_EVERY


async def _newest_here(attempt: Attempt) -> str | None:
    """The newest `modified` of the documents here, as the site writes it."""
    query = sql.SQL("SELECT max(modified) FROM {} WHERE _deleted_at IS NULL").format(
        attempt.tables.parent.identifier
    )
    async with attempt.db.connection() as conn:
        row = await (await conn.execute(query)).fetchone()
    newest = row[0] if row else None
    return newest.isoformat(" ", "microseconds") if isinstance(newest, datetime) else newest


async def _ask_from(attempt: Attempt, start: datetime | None) -> None:
    """Kept, so that a killed pull goes on from there and does not start over."""

    def move(c: Cursor) -> None:
        c.since, c.position = (start.isoformat(" ") if start else None), None

    await attempt.save(move)


def _since(cursor: Cursor) -> list[list[object]]:
    return [["modified", ">=", cursor.since]] if cursor.since else []


async def _changes_page(attempt: Attempt, size: PageSize) -> Page:
    cursor = attempt.cursor
    return await attempt.page(
        attempt.tables.parent,
        _since(cursor),
        key="modified",
        after=tuple(cursor.position) if cursor.position else None,
        limit=size.rows,
    )


async def merge_page(
    attempt: Attempt, page: Page, *, keep_position: bool = False, all_children: bool = False
) -> None:
    """Merge a page of documents, with all children of those that are new or were modified; in
    several transactions where the children are large.
    """
    parts = [page]
    while parts:
        part = parts.pop(0)
        try:
            await _merge_part(attempt, part, keep_position=keep_position, every=all_children)
        except children.TooMuch:
            children.in_parts(part, parts)


async def _merge_part(attempt: Attempt, page: Page, *, keep_position: bool, every: bool) -> None:
    family: dict[str, children.Rows] = {}
    async with attempt.lane() as conn:
        try:
            changed = await _changed_in(attempt, conn, page)
            if every:
                changed = names_in(page)
            family = await children.of_parents(attempt, changed)
            await _merge(attempt, conn, page, family, keep_position=keep_position)
        except MISFITS:
            await conn.rollback()
            await widen_to_fit(attempt, attempt.tables.parent, page, family)
            changed = names_in(page)
            family = family or await children.of_parents(attempt, changed)
            await _merge(attempt, conn, page, family, keep_position=keep_position)


def names_in(page: Page) -> list[str]:
    return page.column("name")


async def _changed_in(attempt: Attempt, conn: AsyncConnection, page: Page) -> list[str]:
    """The documents of a page that are new here or were modified. Leaves no transaction open: the
    children are fetched next."""
    table = attempt.tables.parent
    staging = await stage(conn, table, [page])
    _, changed = await staged_state(conn, table, staging)
    newest = attempt.newest or attempt.cursor.max_modified
    if newest and not attempt.reappeared:
        # What was here before under another name was created before the newest change seen here.
        fresh = await conn.execute(
            sql.SQL(
                "SELECT s.creation FROM {} s WHERE s.name = ANY(%s) "
                "AND NOT EXISTS (SELECT 1 FROM {} t WHERE t.name = s.name)"
            ).format(staging, table.identifier),
            [changed],
        )
        then = moment_of(newest)
        created = [moment_of(value) for (value,) in await fresh.fetchall()]
        attempt.reappeared = then is not None and any(at and at <= then for at in created)
    await conn.rollback()
    return changed


async def _merge(
    attempt: Attempt,
    conn: AsyncConnection,
    page: Page,
    family: dict[str, children.Rows],
    *,
    keep_position: bool,
) -> None:
    table = attempt.tables.parent
    async with attempt.committing(conn) as tally:
        staging = await stage(conn, table, [page])
        new, _ = await staged_state(conn, table, staging)
        tally.saw(page)
        tally.rows += new
        tally.changed += await merge(conn, table, staging)
        await children.replace(conn, attempt, family, tally)
        if keep_position:
            position = list(page.last or ())
            tally.moves = lambda c: setattr(c, "position", position)


async def named_documents(attempt: Attempt, names: list[str]) -> AsyncGenerator[Page]:
    """Pages of these documents, as the site has them, whatever their `modified`."""
    size = PageSize(max_rows=NAMES_AT_ONCE, max_bytes=MOST_BYTES)
    for start in range(0, len(names), NAMES_AT_ONCE):
        after = None
        some: list[list[object]] = [["name", "in", names[start : start + NAMES_AT_ONCE]]]
        ending = attempt.ending(attempt.tables.parent, some, counted=NAMES_AT_ONCE)
        while True:
            page = await attempt.page(attempt.tables.parent, some, after=after, limit=size.rows)
            size.saw(page)
            await ending.saw(page.count)
            if page.count:
                yield page
            if not page.full:
                break
            after = page.last


async def fetch_documents(attempt: Attempt, names: list[str]) -> set[str]:
    """Fetch these documents and merge them with their children, whatever their `modified`; the
    names of those that the site has.
    """
    there: set[str] = set()
    async with aclosing(named_documents(attempt, names)) as pages:
        async for page in pages:
            await merge_page(attempt, page, all_children=True)
            there.update(names_in(page))
    return there


async def _take_deletions(attempt: Attempt, since: str | None) -> None:
    """Mark what Deleted Document lists since then, where the user may read it."""
    if not attempt.cursor.deleted_documents or since is None:
        return
    try:
        rows = await attempt.site.list(
            "Deleted Document",
            ["deleted_name"],
            filters=[["deleted_doctype", "=", attempt.doctype], ["creation", ">=", since]],
            order_by="creation asc",
            limit=0,
        )
    except (NoPermission, NotFound):
        await attempt.log(
            "The site's user may not read Deleted Document, so deletions show when counts differ "
            "and at the daily verify.",
        )
        attempt.cursor.deleted_documents = False
        return
    names = list(dict.fromkeys(str(row["deleted_name"]) for row in rows))
    live = await known_among(attempt, names)
    if here := [name for name, is_live in live.items() if is_live]:
        await mark_gone(attempt, here)
    # What was never here may have been here under another name, so counts are compared.
    attempt.reappeared = attempt.reappeared or len(live) < len(names)


async def known_among(attempt: Attempt, names: list[str]) -> dict[str, bool]:
    """Those that are or were here, and whether they still are."""
    async with attempt.db.connection() as conn:
        rows = await conn.execute(
            sql.SQL("SELECT name, _deleted_at IS NULL FROM {} WHERE name = ANY(%s)").format(
                attempt.tables.parent.identifier
            ),
            [names],
        )
        return dict(await rows.fetchall())


async def mark_gone(attempt: Attempt, names: list[str]) -> int:
    """Mark as deleted those that the site, asked by name, does not have (any more, or in this
    stream).
    """
    gone = 0
    for start in range(0, len(names), NAMES_AT_ONCE):
        some = names[start : start + NAMES_AT_ONCE]
        still = await attempt.site.list(
            attempt.doctype,
            ["name"],
            filters=[*attempt.filters, ["name", "in", some]],
            order_by="name asc",
            limit=0,
        )
        lost = sorted(set(some) - {str(row["name"]) for row in still})
        async with attempt.lane() as conn, attempt.committing(conn) as tally:
            marked = await conn.execute(
                sql.SQL(
                    "UPDATE {} SET _deleted_at = now() WHERE name = ANY(%s) AND _deleted_at IS NULL"
                ).format(attempt.tables.parent.identifier),
                [lost],
            )
            await children.mark_deleted(conn, attempt, lost)
            tally.deleted += marked.rowcount
            tally.rows -= marked.rowcount
            gone += marked.rowcount
    return gone
