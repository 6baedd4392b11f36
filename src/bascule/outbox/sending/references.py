"""The values of a write as they are sent: with the names that other writes' documents got."""

from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.hub import Hub
from bascule.outbox.tables import OutboxWrite
from bascule.outbox.writes import REFERENCE, references, with_names


async def sent_values(hub: Hub, write: OutboxWrite) -> dict[str, Any]:
    values = {name: value for name, value in write.values.items() if name != REFERENCE}
    if not (wanted := set(references(values))):
        return values
    async with hub.db.session() as session:
        return dict(with_names(values, await _names(session, write, wanted)))


async def document_name(hub: Hub, write: OutboxWrite) -> str:
    """The name of the document that is changed, which another write may have made."""
    if write.name is not None:
        return write.name
    key = str(write.values[REFERENCE][REFERENCE])
    async with hub.db.session() as session:
        return str((await _names(session, write, {key}))[key])


async def _names(
    session: AsyncSession, write: OutboxWrite, keys: set[str]
) -> dict[str, str | None]:
    query = select(OutboxWrite.key, OutboxWrite.name).where(
        OutboxWrite.connection_id == write.connection_id, OutboxWrite.key.in_(keys)
    )
    return {row.key: row.name for row in await session.execute(query)}
