"""A site that does not answer is left alone for a while; one send at a time tries it again."""

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from uuid import UUID

from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.connections.tables import Connection
from bascule.twoway.failures import Trouble, pause
from bascule.twoway.tables import Circuit

TRYING = timedelta(seconds=30)  # that the one who tries has, before another may


def way_in(connection: Connection) -> str:
    """Changes with the address and the credentials, and tells neither."""
    parts = (connection.api_url, connection.api_key_encrypted, connection.api_secret_encrypted)
    return sha256("\n".join(parts).encode()).hexdigest()


async def closed_until(session: AsyncSession, connection: Connection) -> Circuit | None:
    """None: send. Else when, and why not now. Who finds the time over is the one who tries."""
    if await session.get(Circuit, connection.id) is None:
        return None
    now = datetime.now(UTC)
    mine = await session.execute(
        update(Circuit)
        .where(
            Circuit.connection_id == connection.id,
            or_(Circuit.open_until <= now, Circuit.way_in != way_in(connection)),
        )
        .values(open_until=now + TRYING, way_in=way_in(connection))
        .returning(Circuit.connection_id)
    )
    if mine.first() is not None:
        return None
    return await session.get(Circuit, connection.id, populate_existing=True)


async def failed(session: AsyncSession, connection: Connection, trouble: Trouble) -> datetime:
    """Opens it, longer each time; until when."""
    failures = await session.scalar(
        select(Circuit.failures).where(Circuit.connection_id == connection.id)
    )
    until = datetime.now(UTC) + pause(failures or 0, trouble.retry_after)
    values = {
        "open_until": until,
        "way_in": way_in(connection),
        "why": trouble.why,
        "next_step": trouble.next_step,
    }
    await session.execute(
        insert(Circuit)
        .values(connection_id=connection.id, failures=1, **values)
        .on_conflict_do_update(
            index_elements=[Circuit.connection_id],
            set_={**values, "failures": Circuit.failures + 1},
        )
    )
    return until


async def try_now(session: AsyncSession, connection_id: UUID) -> None:
    """Somebody says that the site answers: the next send finds out."""
    await session.execute(
        update(Circuit)
        .where(Circuit.connection_id == connection_id)
        .values(open_until=func.least(Circuit.open_until, func.now()))
    )


async def succeeded(session: AsyncSession, connection: Connection) -> bool:
    """Whether it was open: those who wait need wait no longer."""
    gone = await session.execute(
        delete(Circuit)
        .where(Circuit.connection_id == connection.id)
        .returning(Circuit.connection_id)
    )
    return gone.first() is not None


async def mended(session: AsyncSession) -> list[Connection]:
    """Connections that were given another way in since they failed."""
    query = select(Connection, Circuit.way_in).join(Circuit, Circuit.connection_id == Connection.id)
    return [one for one, then in (await session.execute(query)).all() if way_in(one) != then]
