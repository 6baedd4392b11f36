"""Runs that somebody ends: those that wait at once, one that goes within seconds.

Nothing is undone. What was written stays, and the cursor stands where it was, so the next run of
the stream goes on there. Who did it stands in the log of the run, and in the journal.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.accounts.tables import User
from bascule.connections.tables import Connection
from bascule.errors import Conflict
from bascule.hub import Hub
from bascule.mirror.pull.outcome import tell
from bascule.mirror.tables import OVER, Run, RunLog, Stream

# Of a run that is looked at together with others the job stays: it is the others' too.
_UNQUEUE = text(
    "DELETE FROM procrastinate_jobs WHERE status = 'todo' AND task_name = 'mirror.run'"
    " AND lock = 'stream:' || :stream AND (args ->> 'run_id')::bigint = :run"
)


async def cancel_run(hub: Hub, run: Run, *, by: User | None) -> Run:
    """The run as it is then. Conflict: it has ended already."""
    async with hub.db.session() as session:
        [*cancelled] = await _cancel(session, [run.id], by)
        if not cancelled:
            raise Conflict(
                f"Run {run.id} has ended already.",
                next_step="Nothing has to be done; its page tells how it ended.",
            )
        session.expunge_all()
    return cancelled[0]


async def cancel_runs(hub: Hub, connection: Connection, *, by: User | None) -> list[Run]:
    """All that wait or go of this connection."""
    async with hub.db.session() as session:
        found = await not_ended(session, connection)
        cancelled = await _cancel(session, [run.id for run in found], by)
        session.expunge_all()
    return cancelled


async def not_ended(session: AsyncSession, connection: Connection) -> list[Run]:
    its = (Run.connection_id == connection.id, Run.outcome.in_(("queued", "running")))
    return list((await session.scalars(select(Run).where(*its).order_by(Run.id))).all())


async def _cancel(session: AsyncSession, run_ids: Sequence[int], by: User | None) -> list[Run]:
    """Those of them that had not ended. From here on no page of theirs commits: each commits under
    its stream's fence.
    """
    now = datetime.now(UTC)
    streams = select(Stream.id).join(Run, Run.stream_id == Stream.id).where(Run.id.in_(run_ids))
    locked = select(Stream).where(Stream.id.in_(streams)).order_by(Stream.id).with_for_update()
    fences = {stream.id: stream.fence for stream in await session.scalars(locked)}
    query = select(Run).where(Run.id.in_(run_ids)).order_by(Run.id).with_for_update()
    query = query.execution_options(populate_existing=True)
    cancelled = [run for run in await session.scalars(query) if run.outcome not in OVER]
    for run in cancelled:
        if run.outcome == "running" and run.fence == fences.get(run.stream_id):
            its = update(Stream).where(Stream.id == run.stream_id)
            await session.execute(its.values(fence=Stream.fence + 1))
        await session.execute(_UNQUEUE, {"stream": run.stream_id, "run": run.id})
        run.outcome, run.finished_at = "cancelled", now
        run.seconds = (now - (run.started_at or now)).total_seconds()
        who = by.username if by else "the owner of this machine"
        told = f"Cancelled by {who}. What is here stays; the next run goes on where this one was."
        session.add(RunLog(run_id=run.id, level="warning", message=told))
        await session.flush()
        await tell(session, run, "cancelled")
    return cancelled
