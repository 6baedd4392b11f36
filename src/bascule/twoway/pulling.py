"""ERPNext to here: what changed since the last look, by name; and what a webhook named.

A poll asks for names and times of change alone, of the documents and of their Addresses and
Contacts, and fetches those that are not known as they are. So an echo of our own write costs
nothing, and a late or a doubled webhook one comparison.
"""

import logging
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.connections.service import open_site
from bascule.connections.tables import Connection
from bascule.errors import HubError
from bascule.events.live import publish
from bascule.frappe import FrappeError, Invalid, NoPermission, NotFound, Site
from bascule.frappe.clocks import Reading, asked_since
from bascule.hub import Hub
from bascule.twoway import at_the_site, creating, following
from bascule.twoway.history import add_change
from bascule.twoway.mapping import Mapped, mapped, unchecked
from bascule.twoway.party import AT_ONCE, DOCTYPES, Party, fetch_many, values_of
from bascule.twoway.records import find, new_link, new_record, queue, tell
from bascule.twoway.tables import Link, TwoWay
from bascule.twoway.taking import SITE, Seen, ahead_of_us, clock_of, refresh_state, take, told

log = logging.getLogger(__name__)
SWEPT_EVERY = timedelta(hours=24)


@dataclass
class Summary:
    """What a look at the site brought. `looked_at`: documents whose time of change was read;
    `fetched`: those of them that were not known as they are; `unchanged`: all the others, and
    those that were fetched and are as they were.
    """

    looked_at: int = 0
    fetched: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    deleted: int = 0
    renamed: int = 0
    conflicts: int = 0
    failed: int = 0

    def told(self) -> dict[str, int]:
        return asdict(self)


@dataclass
class Pulling:
    hub: Hub
    site: Site
    connection: Connection
    two_way: TwoWay
    source: str
    summary: Summary

    @property
    def fields(self) -> Mapped:
        return mapped(self.two_way)

    @property
    def doctype(self) -> str:
        return self.fields.type.doctype


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
            current.last_summary = {**summary.told(), "ticket": ticket}
            await publish(session, "record", connection_id=connection.id, change="polled")
    return summary


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
            current.last_summary = {"ticket": ticket, "error": str(error)}
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
    later = await bring(work, list(names))
    swept = known.get("swept_at")
    due = swept is None or datetime.fromisoformat(swept) < began - SWEPT_EVERY
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


async def bring(work: Pulling, names: Sequence[str]) -> list[str]:
    """Fetches these documents and takes them in. Those that have to be looked at again later: a
    send of ours that is not over yet may be what made them.
    """
    later: list[str] = []
    policies = {work.two_way.policy, *work.two_way.field_policies.values()}
    zone = work.connection.time_zone
    ahead = {"ahead": await ahead_of_us(work.site, zone)} if names and "newest" in policies else {}
    for start in range(0, len(names), AT_ONCE):
        some = list(names[start : start + AT_ONCE])
        started = await clock_of(work.hub)
        parties = await _fetched(work, some)
        work.summary.fetched += len(parties)
        there = {party.name for party in parties}
        await _not_there(work, [name for name in some if name not in there])
        links = await _links(work, there)
        for party in parties:
            seen = Seen(party, started, work.source, zone, **ahead)
            number = await _by_key(work, party) or links.get(party.name)
            number = number or await _whose(work, party)
            if number is not None:
                await _take_known(work, number, seen)
            elif await _is_on_its_way(work, party):
                later.append(party.name)
            else:
                await _take_new(work, seen)
    return later


async def _fetched(work: Pulling, names: list[str]) -> list[Party]:
    """A field that is mapped may have gone from the site: then it is looked again what is there."""
    try:
        return await fetch_many(work.site, work.fields, names, more=_own(work))
    except Invalid:
        found = await at_the_site.look(work.site, unchecked(work.two_way))
    async with work.hub.db.session() as session:
        current = await session.get(TwoWay, work.two_way.id, with_for_update=True)
        if current is not None:
            current.cannot_hold, current.owned_field = found.cannot_hold, found.own_field
    work.two_way.cannot_hold, work.two_way.owned_field = found.cannot_hold, found.own_field
    return await fetch_many(work.site, work.fields, names, more=_own(work))


def _own(work: Pulling) -> list[str]:
    return [work.two_way.owned_field] if work.two_way.owned_field else []


async def _links(work: Pulling, names: set[str]) -> dict[str, int]:
    async with work.hub.db.session() as session:
        query = select(Link.document, Link.record_id).where(
            Link.two_way_id == work.two_way.id, Link.document.in_(names)
        )
        return {str(name): int(number) for name, number in await session.execute(query)}


