"""Do they still arrive? The site is asked how its webhooks are, what it could not deliver, and what
changed there that nobody told of.
"""

from datetime import UTC, datetime
from uuid import UUID

import psycopg
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.connections.service import open_site
from bascule.connections.tables import Connection
from bascule.events.live import publish
from bascule.frappe import FrappeError, Site
from bascule.hub import Hub
from bascule.inbox.at_the_site import Target, changed_lately, look
from bascule.inbox.tables import WebhookEnd


async def check(hub: Hub, connection: Connection) -> None:
    """Keeps what the site says in the end's `found`; a refusal of the site's too. Reads only."""
    async with hub.db.session() as session:
        end = await session.scalar(
            select(WebhookEnd).where(WebhookEnd.connection_id == connection.id)
        )
        session.expunge_all()
    if end is None or end.base_url is None:
        return
    since = end.found.get("since")
    try:
        async with open_site(hub, connection) as site:
            if end.at_the_site:
                target = Target(end.base_url, end.token, end.wanted)
                found = (await look(site, target, end.found.get("stamps", {}), since)).as_json()
            else:  # made by hand: whether they arrive is all that there is to see
                since = since or str(await site.clock())
                found = {"since": since}
            if since is not None:
                proven = bool(found.get("failures"))
                found["unheard"] = await _unheard(hub, site, end, since, proven=proven)
        told = {**found, "error": None, "next_step": None}
    except FrappeError as error:
        told = {"error": str(error), "next_step": error.next_step}
    async with hub.db.session() as session:
        saved = await session.get(WebhookEnd, end.id, with_for_update=True)
        if saved is None or saved.found.get("stamps") != end.found.get("stamps"):
            return  # somebody mended them meanwhile, and looks again
        changed = saved.found != {**saved.found, **told}
        saved.found = {**saved.found, **told}
        saved.checked_at = datetime.now(UTC)
        if changed:
            await tell(session, connection.id)
        else:
            await publish(session, "delivery", connection_id=connection.id, keep=False)


async def _unheard(
    hub: Hub, site: Site, end: WebhookEnd, since: str, *, proven: bool
) -> dict[str, list[str]]:
    """By DocType, documents that changed and of which no delivery came. A single one may have
    changed in a way that no webhook tells of, such as a rename; the newest ones all together have
    not. `proven`: the site says that it could not deliver.
    """
    found: dict[str, list[str]] = {}
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
        if unheard and len(unheard) == len(changed) and (proven or len(unheard) > 1):
            found[doctype] = unheard
    return found


async def check_all(hub: Hub) -> None:
    async with hub.db.session() as session:
        query = select(Connection).join(WebhookEnd, WebhookEnd.connection_id == Connection.id)
        connections = (await session.scalars(query)).all()
        session.expunge_all()
    for connection in connections:
        await check(hub, connection)


async def tell(
    conn_or_session: psycopg.AsyncConnection | AsyncSession, connection_id: UUID
) -> None:
    """To its page, and to those that show what needs attention."""
    await publish(conn_or_session, "delivery", connection_id=connection_id, keep=False)
    await publish(conn_or_session, "connection", connection_id=connection_id, change="webhooks")
