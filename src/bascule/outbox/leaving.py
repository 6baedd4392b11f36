"""The outbox of a connection that is deleted: what becomes of its writes, and the hub's own field
on its site.
"""

from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.connections.deletion.leaving import OnSite, finds_on_site, tells_what_becomes
from bascule.connections.tables import Connection
from bascule.frappe import NotFound, Site
from bascule.hub import Hub
from bascule.outbox.key_fields import OWN_FIELD, added_fields
from bascule.outbox.tables import OutboxKeyField, OutboxWrite
from bascule.sites.on_site import Removed, removes
from bascule.store.address_binding import same_place


@finds_on_site
async def own_fields(session: AsyncSession, connection: Connection) -> list[OnSite]:
    return [
        OnSite(
            "outbox field",
            f"the unique field {OWN_FIELD} of {doctype}",
            {"doctype": doctype},
        )
        for doctype in await added_fields(session, connection)
    ]


@removes("outbox field")
async def remove_own_field(hub: Hub, site: Site, api_url: str, data: dict[str, Any]) -> Removed:
    """Not while a connection to the same site knows its documents by it."""
    doctype = str(data["doctype"])
    async with hub.db.session() as session:
        query = (
            select(Connection.api_url)
            .join(OutboxKeyField, OutboxKeyField.connection_id == Connection.id)
            .where(OutboxKeyField.doctype == doctype, OutboxKeyField.field.is_not(None))
        )
        others = (await session.scalars(query)).all()
    if any(same_place(each, api_url) for each in others):
        return Removed(kept=[f"{OWN_FIELD} of {doctype}, which another connection uses"])
    name = f"{doctype}-{OWN_FIELD}"
    try:
        await site.delete("Custom Field", name)
    except NotFound:
        return Removed()
    return Removed([name])


@tells_what_becomes
async def writes(session: AsyncSession, connection: Connection) -> list[str]:
    query = select(func.count()).where(
        OutboxWrite.connection_id == connection.id,
        OutboxWrite.state.not_in(("written", "given_up")),
    )
    many = await session.scalar(query) or 0
    if not many:
        return []
    some = "1 write in the outbox is" if many == 1 else f"{many:,} writes in the outbox are"
    return [f"{some} not in ERPNext, and never will be: the outbox goes with the connection."]
