"""ERPNext to here: what changed since the last look, by name; and what a webhook named.

A poll asks for names and times of change alone, of the documents and of their Addresses and
Contacts, and fetches those that are not known as they are. So an echo of our own write costs
nothing, and a late or a doubled webhook one comparison.
"""

import logging
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.connections.tables import Connection
from bascule.errors import HubError
from bascule.events.live import publish
from bascule.frappe import FrappeError
from bascule.hub import Hub
from bascule.sites.pool import open_site
from bascule.sites.watching import AtSite, OtherWayIn, watched
from bascule.sync.receive.import_remote import ImportContext, ImportSummary, import_remote
from bascule.sync.receive.party import DOCTYPES
from bascule.sync.remote_changes import look, that_have
from bascule.sync.tables import Link, TwoWay

log = logging.getLogger(__name__)
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
) -> ImportSummary | None:
    """Looks what changed; `whole`: at everything there is. None: two-way sync is not on. What goes
    wrong is told at the two-way sync, and raised; so is an answer that is owed for too long.
    OtherWayIn: the credentials were changed meanwhile.
    """
    async with hub.db.session() as session:
        loaded = await load(session, two_way_id)
        session.expunge_all()
    if loaded is None or loaded[0].status != "on":
        return None
    two_way, connection = loaded
    summary = ImportSummary()
    at = AtSite(hub, connection)

    async def looked() -> dict[str, Any]:
        async with open_site(hub, connection) as at.site:
            work = ImportContext(hub, at.site, connection, two_way, "poll", summary)
            return await look(work, whole=whole)

    try:
        cursor = await watched(at, looked())
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
    except OtherWayIn:
        await poll_quietly(hub, two_way_id, whole=whole, ticket=ticket)


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
    async with open_site(hub, connection) as site:
        for two_way in two_ways:
            work = ImportContext(hub, site, connection, two_way, source, ImportSummary())
            wanted = list(names) if doctype == work.doctype else []
            if doctype in DOCTYPES.values():
                wanted = await _that_have(work, doctype, names)
            if not wanted:
                continue
            later = await import_remote(work, wanted)
            if later:
                await _look_later(hub, two_way, later)


async def _that_have(work: ImportContext, doctype: str, names: Sequence[str]) -> list[str]:
    """The documents whose primary Address or Contact is one of these, as far as records know; of
    those that none knows the site does.
    """
    part = next(p for p, name in DOCTYPES.items() if name == doctype)
    async with work.hub.db.session() as session:
        query = select(Link.document, Link.parts[part].astext).where(
            Link.two_way_id == work.two_way.id,
            Link.document.is_not(None),
            Link.parts[part].astext.in_(list(names)),
        )
        known = [(str(name), str(own)) for name, own in await session.execute(query)]
    others = set(names) - {own for _, own in known}
    return [*(name for name, _ in known), *await that_have(work, doctype, sorted(others))]


async def _look_later(hub: Hub, two_way: TwoWay, names: list[str]) -> None:
    """The next poll looks at them again."""
    async with hub.db.session() as session:
        current = await session.get(TwoWay, two_way.id, with_for_update=True)
        if current is not None:
            waiting = [*(current.cursor.get("later") or []), *names]
            current.cursor = {**current.cursor, "later": list(dict.fromkeys(waiting))}
