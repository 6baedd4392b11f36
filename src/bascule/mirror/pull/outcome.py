"""How runs end: done or failed, written at the run, its stream and, where it is the site, there."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, update
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.connections import circuit
from bascule.connections.circuit import Failed
from bascule.connections.tables import Circuit, Connection
from bascule.errors import HubError
from bascule.events.live import publish
from bascule.frappe import FrappeError, NoPermission
from bascule.hub import Hub
from bascule.mirror.pull.attempt import Attempt
from bascule.mirror.pull.patience import FORGOTTEN, after_failure, retry_text
from bascule.mirror.runs.start import lock_streams
from bascule.mirror.tables import Run, RunLog, Stream
from bascule.sites.watching import AtSite
from bascule.store import StoreError
from bascule.store.failures import FAULT
from bascule.telemetry import count


async def tell(session: AsyncSession, run: Run, outcome: str) -> None:
    await publish(
        session,
        "run",
        connection_id=run.connection_id,
        run_id=run.id,
        stream_id=run.stream_id,
        outcome=outcome,
    )


async def cut_off(
    session: AsyncSession, stream_ids: Sequence[int], *which: ColumnElement[bool]
) -> None:
    """Say of the runs of these streams that look as if they were under way that they are not."""
    others = await session.scalars(
        update(Run)
        .where(Run.stream_id.in_(stream_ids), Run.outcome == "running", *which)
        .values(
            outcome="failed",
            finished_at=datetime.now(UTC),
            error="It was cut off before it could tell how it ended.",
            next_step="Nothing: the run after it goes on where it was.",
        )
        .returning(Run)
    )
    for other in others.all():
        await tell(session, other, "failed")


async def finish(
    hub: Hub,
    run: Run,
    stream: Stream,
    connection: Connection,
    attempt: Attempt,
    report: dict[str, object],
) -> None:
    now = datetime.now(UTC)
    await attempt.log(attempt.done)
    count("runs", connection=connection.slug, kind=run.kind, outcome="done")
    async with hub.db.session() as session:
        await lock_streams(session, [stream.id])  # before its run, as whoever cancels it does
        await session.execute(
            update(Run)
            .where(Run.id == run.id, Run.fence == run.fence, Run.outcome == "running")
            .values(outcome="done", finished_at=now, seconds=_seconds(run, now), report=report)
        )
        success: dict[str, object] = {
            "last_success_at": now,
            "last_error": None,
            "last_error_step": None,
            "trouble": {},
            **FORGOTTEN,
        }
        if attempt.compared_by is not None:
            success |= {"compared_at": now, "compared_by": attempt.compared_by}
        if report:
            success |= {
                "last_verified_at": now,
                "verified_equal": bool(report["equal"] or report["repaired"]),
                "proven": report["proven"],
            }
        await session.execute(update(Stream).where(Stream.id == stream.id).values(**success))
        await session.execute(
            update(Connection)
            .where(Connection.id == connection.id)
            .values(time_zone=connection.time_zone)
        )
        # It answered after this moment, perhaps not much.
        began = attempt.began
        await note_health(session, connection, "ok", None, now, unless_refused_since=began)
        await circuit.succeeded(session, connection.id)
        await tell(session, run, "done")
        await publish(
            session, "stream", connection_id=connection.id, stream_id=stream.id, change="synced"
        )


async def fail(at: AtSite, run: Run, stream: Stream, error: Exception) -> None:
    """Keep what went wrong and what to do, at the run, its stream and, where it is the site,
    there.
    """
    now = datetime.now(UTC)
    known = isinstance(error, FrappeError | HubError | StoreError)
    message = str(error) if known else f"{type(error).__name__} in the hub"
    step = getattr(error, "next_step", None) or f"{FAULT} `bascule sync` tries again."
    async with at.hub.db.session() as session:
        await lock_streams(session, [stream.id])
        still = await session.execute(
            update(Run)
            .where(Run.id == run.id, Run.fence == run.fence, Run.outcome == "running")
            .values(
                outcome="failed",
                finished_at=now,
                seconds=_seconds(run, now),
                error=message,
                next_step=step,
            )
            .returning(Run.id)
        )
        if still.first() is None:
            return
        count("runs", connection=at.connection.slug, kind=run.kind, outcome="failed")
        count("errors", where="runs", kind=type(error).__name__)
        patience = after_failure(stream, error, now)
        told = f"{message} {step}{retry_text(stream.doctype, patience)}"
        session.add(RunLog(run_id=run.id, level="error", message=told))
        values = {"last_error": message, "last_error_step": step, "trouble": _trouble(at, error)}
        its = update(Stream).where(Stream.id == stream.id)
        await session.execute(its.values(**values, **patience))
        await note_answer(session, at, error, now)
        await tell(session, run, "failed")
        await _tell_stream(session, stream.connection_id, stream.id)


def _trouble(at: AtSite, error: Exception) -> dict[str, Any]:
    """Of what kind it is, so that what has one cause is told once; see `Stream`."""
    if at.nobody_gets_through(error):
        return {"kind": "site"}
    if isinstance(error, NoPermission) and error.field is None:
        return {"kind": "rights", "roles": list(error.roles)}
    return {}


async def note_answer(
    session: AsyncSession, at: AtSite, error: BaseException, now: datetime
) -> None:
    """What this says about the site: that it is to be left alone for a while, or that it answers,
    if only with a no.
    """
    connection = at.connection
    if isinstance(error, FrappeError) and at.nobody_gets_through(error):
        told = Failed.of(error)
        await note_health(session, connection, told.kind, told.why, now)
        await circuit.failed(session, connection, told)
    elif isinstance(error, FrappeError) and not isinstance(error, circuit.OF_THE_SITE):
        await circuit.succeeded(session, connection.id)
    elif at.trying:
        await circuit.try_now(session, connection.id)


async def leave_alone(session: AsyncSession, run: Run, shut: Circuit) -> None:
    """End a run that has not begun: its site is left alone at present."""
    now = datetime.now(UTC)
    step = (
        f"{shut.next_step} The site is left alone until {shut.open_until:%H:%M} UTC, longer each "
        "time, and then tried again by itself; 'Sync now' tries it at once."
    )
    run.outcome, run.finished_at, run.seconds = "failed", now, 0.0
    run.error, run.next_step = shut.why, step
    session.add(RunLog(run_id=run.id, level="error", message=f"{shut.why} {step}"))
    values = {"last_error": shut.why, "last_error_step": step, "trouble": {"kind": "site"}}
    await session.execute(update(Stream).where(Stream.id == run.stream_id).values(**values))
    await tell(session, run, "failed")
    await _tell_stream(session, run.connection_id, run.stream_id)


async def _tell_stream(session: AsyncSession, connection_id: UUID, stream_id: int) -> None:
    await publish(
        session, "stream", connection_id=connection_id, stream_id=stream_id, change="failed"
    )


async def note_health(
    session: AsyncSession,
    connection: Connection,
    health: str,
    detail: str | None,
    now: datetime,
    *,
    unless_refused_since: datetime | None = None,
) -> None:
    """Note how the site answers. `unless_refused_since`: keys taken away after that moment are not
    there again because a run that began with them came to its end.
    """
    known = await session.get(Connection, connection.id, with_for_update={"key_share": True})
    if known is None:
        return
    refused_at = known.checked_at if known.health == "refused" else None
    if refused_at and unless_refused_since and refused_at > unless_refused_since:
        return
    before = known.health
    known.health, known.health_detail, known.checked_at = health, detail, now
    if before != health:
        await publish(session, "connection", connection_id=connection.id, health=health)


def _seconds(run: Run, now: datetime) -> float:
    return (now - (run.started_at or now)).total_seconds()
