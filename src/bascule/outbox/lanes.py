"""Which writes may go now, and who sends them: a lane of a connection is one sender's at a time.

A write's lane is its lock's or its origin's, so that what must not overlap never does, over all
workers. A lane is held by an advisory lock of a transaction, which a killed worker's PostgreSQL
session gives back at once.
"""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.hub import Hub
from bascule.store.session import JOBS_SCHEMA

LANES = 3  # of a connection: how many workers send to one site at a time
SEND = "outbox.send"
_HOLD = "hashtextextended('outbox:' || {} || ':' || {}, 0)"
_TRY = f"SELECT pg_try_advisory_xact_lock({_HOLD.format('%s::text', '%s::text')})"

# Of one origin the oldest goes first; what it depends on is written; nobody who has its lock is
# under way.
MAY_GO = """
    w.state IN ('waiting', 'sending', 'in_doubt')
    AND (w.retry_at IS NULL OR w.retry_at <= now())
    AND NOT EXISTS (SELECT FROM bascule.outbox_writes e
         WHERE e.connection_id = w.connection_id AND e.origin_kind = w.origin_kind
           AND e.origin_id = w.origin_id AND e.id < w.id
           AND e.state NOT IN ('written', 'given_up'))
    AND (w.depends_on = '{}' OR NOT EXISTS (SELECT FROM bascule.outbox_writes d
         WHERE d.connection_id = w.connection_id AND d.key = ANY(w.depends_on)
           AND d.state <> 'written'))
    AND (w.lock_name IS NULL OR NOT EXISTS (SELECT FROM bascule.outbox_writes l
         WHERE l.connection_id = w.connection_id AND l.lane = w.lane
           AND l.lock_name = w.lock_name AND l.id <> w.id AND l.state IN ('sending', 'in_doubt')))
"""
_NEXT = text(
    f"SELECT w.id FROM bascule.outbox_writes w WHERE w.connection_id = :connection"
    f" AND w.lane = :lane AND {MAY_GO} ORDER BY w.id LIMIT :most"
)
_DUE = f"""
    SELECT each.connection_id, each.lane FROM (
        SELECT DISTINCT connection_id, lane FROM bascule.outbox_writes
         WHERE state IN ('waiting', 'sending', 'in_doubt')) each
     WHERE NOT EXISTS (SELECT FROM bascule.circuits c
            WHERE c.connection_id = each.connection_id AND c.open_until > now())
       AND EXISTS (SELECT FROM bascule.outbox_writes w
            WHERE w.connection_id = each.connection_id AND w.lane = each.lane AND {MAY_GO})
"""
_QUEUED = text(
    f"SELECT (args ->> 'lane')::int FROM {JOBS_SCHEMA}.procrastinate_jobs"
    " WHERE status = 'todo' AND task_name = :task AND args ->> 'connection_id' = :connection"
)


async def next_numbers(
    session: AsyncSession, connection_id: UUID, lane: int, most: int
) -> list[int]:
    """The writes of this lane that may go now, the oldest first."""
    found = await session.scalars(_NEXT, {"connection": connection_id, "lane": lane, "most": most})
    return list(found.all())


async def queue_lanes(
    hub: Hub, session: AsyncSession, connection_id: UUID, lanes: Collection[int]
) -> None:
    """A job for each in the caller's transaction, where none waits already.

    One that waits may begin before this transaction is over, and see nothing of it: `start_due`
    comes round for that.
    """
    asked = {"task": SEND, "connection": str(connection_id)}
    queued = set((await session.scalars(_QUEUED, asked)).all())
    for lane in sorted(set(lanes) - queued):
        await hub.jobs.defer(SEND, connection=session, connection_id=str(connection_id), lane=lane)


@asynccontextmanager
async def holding(hub: Hub, connection_id: UUID, lane: int) -> AsyncIterator[bool]:
    """Whether the lane is ours within the block; if not, somebody else sends."""
    async with hub.db.connection() as guard, guard.transaction():
        got = await (await guard.execute(_TRY, [str(connection_id), lane])).fetchone()
        yield bool(got and got[0])


async def start_due(hub: Hub) -> None:
    """Queues the lanes that have something to send and nobody who sends it."""
    async with hub.db.connection() as conn:
        due = await (await conn.execute(_DUE.encode())).fetchall()
    for connection_id, lane in due:
        async with holding(hub, connection_id, lane) as free:
            if free:
                async with hub.db.session() as session:
                    await queue_lanes(hub, session, connection_id, [lane])
