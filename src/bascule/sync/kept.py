"""The record that a document of a site is kept the same with; `sites.kept` leads to it."""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.connections.tables import Connection
from bascule.sites.kept import Kept, finds_kept
from bascule.sync.record_types import RECORD_TYPES
from bascule.sync.tables import Link, TwoWay


@finds_kept
async def kept(
    session: AsyncSession, connection: Connection, doctype: str, name: str
) -> Kept | None:
    kind = next((one for one in RECORD_TYPES.values() if one.doctype == doctype), None)
    if kind is None:
        return None
    of_this = TwoWay.connection_id == connection.id, TwoWay.record_type == kind.name
    number = await session.scalar(
        select(Link.record_id).join(TwoWay).where(*of_this, Link.document == name)
    )
    return None if number is None else Kept(f"/{kind.plural}/{number}", kind.name)
