"""Webhooks on a site that lead to this hub and belong to none of its connections: each is refused
with 401, and holds up those that follow in the site's queue.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

from sqlalchemy import or_, select

from bascule.accounts.tables import User
from bascule.connections.sharing import refuse_way_in
from bascule.connections.tables import Connection
from bascule.frappe import NoPermission, NotFound, Site
from bascule.hub import Hub
from bascule.inbox.frappe.addresses import PATH
from bascule.inbox.frappe.tables import WebhookEndpoint
from bascule.sites.address import is_loopback
from bascule.sites.pool import open_site
from bascule.store.address_binding import same_place

MOST = 500  # webhooks looked at


@dataclass(frozen=True, slots=True)
class Orphan:
    """A Webhook document of the site, as it is there."""

    name: str
    doctype: str
    event: str
    address: str

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


async def find_orphans(
    hub: Hub, connection: Connection, *, asked_at: str | None = None
) -> list[Orphan]:
    """Asks the site; writes nothing there. `asked_at`: the hub's address as whoever asks reached
    it. FrappeError: the site refuses, or does not answer.
    """
    async with open_site(hub, connection) as site:
        return await orphans_at(hub, site, connection, asked_at=asked_at)


async def orphans_at(
    hub: Hub, site: Site, connection: Connection, *, asked_at: str | None = None
) -> list[Orphan]:
    async with hub.db.session() as session:
        tokens = set(await session.scalars(select(WebhookEndpoint.token)))
        # What the owner of another private connection calls the hub says nothing here.
        theirs = select(WebhookEndpoint.base_url).join(Connection)
        theirs = theirs.where(or_(Connection.shared, Connection.id == connection.id))
        said = [hub.settings.public_url, asked_at, *await session.scalars(theirs)]
    site_is_here = _on_loopback(connection.api_url)
    # From another machine an address of loopback leads to that machine's own hub.
    here = [one for one in said if one and (site_is_here or not _on_loopback(one))]
    rows = await site.list(
        "Webhook",
        ("name", "webhook_doctype", "webhook_docevent", "request_url"),
        filters=[["request_url", "like", f"%{PATH}%"]],
        order_by="creation asc",
        limit=MOST,
    )
    return [
        Orphan(
            str(row["name"]),
            str(row["webhook_doctype"]),
            str(row["webhook_docevent"]),
            str(row["request_url"]),
        )
        for row in rows
        if _is_orphan(str(row["request_url"]), tokens, here)
    ]


async def orphans_if_told(
    hub: Hub, site: Site, connection: Connection, *, asked_at: str | None = None
) -> list[Orphan]:
    """None where the hub's user may not look."""
    try:
        return await orphans_at(hub, site, connection, asked_at=asked_at)
    except NoPermission:
        return []


async def remove_orphans(
    hub: Hub, connection: Connection, *, by: User | None, asked_at: str | None = None
) -> list[str]:
    """The names of those that are gone. Forbidden: not for `by` to decide."""
    refuse_way_in(by, connection)
    removed = []
    async with open_site(hub, connection) as site:
        for orphan in await orphans_at(hub, site, connection, asked_at=asked_at):
            try:
                await site.delete("Webhook", orphan.name)
            except NotFound:
                continue  # somebody else did
            removed.append(orphan.name)
    return removed


def _on_loopback(url: str) -> bool:
    return is_loopback(urlsplit(url).hostname or "")


def _is_orphan(address: str, tokens: set[str], here: Iterable[str]) -> bool:
    base, path, rest = address.partition(PATH)
    if not path or not any(same_place(base, own) for own in here):
        return False
    named = parse_qs(urlsplit(f"{path}{rest}").query).get("connection", [])
    return not tokens & set(named)
