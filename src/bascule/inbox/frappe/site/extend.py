"""More DocTypes told of by the webhooks that the hub made on a site."""

from collections.abc import Sequence

from sqlalchemy import select

from bascule.connections.tables import Connection
from bascule.hub import Hub
from bascule.inbox.frappe.site.setup import mend
from bascule.inbox.frappe.site.webhooks import EVENTS, doctypes_in, events_at, renewed
from bascule.inbox.frappe.tables import WebhookEndpoint
from bascule.sites.pool import open_site


async def also_tell_of(hub: Hub, connection: Connection, doctypes: Sequence[str]) -> list[str]:
    """Those that were added. None where the connection has no webhooks, or has them by hand.
    FrappeError: the site refuses; what is wanted is saved then, so its webhooks are told to be
    missing, and can be mended.
    """
    query = select(WebhookEndpoint).where(WebhookEndpoint.connection_id == connection.id)
    async with hub.db.session() as session:
        end = await session.scalar(query)
        if end is None or not end.at_the_site:
            return []
        known = doctypes_in(end.wanted)
    missing = [doctype for doctype in doctypes if doctype not in known]
    if not missing:
        return []
    async with open_site(hub, connection) as site:
        more = await events_at(site, missing, EVENTS)
    async with hub.db.session() as session:
        end = await session.scalar(query.with_for_update())
        if end is None:  # removed meanwhile
            return []
        end.wanted = renewed({**end.wanted, **more})
    await mend(hub, connection)
    return missing
