"""The status of the queue: how many jobs wait for a place, since when, who holds the places, and
whether a worker is alive.

Not counted are jobs that wait for their own lock or for a place of their connection, since that
says nothing of how busy the workers are, and ticks, which a worker leaves behind when it ends.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from psycopg import AsyncConnection

from bascule.jobs.priorities import KNOWN, READY, Places
from bascule.jobs.registry import PERIODIC, SWEEP, Work

LATELY = 30.0  # seconds; a worker's heartbeat comes every 5
PATIENCE = timedelta(minutes=10)  # a job that waits longer is a fault

# A job with a `schedule_at` waits for a place from that time on.
_WAITING = f"""
    {READY}
    SELECT count(*), min(greatest(jobs.scheduled_at, event.at))
      FROM ready AS jobs
      LEFT JOIN procrastinate_events AS event
           ON event.job_id = jobs.id AND event.type = 'deferred'
     WHERE jobs.task_name <> ALL(%(ticks)s)
"""
_HOLDERS = """
    SELECT jobs.args ->> 'connection_id', jobs.task_name, count(*), min(event.at)
      FROM procrastinate_jobs AS jobs
      LEFT JOIN LATERAL (SELECT max(at) AS at FROM procrastinate_events
                          WHERE job_id = jobs.id AND type = 'started') AS event ON true
     WHERE jobs.status = 'doing' GROUP BY 1, 2 ORDER BY 3 DESC, 4
"""
_WORKER = """
    SELECT max(last_heartbeat),
           coalesce(max(last_heartbeat) > now() - %s * interval '1 s', false)
      FROM procrastinate_workers
"""


@dataclass(frozen=True)
class Holder:
    """The places that jobs of one task hold for one connection, or for none."""

    connection_id: str | None
    task: str
    places: int
    since: datetime | None


@dataclass(frozen=True)
class Queue:
    """`waiting` counts the jobs that would start if there were a place; `oldest_at` is since when
    the first of them waits. `worker_at` is the last heartbeat of any worker.
    """

    worker_at: datetime | None
    worker_alive: bool
    waiting: int
    oldest_at: datetime | None
    holders: list[Holder]

    @property
    def oldest_seconds(self) -> float | None:
        if self.oldest_at is None:
            return None
        return max(0.0, (datetime.now(UTC) - self.oldest_at).total_seconds())

    @property
    def stands(self) -> bool:
        """Whether a job has waited longer than `PATIENCE`."""
        return self.oldest_at is not None and self.oldest_at < datetime.now(UTC) - PATIENCE


# Each job's class is that of its task, or the higher one that it was queued with.
_BACKLOG = f"""
    {READY}
    SELECT greatest(known.class, jobs.priority), count(*),
           min(greatest(jobs.scheduled_at, event.at))
      FROM ready AS jobs
      LEFT JOIN known ON known.task_name = jobs.task_name
      LEFT JOIN procrastinate_events AS event
           ON event.job_id = jobs.id AND event.type = 'deferred'
     GROUP BY 1
"""
_DOING = f"""
    WITH {KNOWN}
    SELECT greatest(known.class, jobs.priority), count(*) FROM procrastinate_jobs AS jobs
      LEFT JOIN known ON known.task_name = jobs.task_name
     WHERE status = 'doing' GROUP BY 1
"""


@dataclass(frozen=True)
class Backlog:
    """The waiting and the running jobs of one class of work."""

    work: Work
    waiting: int
    oldest_at: datetime | None
    running: int


async def backlog_of(conn: AsyncConnection, places: int) -> list[Backlog]:
    """Every class, the most urgent first, empty ones included."""
    asked = Places(places).asking()
    waiting = await (await conn.execute(_BACKLOG.encode(), asked)).fetchall()
    doing = await (await conn.execute(_DOING.encode(), asked)).fetchall()
    found = []
    for work in sorted(Work, reverse=True):
        waits = [row for row in waiting if _class_of(row[0]) is work]
        oldest = min((row[2] for row in waits if row[2] is not None), default=None)
        running = sum(row[1] for row in doing if _class_of(row[0]) is work)
        found.append(Backlog(work, sum(row[1] for row in waits), oldest, running))
    return found


def _class_of(number: int | None) -> Work:
    """The class at or below this priority."""
    return max((work for work in Work if work <= (number or 0)), default=Work.HOUSEKEEPING)


async def worker_seen(conn: AsyncConnection) -> tuple[datetime | None, bool]:
    """The last heartbeat of any worker, and whether it is recent."""
    row = await (await conn.execute(_WORKER, [LATELY])).fetchone()
    return (row[0], row[1]) if row is not None else (None, False)


async def queue_of(conn: AsyncConnection, places: int) -> Queue:
    """`places` is the concurrency of a worker, which bounds the places of one connection."""
    seen_at, alive = await worker_seen(conn)
    asked = Places(places).asking() | {
        "ticks": [*(one.task_name for one in PERIODIC.values()), SWEEP]
    }
    found = await (await conn.execute(_WAITING.encode(), asked)).fetchone()
    waiting, oldest_at = found if found is not None else (0, None)
    held = await (await conn.execute(_HOLDERS.encode())).fetchall()
    return Queue(seen_at, alive, waiting, oldest_at, [Holder(*row) for row in held])
