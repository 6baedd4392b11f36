"""When connections are due, and how one is claimed once. The mirror starts the runs.

`frequency` has the schedules there are.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from bascule.connections.frequency import read
from bascule.connections.resting import at_rest
from bascule.connections.tables import Connection

SPREAD = 60 * 60  # seconds after its hour, over which the connections are spread
NO_PHASE = timedelta(0)


def parse(schedule: str) -> str:
    """The schedule in its canonical form. Invalid: it is none."""
    return str(read(schedule))


def next_time(schedule: str, now: datetime, *, phase: timedelta = NO_PHASE) -> datetime | None:
    """The first time after `now` (aware) that this schedule names; None: manual.

    `phase`: how long after its hour a daily, weekly or monthly one is, see `phase_of`.
    """
    return read(schedule).next_after(now.astimezone(UTC), phase)


def next_verify(schedule: str, now: datetime, *, phase: timedelta = NO_PHASE) -> datetime | None:
    """Daily, an hour after the sync where that has an hour, else at 03:00 UTC; None for manual
    schedules.
    """
    frequency = read(schedule)
    if frequency.kind == "manual":
        return None
    return frequency.proof().next_after(now.astimezone(UTC), phase)


def phase_of(connection_id: UUID) -> timedelta:
    """A fixed offset below one hour, by which the load of many connections is spread."""
    return timedelta(seconds=connection_id.int % SPREAD)


@dataclass(frozen=True)
class Timetable:
    """A recurring task of connections: the column that holds when it is due, and what follows."""

    due: InstrumentedAttribute[datetime | None]
    following: Callable[[Connection, datetime], datetime | None]


def _next_sync(connection: Connection, now: datetime) -> datetime | None:
    """Missed times are made up for by one sync; the following ones keep their original times."""
    planned = connection.next_sync_at or now
    phase = phase_of(connection.id)
    upcoming = next_time(connection.schedule, planned, phase=phase)
    if upcoming is None or upcoming > now:
        return upcoming
    if (step := upcoming - planned) and connection.schedule.startswith("every"):
        return planned + step * ((now - planned) // step + 1)
    return next_time(connection.schedule, now, phase=phase)


def _next_proof(connection: Connection, now: datetime) -> datetime | None:
    return next_verify(connection.schedule, now, phase=phase_of(connection.id))


SYNCS = Timetable(Connection.next_sync_at, _next_sync)
PROOFS = Timetable(Connection.next_verify_at, _next_proof)


async def all_due(session: AsyncSession, table: Timetable, now: datetime) -> list[UUID]:
    """Ids of the connections that are due and not at rest, the longest overdue first."""
    query = select(Connection.id).where(table.due <= now, ~at_rest()).order_by(table.due)
    return list((await session.scalars(query)).all())


async def take_due(
    session: AsyncSession, table: Timetable, connection_id: UUID, now: datetime
) -> Connection | None:
    """This connection, moved on to its next time; None where somebody else has taken it.

    Once however many workers ask: its row is locked until this transaction ends; another worker
    skips it, and finds it moved on later. What is started in the same transaction is so started
    once, and not at all where that is cut off: it is due still.
    """
    connection = await session.scalar(
        select(Connection)
        .where(Connection.id == connection_id, table.due <= now, ~at_rest())
        .with_for_update(skip_locked=True, key_share=True)
    )
    if connection is not None:
        setattr(connection, table.due.key, table.following(connection, now))
        await session.flush()
    return connection
