"""A site that does not answer, or does not let the hub in, is left alone for a while, longer each
time; then one send or one run tries it again. A success ends that, and so does other credentials.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Literal
from uuid import UUID

from sqlalchemy import ColumnElement, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.backoff import Backoff
from bascule.connections.tables import Circuit, Connection
from bascule.frappe import (
    AddressRefused,
    FrappeError,
    NotAFrappeSite,
    TLSFailure,
    Unavailable,
    WrongCredentials,
)

TRYING = timedelta(seconds=30)  # that a send which tries has, before another may
RETRY = Backoff(2.0, longest=15 * 60.0, jitter=0.5)
# These say that nobody gets through to the site at present, whatever is asked or sent.
OF_THE_SITE = (Unavailable, WrongCredentials, TLSFailure, NotAFrappeSite, AddressRefused)

Kind = Literal["down", "refused"]


@dataclass(frozen=True)
class Failed:
    """Why nobody gets through, and what to do about it."""

    kind: Kind
    why: str
    next_step: str
    retry_after: float | None = None

    @classmethod
    def of(cls, error: FrappeError) -> "Failed":
        kind: Kind = "refused" if isinstance(error, WrongCredentials) else "down"
        pause = error.retry_after if isinstance(error, Unavailable) else None
        return cls(kind, str(error), error.next_step, pause)


@dataclass(frozen=True)
class Entry:
    """`shut`: why nothing may be asked now; else go on. `trying`: as the one who tries."""

    shut: Circuit | None = None
    trying: bool = False


def way_in(connection: Connection) -> str:
    """Changes with the address and the credentials, and tells neither."""
    parts = (connection.api_url, connection.api_key_encrypted, connection.api_secret_encrypted)
    return sha256("\n".join(parts).encode()).hexdigest()


async def enter(session: AsyncSession, connection: Connection, trying: timedelta = TRYING) -> Entry:
    """Who finds the time over is the one who tries, and has so long before another may."""
    if await session.get(Circuit, connection.id) is None:
        return Entry()
    now = datetime.now(UTC)
    until = now + trying
    mine = await session.execute(
        update(Circuit)
        .where(
            Circuit.connection_id == connection.id,
            or_(Circuit.open_until <= now, Circuit.way_in != way_in(connection)),
        )
        .values(open_until=until, trying_until=until, way_in=way_in(connection))
        .returning(Circuit.connection_id)
    )
    if mine.first() is not None:
        return Entry(trying=True)
    return Entry(await session.get(Circuit, connection.id, populate_existing=True))


async def failed(session: AsyncSession, connection: Connection, told: Failed) -> datetime:
    """Opens it, longer each time; until when. Those who were under way together count as one."""
    now = datetime.now(UTC)
    there = await session.get(Circuit, connection.id, populate_existing=True)
    waits = there is not None and there.open_until > now and there.trying_until is None
    if there and waits and there.way_in == way_in(connection):
        return there.open_until
    until = now + pause(there.failures if there else 0, told.retry_after)
    values = {
        "open_until": until,
        "trying_until": None,
        "way_in": way_in(connection),
        "kind": told.kind,
        "why": told.why,
        "next_step": told.next_step,
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
    """Somebody says that the site answers, or who tried has let it be: the next finds out."""
    await session.execute(
        update(Circuit)
        .where(Circuit.connection_id == connection_id)
        .values(open_until=func.least(Circuit.open_until, func.now()), trying_until=None)
    )


async def succeeded(session: AsyncSession, connection_id: UUID) -> bool:
    """Whether it was open: those who wait need wait no longer."""
    gone = await session.execute(
        delete(Circuit)
        .where(Circuit.connection_id == connection_id)
        .returning(Circuit.connection_id)
    )
    return gone.first() is not None


async def mended(session: AsyncSession) -> list[Connection]:
    """Connections that were given another way in since they failed."""
    query = select(Connection, Circuit.way_in).join(Circuit, Circuit.connection_id == Connection.id)
    return [one for one, then in (await session.execute(query)).all() if way_in(one) != then]


def is_shut() -> ColumnElement[bool]:
    """For a query of connections: it was opened, and nobody has got through since."""
    return select(Circuit).where(Circuit.connection_id == Connection.id).exists()


def pause(attempts: int, asked_for: float | None = None) -> timedelta:
    """How long to wait after a failure that had this many before it, and no less than asked for."""
    return timedelta(seconds=RETRY.pause(attempts, at_least=asked_for))
