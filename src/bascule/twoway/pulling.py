"""ERPNext to here: what changed since the last look, by name; and what a webhook named.

A poll asks for names and times of change alone, of the documents and of their Addresses and
Contacts, and fetches those that are not known as they are. So an echo of our own write costs
nothing, and a late or a doubled webhook one comparison.
"""

import logging
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.connections.service import open_site
from bascule.connections.tables import Connection
from bascule.errors import HubError
from bascule.events.live import publish
from bascule.frappe import FrappeError, NoPermission, NotFound
from bascule.frappe.clocks import Reading, asked_since
from bascule.hub import Hub
from bascule.twoway.bringing import Pulling, Summary, bring, links_to, not_there
from bascule.twoway.mapping import mapped
from bascule.twoway.party import DOCTYPES
from bascule.twoway.tables import Link, TwoWay
from bascule.twoway.withheld import given_back

log = logging.getLogger(__name__)
SWEPT_EVERY = timedelta(hours=24)
TICKETS = 10  # whose answers are kept for who waits


async def load(session: AsyncSession, two_way_id: int) -> tuple[TwoWay, Connection] | None:
    query = (
        select(TwoWay, Connection)
        .join(Connection, Connection.id == TwoWay.connection_id)
        .where(TwoWay.id == two_way_id)
    )
    row = (await session.execute(query)).one_or_none()
    return (row[0], row[1]) if row else None


async def poll(
    hub: Hub, two_way_id: int, *, whole: bool = False, ticket: str | None = None
) -> Summary | None:
    """Looks what changed; `whole`: at everything there is. None: two-way sync is not on. What goes
    wrong is told at the two-way sync, and raised.
    """
    async with hub.db.session() as session:
        loaded = await load(session, two_way_id)
        session.expunge_all()
    if loaded is None or loaded[0].status != "on":
        return None
    two_way, connection = loaded
    summary = Summary()
    try:
        async with open_site(hub, connection) as site:
            work = Pulling(hub, site, connection, two_way, "poll", summary)
            cursor = await _poll(work, whole=whole)
    except (FrappeError, HubError) as error:
        await _note_failure(hub, two_way, error, ticket)
        raise
    async with hub.db.session() as session:
        current = await session.get(TwoWay, two_way_id, with_for_update=True)
        if current is not None:
            # What webhooks asked to be looked at meanwhile is looked at next time.
            meanwhile = set(current.cursor.get("later") or []) - set(
                two_way.cursor.get("later") or []
            )
            current.cursor = {**cursor, "later": [*cursor["later"], *sorted(meanwhile)]}
            current.last_poll_at = datetime.now(UTC)
            current.last_error = current.last_error_step = None
            current.last_summary = _told(current, summary.told(), ticket)
            await publish(session, "record", connection_id=connection.id, change="polled")
    return summary


def _told(two_way: TwoWay, told: dict[str, Any], ticket: str | None) -> dict[str, Any]:
    """What it brought; and under `tickets` what the last who wait for their own look are told: a
    later look does not take that away.
    """
    tickets = [*two_way.last_summary.get("tickets", []), *([[ticket, told]] if ticket else [])]
    return {**told, "tickets": tickets[-TICKETS:]}


def told_by(two_way: TwoWay, ticket: str) -> dict[str, Any] | None:
    """What the look with this ticket brought; None: it has not ended."""
    return next(
        (told for one, told in two_way.last_summary.get("tickets", []) if one == ticket), None
    )


async def poll_quietly(
    hub: Hub, two_way_id: int, *, whole: bool = False, ticket: str | None = None
) -> None:
    """`poll` for a job: what goes wrong is told, and the next one tries again."""
    try:
        await poll(hub, two_way_id, whole=whole, ticket=ticket)
    except (FrappeError, HubError) as error:
        log.warning("Two-way sync %s could not be looked at: %s", two_way_id, error)


async def start_poll(
    hub: Hub,
    session: AsyncSession,
    two_way: TwoWay,
    *,
    whole: bool = False,
    ticket: str | None = None,
) -> None:
    await hub.jobs.defer(
        "twoway.poll",
        lock=f"two-way:{two_way.id}",
        queueing_lock=None if ticket else f"two-way:{two_way.id}",
        connection=session,
        two_way_id=two_way.id,
        whole=whole,
        ticket=ticket,
    )


