"""Do they still arrive? The site is asked how its webhooks are, what it could not deliver, and what
changed there that nobody told of.
"""

from datetime import UTC, datetime

from sqlalchemy import select

from bascule.connections.service import open_site
from bascule.connections.tables import Connection
from bascule.events.live import publish
from bascule.frappe import FrappeError, Site
from bascule.hub import Hub
from bascule.inbox.at_the_site import Found, Target, changed_lately, look
from bascule.inbox.tables import WebhookEnd


async def check(hub: Hub, connection: Connection) -> None:
    """Keeps what the site says in the end's `found`; a refusal of the site's too. Reads only."""
    async with hub.db.session() as session:
        end = await session.scalar(
            select(WebhookEnd).where(WebhookEnd.connection_id == connection.id)
        )
        session.expunge_all()
    if end is None or end.base_url is None or not end.at_the_site:
        return
    target = Target(end.base_url, end.token, end.wanted)
    since = end.found.get("since")
    try:
        async with open_site(hub, connection) as site:
            found = await look(site, target, end.found.get("stamps", {}), since)
            if since is not None:
                await _find_unheard(hub, site, end, found, since)
        told = {**found.as_json(), "error": None, "next_step": None}
    except FrappeError as error:
        told = {"error": str(error), "next_step": error.next_step}
    async with hub.db.session() as session:
        saved = await session.get(WebhookEnd, end.id, with_for_update=True)
        if saved is None or saved.found.get("stamps") != end.found.get("stamps"):
            return  # somebody mended them meanwhile, and looks again
        saved.found = {**saved.found, **told}
        saved.checked_at = datetime.now(UTC)
        await publish(session, "delivery", connection_id=connection.id, keep=False)


async def _find_unheard(hub: Hub, site: Site, end: WebhookEnd, found: Found, since: str) -> None:
    """A single document may have changed in a way that no webhook tells of, such as a rename; the
    newest ones all together have not.
    """
    now = await site.clock()
    for doctype, events in end.wanted.items():
        if "on_update" not in events:
            continue
        changed = await changed_lately(site, doctype, since, now)
        async with hub.db.connection() as conn:
            heard = await conn.execute(
                "SELECT name, max(modified) FROM bascule.deliveries"
                " WHERE connection_id = %s AND doctype = %s AND name = ANY(%s) GROUP BY name",
                [end.connection_id, doctype, [name for name, _ in changed]],
            )
            last = {str(name): modified for name, modified in await heard.fetchall()}
        # Both are the site's own writing of its own time, which sorts as text.
        unheard = [name for name, modified in changed if (last.get(name) or "") < modified]
        proof = len(unheard) > 1 or bool(found.failures)
        if unheard and proof and len(unheard) == len(changed):
            found.unheard[doctype] = unheard


async def check_all(hub: Hub) -> None:
    async with hub.db.session() as session:
        query = select(Connection).join(WebhookEnd, WebhookEnd.connection_id == Connection.id)
        connections = (await session.scalars(query.where(WebhookEnd.at_the_site))).all()
        session.expunge_all()
    for connection in connections:
        await check(hub, connection)
