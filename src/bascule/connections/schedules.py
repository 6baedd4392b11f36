"""When a connection is next due: manual, every N minutes, hourly, daily, weekly; all in UTC.

Only says what is due, and says it once; starting the runs is the mirror's.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from bascule.connections.resting import at_rest
from bascule.connections.tables import Connection
from bascule.errors import Invalid

MAX_MINUTES = 7 * 24 * 60
NIGHT = time(2, 0)  # when sites are quiet: the hour of the daily and the weekly sync
VERIFY = time(3, 0)  # an hour after it, so that the proof is about fresh rows
SPREAD = 60 * 60  # seconds after that hour, over which the connections are spread
NO_PHASE = timedelta(0)
SUNDAY = 6  # datetime.weekday()
CHOICES = ("manual", "every 15 minutes", "hourly", "daily", "weekly")
_EVERY = re.compile(r"every\s+(?:([0-9]{1,6})\s*)?(?:minutes?|mins?|m)", re.ASCII)


def parse(schedule: str) -> str:
    """The one way to write this schedule; Invalid when it is none."""
    words = " ".join(schedule.lower().split())
    if words in ("manual", "hourly", "daily", "weekly"):
        return words
    if every := _EVERY.fullmatch(words):
        minutes = int(every[1] or 1)
        if 1 <= minutes <= MAX_MINUTES:
            return f"every {minutes} minutes"
    raise Invalid(
        "This schedule is not understood.",
        next_step=f"Choose one of: {', '.join(CHOICES)}; or other minutes, up to {MAX_MINUTES}.",
        fields={"schedule": "not one of manual, every N minutes, hourly, daily, weekly"},
    )


def next_time(schedule: str, now: datetime, *, phase: timedelta = NO_PHASE) -> datetime | None:
    """The first time after `now` (aware) that this schedule names; None: manual.

    `phase`: how long after its hour a daily or weekly one is, see `phase_of`.
    """
    words = parse(schedule)
    now = now.astimezone(UTC)
    if words == "manual":
        return None
    if words == "hourly":
        return now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    if words == "daily":
        return _next_at(NIGHT, phase, now)
    if words == "weekly":
        night = _next_at(NIGHT, phase, now)
        return night + timedelta(days=(SUNDAY - night.weekday()) % 7)
    return now + timedelta(minutes=int(words.split()[1]))


def next_verify(schedule: str, now: datetime, *, phase: timedelta = NO_PHASE) -> datetime | None:
    """Once a day, except where a person said that nothing happens by itself."""
    if parse(schedule) == "manual":
        return None
    return _next_at(VERIFY, phase, now.astimezone(UTC))


def phase_of(connection_id: UUID) -> timedelta:
    """Below an hour, and always the same: many sites are not all asked in one moment."""
    return timedelta(seconds=connection_id.int % SPREAD)


def _next_at(hour: time, phase: timedelta, now: datetime) -> datetime:
    today = datetime.combine(now.date(), hour, tzinfo=UTC) + phase
    return today if today > now else today + timedelta(days=1)


@dataclass(frozen=True)
class Timetable:
    """What of a connection comes round: when it is due, and when after that."""

    due: InstrumentedAttribute[datetime | None]
    following: Callable[[Connection, datetime], datetime | None]


def _next_sync(connection: Connection, now: datetime) -> datetime | None:
    """What was missed is done once, and from then on at the times at which it would have been."""
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
    """The connections of which this is due, the longest waiting first."""
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
