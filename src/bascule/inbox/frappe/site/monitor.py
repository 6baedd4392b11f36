"""Do they still arrive? The site is asked how its webhooks are, what waits in its queue, what it
could not deliver, and what changed there that nobody told of.
"""

import asyncio
import logging
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select

from bascule.connections.resting import at_rest
from bascule.connections.tables import Connection
from bascule.events.live import publish
from bascule.frappe import FrappeError, Site
from bascule.hub import Hub
from bascule.inbox.dispatch import publish_trouble
from bascule.inbox.frappe.site.orphans import orphans_if_told
from bascule.inbox.frappe.site.queue import waiting
from bascule.inbox.frappe.site.unreported import unheard
from bascule.inbox.frappe.site.webhooks import Found, Target, look, renewed
from bascule.inbox.frappe.tables import WebhookEndpoint
from bascule.sites.pool import open_site

log = logging.getLogger(__name__)
AT_ONCE = 10  # sites, or one that does not answer would hold up all behind it


async def check(hub: Hub, connection: Connection) -> None:
    """Keeps what the site says in the end's `found`; a refusal of the site's too. Reads only."""
    async with hub.db.session() as session:
        end = await session.scalar(
            select(WebhookEndpoint).where(WebhookEndpoint.connection_id == connection.id)
        )
        session.expunge_all()
    if end is None or end.base_url is None:
        return
    try:
        async with open_site(hub, connection) as site:
            told = {**await _asked(hub, site, end), "error": None, "next_step": None}
            orphans = await orphans_if_told(hub, site, connection)
            told["orphans"] = [orphan.as_json() for orphan in orphans]
    except FrappeError as error:
        told = {"error": str(error), "next_step": error.next_step}
    async with hub.db.session() as session:
        saved = await session.get(WebhookEndpoint, end.id, with_for_update=True)
        if saved is None or saved.found.get("stamps") != end.found.get("stamps"):
            return  # somebody mended them meanwhile, and looks again
        changed = saved.found != {**saved.found, **told}
        saved.found = {**saved.found, **told}
        saved.checked_at = datetime.now(UTC)
        if changed:
            await publish_trouble(session, connection.id)
        else:
            await publish(session, "delivery", connection_id=connection.id, keep=False)


async def _asked(hub: Hub, site: Site, end: WebhookEndpoint) -> dict[str, Any]:
    """What the site says of its webhooks, of what waits, and of what nobody told of."""
    since = end.found.get("since")
    user = await site.logged_user()
    found = Found()
    if end.at_the_site:
        target = Target(end.base_url or "", end.token, renewed(end.wanted), user)
        found = await look(site, target, end.found.get("stamps", {}), since)
    else:  # made by hand: whether they arrive is all that there is to see
        since = since or str(await site.clock())
        found.queue = await waiting(site, None)
    if found.queue is not None and found.queue.since is not None:
        waited = await site.clock() - datetime.fromisoformat(found.queue.since)
        found.queue.minutes = max(0, int(waited.total_seconds() // 60))
    told = found.as_json()
    if not end.at_the_site:
        told = {"since": since, "queue": told["queue"]}
    told["user"] = user
    told["older"] = end.at_the_site and renewed(end.wanted) != dict(end.wanted)
    if since is not None:
        lost, late = await unheard(hub, site, end, found, since, user)
        told |= {"unheard": lost, "late": late}
    return told


async def check_all(hub: Hub) -> None:
    async with hub.db.session() as session:
        query = select(Connection).join(
            WebhookEndpoint, WebhookEndpoint.connection_id == Connection.id
        )
        connections = (await session.scalars(query.where(~at_rest()))).all()
        session.expunge_all()
    places = asyncio.Semaphore(AT_ONCE)

    async def look_at(connection: Connection) -> None:
        async with places:
            await check(hub, connection)

    looks = await asyncio.gather(*map(look_at, connections), return_exceptions=True)
    # One that failed has not held up the others; what it was is told.
    for connection, error in zip(connections, looks, strict=True):
        if isinstance(error, Exception):
            log.error("The webhooks of %s could not be looked at.", connection.slug, exc_info=error)
        elif error is not None:
            raise error