async def _note_failure(
    hub: Hub, two_way: TwoWay, error: FrappeError | HubError, ticket: str | None
) -> None:
    async with hub.db.session() as session:
        current = await session.get(TwoWay, two_way.id)
        if current is not None:
            current.last_error, current.last_error_step = str(error), error.next_step
            current.last_summary = _told(current, {"error": str(error)}, ticket)
            await publish(session, "record", connection_id=two_way.connection_id, change="polled")


async def _poll(work: Pulling, *, whole: bool) -> dict[str, Any]:
    """The cursor to go on from."""
    known = dict(work.two_way.cursor)
    began = datetime.now(UTC)
    site_clock = await work.site.clock()
    reading = Reading.load(known.get("reading"))
    since = None if whole else asked_since(reading, site_clock, began, known.get("newest"))
    newest = known.get("newest") if since else None
    names: dict[str, None] = dict.fromkeys(known.get("later") or [])
    for doctype in (work.doctype, *DOCTYPES.values()):
        changed, last = await _changed(work, doctype, since)
        names |= dict.fromkeys(changed)
        newest = max(filter(None, (newest, last)), default=None)
    swept = known.get("swept_at")
    due = swept is None or datetime.fromisoformat(swept) < began - SWEPT_EVERY
    names |= dict.fromkeys(await given_back(work, all_of_them=due or whole))
    later = await bring(work, list(names))
    if since is None or due or not await _take_deletions(work, since):
        await _sweep(work, always=due or whole)
        swept = began.isoformat()
    return {
        "reading": Reading(site_clock, began).dump(),
        "newest": newest,
        "swept_at": swept,
        "later": later,
    }


async def _changed(
    work: Pulling, doctype: str, since: datetime | None
) -> tuple[list[str], str | None]:
    """Names of the main documents that are not here as they are there; the newest time seen."""
    names: list[str] = []
    newest: str | None = None
    filters = [["modified", ">=", since.isoformat(" ")]] if since else []
    try:
        async for page in work.site.pages(
            doctype, ("name", "modified"), filters=filters, key="modified"
        ):
            rows = [(str(name), str(modified)) for name, modified in page.rows()]
            unknown = await _unknown(work, doctype, rows)
            names += unknown
            if doctype == work.doctype:
                work.summary.looked_at += len(rows)
                work.summary.unchanged += len(rows) - len(unknown)
            newest = rows[-1][1] if rows else newest
    except NoPermission:
        if doctype == work.doctype:
            raise  # without Addresses or Contacts, the rest is still worth it
    return names, newest


async def _unknown(work: Pulling, doctype: str, rows: list[tuple[str, str]]) -> list[str]:
    part = next((p for p, name in DOCTYPES.items() if name == doctype), "main")
    async with work.hub.db.session() as session:
        query = select(Link.document, Link.modified[part].astext, Link.parts[part].astext).where(
            Link.two_way_id == work.two_way.id, Link.document.is_not(None)
        )
        names = [name for name, _ in rows]
        if part == "main":
            known = {
                row[0]: row[1]
                for row in await session.execute(query.where(Link.document.in_(names)))
            }
            return [name for name, modified in rows if known.get(name) != modified]
        found = await session.execute(query.where(Link.parts[part].astext.in_(names)))
        times = dict(rows)
        return [document for document, at, name in found if times.get(name) != at]


async def _take_deletions(work: Pulling, since: datetime) -> bool:
    """False: the user may not read what was deleted."""
    try:
        rows = await work.site.list(
            "Deleted Document",
            ("deleted_name",),
            filters=[
                ["deleted_doctype", "=", work.doctype],
                ["creation", ">=", since.isoformat(" ")],
            ],
            order_by="creation asc",
            limit=0,
        )
    except (NoPermission, NotFound):
        return False
    names = {str(row["deleted_name"]) for row in rows}
    known = await links_to(work, names)
    if known:
        await bring(work, list(known))  # one that was made anew is there after all
    return True


