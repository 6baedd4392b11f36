"""When a connection is next due: manual, every N minutes, hourly, daily, weekly; all in UTC.

Only says what is due, and says it once; starting the runs is the mirror's.
"""

import re
from datetime import UTC, datetime, time, timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from bascule.connections.tables import Connection
from bascule.errors import Invalid

MAX_MINUTES = 7 * 24 * 60
NIGHT = time(2, 0)  # when sites are quiet: the hour of the daily and the weekly sync
VERIFY = time(3, 0)  # an hour after it, so that the proof is about fresh rows
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


def next_time(schedule: str, now: datetime) -> datetime | None:
    """The first time after `now` (aware) that this schedule names; None: manual."""
    words = parse(schedule)
    now = now.astimezone(UTC)
    if words == "manual":
        return None
    if words == "hourly":
        return now.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    if words == "daily":
        return _next_at(NIGHT, now)
    if words == "weekly":
        night = _next_at(NIGHT, now)
        return night + timedelta(days=(SUNDAY - night.weekday()) % 7)
    return now + timedelta(minutes=int(words.split()[1]))


def next_verify(schedule: str, now: datetime) -> datetime | None:
    """Once a day, except where a person said that nothing happens by itself."""
    return None if parse(schedule) == "manual" else _next_at(VERIFY, now.astimezone(UTC))


def _next_at(hour: time, now: datetime) -> datetime:
    today = datetime.combine(now.date(), hour, tzinfo=UTC)
    return today if today > now else today + timedelta(days=1)


async def take_due(session: AsyncSession, now: datetime) -> list[Connection]:
    """The connections whose sync is due, each moved on to its next time.

    Once however many workers ask: the rows are locked until this transaction ends; another worker
    skips them, and finds them moved on later. What was missed while no worker ran is done once.
    """
    due = await _lock_due(session, Connection.next_sync_at, now)
    for connection in due:
        planned = next_time(connection.schedule, connection.next_sync_at or now)
        late = planned is not None and planned <= now
        connection.next_sync_at = next_time(connection.schedule, now) if late else planned
    await session.flush()
    return due


async def take_due_verify(session: AsyncSession, now: datetime) -> list[Connection]:
    """The connections whose daily proof is due; taken as in `take_due`."""
    due = await _lock_due(session, Connection.next_verify_at, now)
    for connection in due:
        connection.next_verify_at = next_verify(connection.schedule, now)
    await session.flush()
    return due


async def _lock_due(
    session: AsyncSession, when: InstrumentedAttribute[datetime | None], now: datetime
) -> list[Connection]:
    query = select(Connection).where(when <= now).order_by(when).with_for_update(skip_locked=True)
    return list((await session.scalars(query)).all())