async def _take_known(work: Pulling, number: int, seen: Seen) -> None:
    async with work.hub.db.session() as session:
        whole = await find(session, None, number, None, lock=True)
        link = whole.link
        if link is None or whole.two_way is None:
            return
        if link.document != seen.party.name:
            await creating.free_name(session, link, seen.party.name)
            if link.document is None:
                link.create_begun_at = None
                link.document = seen.party.name
                await add_change(session, whole.record, "linked", {}, note=seen.party.name)
            else:
                await following.renamed(session, whole, seen.party.name)
                work.summary.renamed += 1
        if link.gone_at is not None:
            link.gone_at = None
            await add_change(session, whole.record, "back", {}, note="It is in ERPNext again.")
        before = whole.state
        taken = await take(session, whole, seen)
        if taken.plan and before != "attention":
            await queue(work.hub, session, whole.record, whole.two_way, by="", operation="save")
        await refresh_state(session, link)
        await told(session, whole, taken)
        work.summary.conflicts += len(taken.merged.clashes)
        if taken.changed:
            work.summary.updated += 1
        else:
            work.summary.unchanged += 1


async def _take_new(work: Pulling, seen: Seen) -> None:
    """A document that no record is linked to: a new record."""
    fields, party = work.fields, seen.party
    values = {one.name: None for one in fields.fields} | values_of(fields, party)
    try:
        async with work.hub.db.session() as session:
            by = str(party.main.get("modified_by") or SITE)
            record = new_record(fields.type, fields, values, work.connection.id, by)
            session.add(record)
            await session.flush()
            link = new_link(record, work.two_way, document=party.name)
            key = party.main.get(work.two_way.owned_field or "")
            link.create_key = str(key) if key else link.create_key
            session.add(link)
            await session.flush()
            whole = await find(session, None, record.id, None)
            await take(session, whole, seen)
            changes = {name: (None, value) for name, value in values.items() if value is not None}
            await add_change(session, record, "erpnext", changes, by=by, note=seen.source)
            await tell(session, record, "created")
    except IntegrityError:  # somebody was faster, with the same document
        return
    work.summary.created += 1


async def _by_key(work: Pulling, party: Party) -> int | None:
    """The record whose create made this one and has not heard of it. Its name may be one that the
    document of another record had, which is gone.
    """
    key = party.main.get(work.two_way.owned_field or "")
    if not key:
        return None
    async with work.hub.db.session() as session:
        query = select(Link.record_id).where(
            Link.two_way_id == work.two_way.id,
            Link.create_key == str(key),
            Link.document.is_(None),
            Link.gone_at.is_(None),
        )
        found: int | None = await session.scalar(query)
    return found


async def _whose(work: Pulling, party: Party) -> int | None:
    """The record whose document this is, though it is not called as it was: it was renamed, or the
    answer that would have told its name was lost.
    """
    key = party.main.get(work.two_way.owned_field or "") or ""
    born = str(party.main.get("creation") or "")
    async with work.hub.db.session() as session:
        of_it = select(Link.record_id, Link.document).where(Link.two_way_id == work.two_way.id)
        rows = (await session.execute(of_it.where(Link.create_key == str(key)))).all()
        if not rows and born:
            rows = (await session.execute(of_it.where(Link.creation == born))).all()
    if len(rows) != 1:
        return None
    number, old = rows[0]
    if old is not None and old != party.name:
        still = await work.site.list(work.doctype, ("name",), filters=[["name", "=", old]], limit=1)
        if still:
            return None  # a copy of it, and no new name
    return int(number)


async def _is_on_its_way(work: Pulling, party: Party) -> bool:
    """Whether a send of ours may be what made this one, and has not heard of it yet."""
    if work.two_way.owned_field:
        return False  # it would have our key, and be known by it
    title = next(f for f in work.fields.fields if f.name == work.fields.type.title)
    named = values_of(work.fields, party).get(title.name)
    async with work.hub.db.session() as session:
        query = select(Link.record_id).where(
            Link.two_way_id == work.two_way.id,
            Link.document.is_(None),
            Link.create_begun_at.is_not(None),
            Link.create_title == named,
        )
        return await session.scalar(query.limit(1)) is not None


async def _not_there(work: Pulling, names: list[str]) -> None:
    """Documents that are not there: renamed, merged into others, or deleted."""
    for name, number in (await _links(work, set(names))).items():
        async with work.hub.db.session() as session:
            whole = await find(session, None, number, None)
            session.expunge_all()
        if whole.link is None or whole.two_way is None or whole.link.gone_at is not None:
            continue
        new = await following.find_again(work.site, work.fields, whole.link, whole.two_way)
        into = None if new else await following.merged_into(work.site, work.fields, name)
        async with work.hub.db.session() as session:
            whole = await find(session, None, number, None, lock=True)
            if whole.link is None or whole.link.document != name:
                continue
            if new is not None and await following.is_free(session, whole, new):
                await following.renamed(session, whole, new)
                work.summary.renamed += 1
            else:
                await following.gone(session, whole, into=new or into)
                work.summary.deleted += 1


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
    known = await _links(work, names)
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
    await _not_there(work, sorted(missing))
    if new:
        await bring(work, new)


async def known(
    hub: Hub, connection: Connection, doctype: str, told: Mapping[str, str | None]
) -> set[str]:
    """Those of these documents that are here as of the time of change that was told. It is
    believed only in that nothing is asked for; what was changed since is told of too.
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
    return {str(name) for name, at in rows if at is not None and at == told[str(name)]}


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
