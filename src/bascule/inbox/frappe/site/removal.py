"""Webhooks of a connection that is deleted: told of before, and removed from its site."""

from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.connections.deletion.leaving import OnSite, finds_on_site, tells_what_becomes
from bascule.connections.tables import Connection
from bascule.frappe import Site
from bascule.hub import Hub
from bascule.inbox.frappe.site.webhooks import Target, remove_all
from bascule.inbox.frappe.tables import WebhookEndpoint
from bascule.sites.on_site import Removed, removes


@finds_on_site
async def webhooks_on_site(session: AsyncSession, connection: Connection) -> list[OnSite]:
    """As many as were found there last; before the first look, as are wanted."""
    end = await _end(session, connection)
    if end is None or not end.at_the_site or end.base_url is None:
        return []
    hooks = end.found.get("hooks")
    if hooks is None:
        count = sum(len(events) for events in end.wanted.values())
    else:
        there = [hook for hook in hooks if hook["state"] != "missing"]
        count = len(there) + len(end.found.get("extra", []))
    data = {"base_url": end.base_url, "token": end.token, "wanted": end.wanted}
    return [OnSite("webhooks", "1 webhook" if count == 1 else f"{count} webhooks", data)]


@removes("webhooks")
async def remove_webhooks(hub: Hub, site: Site, api_url: str, data: dict[str, Any]) -> Removed:
    return Removed(await remove_all(site, Target(**data)))


@tells_what_becomes
async def webhooks_made_by_hand(session: AsyncSession, connection: Connection) -> list[str]:
    end = await _end(session, connection)
    if end is None or end.at_the_site:
        return []
    return ["The webhooks that were made by hand are refused from then on: delete them in ERPNext."]


async def _end(session: AsyncSession, connection: Connection) -> WebhookEndpoint | None:
    query = select(WebhookEndpoint).where(WebhookEndpoint.connection_id == connection.id)
    end: WebhookEndpoint | None = await session.scalar(query)
    return end
