"""Two-way sync turned on with the pairs that somebody looked at: each record is joined with its
document, or waits to be made there.
"""

import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.accounts.tables import User
from bascule.connections.tables import Connection
from bascule.errors import Conflict, HubError
from bascule.events.live import publish
from bascule.frappe import FrappeError
from bascule.hub import Hub
from bascule.inbox.frappe.site.extend import also_tell_of
from bascule.sites.pool import open_site
from bascule.sync.fields import RecordType, same
from bascule.sync.history import add_change
from bascule.sync.mapping import Mapped, mapped, unchecked
from bascule.sync.pairing.likeness import alike
from bascule.sync.pairing.matching import preview, unlinked_records
from bascule.sync.queries import find
from bascule.sync.receive.party import DOCTYPES
from bascule.sync.receive.pull import start_poll
from bascule.sync.records import join, name_of, new_link, queue
from bascule.sync.setup.settings import may_set_up, refuse_what_failed, the_two_way
from bascule.sync.setup.site_fields import examine
from bascule.sync.tables import Link, Match, Record, TwoWay

log = logging.getLogger(__name__)


async def confirm(hub: Hub, connection: Connection, kind: RecordType, *, by: User | None) -> TwoWay:
    """Turns two-way sync on with the pairs of the preview. From now on the hub writes to the site.
    Conflict: there is no preview to confirm, not all is in it, or what the check asks of the site
    is not there any more.
    """
    may_set_up(by, connection)
    shown = await _check_again(hub, connection, kind)
    names = await _names_there(hub, connection, kind)
    async with hub.db.session() as session:
        two_way = await the_two_way(session, connection, kind, lock=True)
        if two_way.status != "matching" or two_way.last_summary.get("matching") != "ready":
            raise Conflict(
                "There is no preview of pairs to confirm.",
                next_step="Begin first, and look at the pairs when they are ready.",
            )
        _refuse_other_defaults(two_way, shown)
        await _refuse_what_came_since(session, two_way, connection, kind, names)
        two_way.status = "on"
        two_way.cursor, two_way.last_summary = {}, {}
        # The first look is started below.
        two_way.next_poll_at = datetime.now(UTC) + timedelta(minutes=two_way.poll_minutes)
        for match, record in await preview(session, two_way, limit=1_000_000):
            if record is not None and match.decision in ("pair", "send"):
                await _link(hub, session, two_way, match, record, name_of(by))
        await _send_what_waited(hub, session, two_way, name_of(by))
        await session.execute(delete(Match).where(Match.two_way_id == two_way.id))
        await start_poll(hub, session, two_way, whole=True)
        await publish(session, "record", connection_id=connection.id, change="on")
        await session.flush()
        session.expunge(two_way)
    try:
        await also_tell_of(hub, connection, (kind.doctype, *DOCTYPES.values()))
    except (FrappeError, HubError) as refused:
        # Told of where webhooks are; polls bring what changes meanwhile.
        log.warning("The webhooks do not tell of %s yet: %s", kind.plural, refused)
    return two_way


async def _check_again(hub: Hub, connection: Connection, kind: RecordType) -> dict[str, Any]:
    """The defaults that the site stands in for. Conflict: the check fails, as it may since the
    preview was made.
    """
    async with hub.db.session() as session:
        two_way = await the_two_way(session, connection, kind)
        session.expunge(two_way)
    if two_way.status != "matching":
        return {}  # told below
    async with open_site(hub, connection) as site:
        found = await examine(site, unchecked(two_way), connection.versions)
    refuse_what_failed(found)
    return found.site_defaults


def _refuse_other_defaults(two_way: TwoWay, there: Mapping[str, Any]) -> None:
    """Nobody saw these."""
    if two_way.site_defaults != there:
        told = ", ".join(sorted({*two_way.site_defaults, *there}))
        raise Conflict(
            f"The site has other values now for the defaults of {told}.",
            next_step="Look again; what you decided stays.",
        )


async def _names_there(hub: Hub, connection: Connection, kind: RecordType) -> set[str]:
    async with open_site(hub, connection) as site:
        pages = site.pages(kind.doctype, ("name",))
        return {str(name) async for page in pages for (name,) in page.rows()}


async def _refuse_what_came_since(
    session: AsyncSession,
    two_way: TwoWay,
    connection: Connection,
    kind: RecordType,
    names: set[str],
) -> None:
    """Nobody saw in the preview what would become of it, and a double might be among it."""
    of_it = Match.two_way_id == two_way.id
    known = set(await session.scalars(select(Match.document).where(of_it)))
    linked = select(Link.document).where(Link.two_way_id == two_way.id)
    there = names - known - set(await session.scalars(linked))
    seen = set(await session.scalars(select(Match.record_id).where(of_it)))
    here = {one.key for one in await unlinked_records(session, connection, kind)} - seen
    if here or there:
        raise Conflict(
            f"Since both sides were read, {len(here):,} came up here and {len(there):,} in "
            f"{connection.name} that the preview does not hold.",
            next_step="Look again; what you decided stays.",
        )


async def _link(
    hub: Hub, session: AsyncSession, two_way: TwoWay, match: Match, record: Record, by: str
) -> None:
    await join(session, record, two_way, by=by)
    paired = match.decision == "pair"
    link = new_link(record, two_way, document=match.document if paired else None)
    link.state = "sending"
    if paired:
        link.base = base_of_pair(mapped(two_way), record, match.there)
    session.add(link)
    await session.flush()
    if paired:
        note = f"Paired with {match.document}, by {(match.matched_by or 'hand').replace('_', ' ')}."
        await add_change(session, record, "linked", {}, by=by, note=note)
    await queue(hub, session, record, two_way, by=by)


def base_of_pair(fields: Mapped, record: Record, there: Mapping[str, Any]) -> dict[str, Any]:
    """What counts as agreed on from the start, so that what is there is taken: a default that
    nobody chose, and a value by which the two are known as a pair though it is written otherwise.
    """
    kind = fields.type
    base = {
        one.name: one.default
        for one in fields.fields
        if one.default is not None
        and one.name not in record.edited
        and same(one, record.values.get(one.name), one.default)
    }
    for name in (kind.tax, kind.email, kind.title):
        if alike(kind, name, record.values.get(name), there.get(name)):
            base[name] = record.values[name]
    return base


async def _send_what_waited(hub: Hub, session: AsyncSession, two_way: TwoWay, by: str) -> None:
    """Edits that were made while it was off."""
    query = select(Link.record_id).where(Link.two_way_id == two_way.id, Link.gone_at.is_(None))
    for number in (await session.scalars(query)).all():
        whole = await find(session, None, number, None)
        if whole.link is not None and whole.record.edited and whole.link.document is not None:
            await queue(hub, session, whole.record, two_way, by=by)
