"""A site that does not answer is left alone for a while; one send at a time tries it again."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.twoway.failures import Trouble, pause
from bascule.twoway.tables import Circuit

TRYING = timedelta(seconds=30)  # that the one who tries has, before another may


async def closed_until(session: AsyncSession, connection_id: UUID) -> Circuit | None:
    """None: send. Else when, and why not now. Who finds the time over is the one who tries."""
    now = datetime.now(UTC)
    mine = await session.execute(
        update(Circuit)
        .where(Circuit.connection_id == connection_id, Circuit.open_until <= now)
        .values(open_until=now + TRYING)
        .returning(Circuit.connection_id)
    )
    if mine.first() is not None:
        return None
    return await session.get(Circuit, connection_id, populate_existing=True)


async def failed(session: AsyncSession, connection_id: UUID, trouble: Trouble) -> datetime:
    """Opens it, longer each time; until when."""
    failures = await session.scalar(
        select(Circuit.failures).where(Circuit.connection_id == connection_id)
    )
    until = datetime.now(UTC) + pause(failures or 0, trouble.retry_after)
    values = {"open_until": until, "why": trouble.why, "next_step": trouble.next_step}
    await session.execute(
        insert(Circuit)
        .values(connection_id=connection_id, failures=1, **values)
        .on_conflict_do_update(
            index_elements=[Circuit.connection_id],
            set_={**values, "failures": Circuit.failures + 1},
        )
    )
    return until


async def succeeded(session: AsyncSession, connection_id: UUID) -> bool:
    """Whether it was open: those who wait need wait no longer."""
    gone = await session.execute(
        delete(Circuit)
        .where(Circuit.connection_id == connection_id)
        .returning(func.count(Circuit.connection_id).over())
    )
    return gone.first() is not None
