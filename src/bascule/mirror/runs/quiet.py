"""Runs that changed nothing: after a day they are a count of their day, and their logs are gone.

A schedule of five minutes makes 288 runs a day of each stream, of which few bring something.
"""

from typing import Any

from psycopg import AsyncConnection
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.connections.tables import Connection
from bascule.mirror.schemas import QuietDay
from bascule.mirror.tables import QuietRuns, Stream

KEPT_HOURS = 24  # as runs, with what they said
AT_ONCE = 5_000  # in one transaction


async def count_and_delete(conn: AsyncConnection[Any]) -> int:
    """Counts and forgets a batch of them; how many. 0: all is done. What warned of something stays,
    and so does the newest run of each stream.
    """
    found = await conn.execute(_THIN, {"hours": KEPT_HOURS, "most": AT_ONCE})
    row = await found.fetchone()
    return int(row[0]) if row else 0


async def forget_days(conn: AsyncConnection[Any], kept_days: int) -> None:
    await conn.execute(
        "DELETE FROM bascule.quiet_runs WHERE day < (now() AT TIME ZONE 'UTC')::date - %s",
        [kept_days],
    )


async def quiet_days(
    session: AsyncSession, connection: Connection, stream: Stream | None = None
) -> list[QuietDay]:
    """Newest first: of a connection, or of one of its streams."""
    query = select(QuietRuns.day, func.sum(QuietRuns.runs)).join(
        Stream, Stream.id == QuietRuns.stream_id
    )
    query = query.where(Stream.connection_id == connection.id)
    if stream is not None:
        query = query.where(Stream.id == stream.id)
    query = query.group_by(QuietRuns.day).order_by(QuietRuns.day.desc())
    rows = (await session.execute(query)).all()
    return [QuietDay(day=row[0], runs=int(row[1])) for row in rows]


# The condition is that of ix_runs_quiet, word for word.
_THIN = """
WITH quiet AS (
    SELECT r.id FROM bascule.runs r
     WHERE r.kind = 'sync' AND r.outcome = 'done' AND r.rows_changed = 0 AND r.rows_deleted = 0
       AND r.finished_at < now() - make_interval(hours => %(hours)s)
       AND r.id < (SELECT max(n.id) FROM bascule.runs n WHERE n.stream_id = r.stream_id)
       AND NOT EXISTS (
           SELECT FROM bascule.run_logs l WHERE l.run_id = r.id AND l.level <> 'info')
     ORDER BY r.finished_at LIMIT %(most)s FOR UPDATE OF r SKIP LOCKED
), gone AS (
    DELETE FROM bascule.runs r USING quiet WHERE r.id = quiet.id
    RETURNING r.stream_id, r.finished_at
), counted AS (
    INSERT INTO bascule.quiet_runs AS known (stream_id, day, runs)
    SELECT stream_id, (finished_at AT TIME ZONE 'UTC')::date, count(*) FROM gone GROUP BY 1, 2
    ON CONFLICT (stream_id, day) DO UPDATE SET runs = known.runs + excluded.runs
)
SELECT count(*) FROM gone
"""