async def _sweep(work: Pulling, *, always: bool) -> None:
    """Compares all names, where counts say that some are gone, or it is time to."""
    query = select(Link.document, Link.record_id).where(
        Link.two_way_id == work.two_way.id, Link.document.is_not(None), Link.gone_at.is_(None)
    )
    async with work.hub.db.session() as session:
        here = {str(name) for name, _ in await session.execute(query)}
    if not always and await work.site.count(work.doctype) == len(here):
        return
    missing = set(here)
    new: list[str] = []
    async for page in work.site.pages(work.doctype, ("name",)):
        for (name,) in page.rows():
            if str(name) in here:
                missing.discard(str(name))
            else:
                new.append(str(name))
    await not_there(work, sorted(missing))
    if new:
        await bring(work, new)


async def known(
    hub: Hub, connection: Connection, doctype: str, told: Mapping[str, str | None]
) -> set[str]:
    """Those of these documents that are here as of the time of change that was told, in each record
    that has them: several may share a Contact. It is believed only in that nothing is asked for;
    what was changed since is told of too.
    """
    part = next((p for p, name in DOCTYPES.items() if name == doctype), "main")
    named = Link.document if part == "main" else Link.parts[part].astext
    async with hub.db.session() as session:
        query = (
            select(named, Link.modified[part].astext)
            .join(TwoWay, TwoWay.id == Link.two_way_id)
            .where(
                TwoWay.connection_id == connection.id,
                TwoWay.status == "on",
                Link.gone_at.is_(None),
                named.in_(list(told)),
            )
        )
        rows = (await session.execute(query)).all()
    here = {str(name) for name, _ in rows}
    return here - {str(name) for name, at in rows if at is None or at != told[str(name)]}


async def being_sent(
    hub: Hub, connection: Connection, doctype: str, names: Collection[str]
) -> bool:
    """Whether a send of ours about one of these documents is under way."""
    part = next((p for p, name in DOCTYPES.items() if name == doctype), "main")
    named = Link.document if part == "main" else Link.parts[part].astext
    async with hub.db.session() as session:
        query = (
            select(Link.record_id)
            .join(TwoWay, TwoWay.id == Link.two_way_id)
            .where(
                TwoWay.connection_id == connection.id,
                Link.state == "sending",
                or_(named.in_(list(names)), Link.document.is_(None)),
            )
        )
        return await session.scalar(query.limit(1)) is not None


async def refetch(
    hub: Hub, connection: Connection, doctype: str, names: Sequence[str], source: str
) -> None:
    """Somebody said that these changed: main documents, Addresses or Contacts."""
    async with hub.db.session() as session:
        query = select(TwoWay).where(TwoWay.connection_id == connection.id, TwoWay.status == "on")
        two_ways = list((await session.scalars(query)).all())
        session.expunge_all()
    by_two_way: dict[int, list[str]] = defaultdict(list)
    for two_way in two_ways:
        kind = mapped(two_way).type
        if doctype == kind.doctype:
            by_two_way[two_way.id] += names
        elif doctype in DOCTYPES.values():
            by_two_way[two_way.id] += await _that_have(hub, two_way, doctype, names)
    async with open_site(hub, connection) as site:
        for two_way in two_ways:
            wanted = by_two_way[two_way.id]
            if not wanted:
                continue
            work = Pulling(hub, site, connection, two_way, source, Summary())
            later = await bring(work, wanted)
            if later:
                await _look_later(hub, two_way, later)


async def _that_have(hub: Hub, two_way: TwoWay, doctype: str, names: Sequence[str]) -> list[str]:
    """The documents whose primary Address or Contact is one of these."""
    part = next(p for p, name in DOCTYPES.items() if name == doctype)
    async with hub.db.session() as session:
        query = select(Link.document).where(
            Link.two_way_id == two_way.id, Link.parts[part].astext.in_(list(names))
        )
        return [str(name) for name in await session.scalars(query) if name is not None]


async def _look_later(hub: Hub, two_way: TwoWay, names: list[str]) -> None:
    """The next poll looks at them again."""
    async with hub.db.session() as session:
        current = await session.get(TwoWay, two_way.id, with_for_update=True)
        if current is not None:
            waiting = [*(current.cursor.get("later") or []), *names]
            current.cursor = {**current.cursor, "later": list(dict.fromkeys(waiting))}
