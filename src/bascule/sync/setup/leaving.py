"""Two-way sync of a connection that is deleted: what becomes of its records, and the hub's own
field on its site.
"""

from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.connections.deletion.leaving import OnSite, finds_on_site, tells_what_becomes
from bascule.connections.tables import Connection
from bascule.frappe import NotFound, Site
from bascule.hub import Hub
from bascule.sites.on_site import Removed, removes
from bascule.store.address_binding import same_place
from bascule.sync.record_types import RECORD_TYPES
from bascule.sync.tables import Conflict, Link, Outbox, Record, TwoWay

MOST_LOOKED_AT = 500  # documents, the newest, that tell whether another hub uses the field too


@finds_on_site
async def own_fields(session: AsyncSession, connection: Connection) -> list[OnSite]:
    """But those by which another connection to the same site knows its documents."""
    found = []
    for two_way in await _two_ways(session, connection):
        kind = RECORD_TYPES.get(two_way.record_type)
        field = two_way.owned_field
        if kind is None or field is None:
            continue
        if await _is_used(session, connection.api_url, two_way.record_type, but=connection):
            continue
        what = f"the unique field {field} of {kind.doctype}"
        data = {"doctype": kind.doctype, "field": field, "record_type": two_way.record_type}
        found.append(OnSite("field", what, data))
    return found


@removes("field")
async def remove_own_field(hub: Hub, site: Site, api_url: str, data: dict[str, Any]) -> Removed:
    """Not while somebody else needs it: a connection made since, or another hub."""
    doctype, field = str(data["doctype"]), str(data["field"])
    what = f"{field} of {doctype}"
    async with hub.db.session() as session:
        if await _is_used(session, api_url, str(data["record_type"])):
            return Removed(kept=[f"{what}, which another connection uses"])
    name = f"{doctype}-{field}"
    if not await site.list("Custom Field", filters=[["name", "=", name]], limit=1):
        return Removed()
    rows = await site.list(
        doctype,
        (field,),
        filters=[[field, "is", "set"]],
        order_by="modified desc",
        limit=MOST_LOOKED_AT,
    )
    keys = {str(row[field]) for row in rows}
    async with hub.db.session() as session:
        query = select(func.count()).select_from(Record).where(Record.key.in_(keys))
        ours = await session.scalar(query)
    if ours != len(keys):
        return Removed(kept=[f"{what}, which has values of another hub"])
    try:
        await site.delete("Custom Field", name)
    except NotFound:
        return Removed()  # somebody else did
    return Removed([name])


@tells_what_becomes
async def records(session: AsyncSession, connection: Connection) -> list[str]:
    told = []
    for two_way in await _two_ways(session, connection):
        kind = RECORD_TYPES.get(two_way.record_type)
        if kind is None:
            continue
        link = Link.two_way_id == two_way.id
        linked = await _count(session, select(Link.record_id).where(link))
        queued = Outbox.two_way_id == two_way.id
        waiting = await _count(session, select(Outbox.record_id).where(queued).distinct())
        undecided = select(Conflict.record_id).join(Link, Link.record_id == Conflict.record_id)
        undecided = undecided.where(link, Conflict.settled_at.is_(None)).distinct()
        open_ones = await _count(session, undecided)
        if linked:
            one = f"1 {kind.name} stays here, and is kept in the hub alone"
            many = f"{linked:,} {kind.plural} stay here, and are kept in the hub alone"
            told.append(
                f"{one if linked == 1 else many}: nothing is sent to ERPNext or taken from it."
            )
        if waiting:
            edits = f"Edits of {waiting:,} {kind.name if waiting == 1 else kind.plural}"
            told.append(f"{edits} that wait to be sent are never sent; they stay here.")
        if open_ones:
            some = f"{open_ones:,} {kind.name if open_ones == 1 else kind.plural}"
            told.append(f"Conflicts of {some} are not decided any more; what is here stays.")
    return told


async def _two_ways(session: AsyncSession, connection: Connection) -> list[TwoWay]:
    query = select(TwoWay).where(TwoWay.connection_id == connection.id).order_by(TwoWay.id)
    return list((await session.scalars(query)).all())


async def _is_used(
    session: AsyncSession, api_url: str, record_type: str, *, but: Connection | None = None
) -> bool:
    """Whether a connection to that site knows its documents by the hub's own field."""
    query = (
        select(Connection.api_url)
        .join(TwoWay, TwoWay.connection_id == Connection.id)
        .where(TwoWay.record_type == record_type, TwoWay.owned_field.is_not(None))
    )
    if but is not None:
        query = query.where(Connection.id != but.id)
    return any(same_place(other, api_url) for other in (await session.scalars(query)).all())


async def _count(session: AsyncSession, query: Any) -> int:
    return await session.scalar(select(func.count()).select_from(query.subquery())) or 0
