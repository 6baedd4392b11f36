"""Runs: looked up, and carried out one attempt at a time."""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec
from sqlalchemy import ColumnElement, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.accounts.tables import User
from bascule.connections.sharing import seen_by
from bascule.connections.sites import pool_of
from bascule.connections.tables import Connection
from bascule.errors import HubError, NoSuch
from bascule.events.live import publish
from bascule.frappe import FrappeError, Invalid, NoPermission, Site, Unavailable, WrongCredentials
from bascule.hub import Hub
from bascule.mirror import pull
from bascule.mirror.attempt import Attempt, Superseded, first_of
from bascule.mirror.beginning import begin, without
from bascule.mirror.columns import Shape
from bascule.mirror.patience import FORGOTTEN, after_failure, again
from bascule.mirror.room import DiskNearlyFull
from bascule.mirror.shapes import forget_shapes
from bascule.mirror.starting import queue
from bascule.mirror.tables import Run, RunLog, Stream
from bascule.mirror.widths import TooWide
from bascule.mirror.withheld import FieldsWithheld
from bascule.store import StoreError
from bascule.store.causes import FAULT, cause_of

log = logging.getLogger(__name__)

# How often within one run the site may be found to withhold a field; each table may have some.
MOST_RETAKES = 20
ROOM_AGAIN = timedelta(minutes=2)  # between two looks whether the disk has room for a run


async def _tell(session: AsyncSession, run: Run, outcome: str) -> None:
    await publish(
        session,
        "run",
        connection_id=run.connection_id,
        run_id=run.id,
        stream_id=run.stream_id,
        outcome=outcome,
    )


async def run_of(session: AsyncSession, run_id: int, viewer: User | None) -> Run:
    """NoSuch, also for a run of a connection that this viewer may not know of."""
    query = select(Run).join(Connection, Connection.id == Run.connection_id)
    run = await session.scalar(query.where(Run.id == run_id, seen_by(viewer)))
    if run is None:
        raise NoSuch(f"There is no run {run_id}.", next_step="`bascule logs` lists the latest.")
    return run


async def runs_of(
    session: AsyncSession,
    connection: Connection,
    limit: int,
    before: int | None = None,
    *,
    stream: Stream | None = None,
) -> list[Run]:
    """Newest first; `before` is the id of the last one that the caller has."""
    query = select(Run).where(Run.connection_id == connection.id)
    if stream is not None:
        query = query.where(Run.stream_id == stream.id)
    if before is not None:
        query = query.where(Run.id < before)
    return list((await session.scalars(query.order_by(Run.id.desc()).limit(limit))).all())


async def logs_of(session: AsyncSession, run_id: int, after: int = 0) -> list[RunLog]:
    query = select(RunLog).where(RunLog.run_id == run_id, RunLog.id > after)
    return list((await session.scalars(query.order_by(RunLog.id).limit(1000))).all())


async def carry_out(hub: Hub, run_id: int) -> None:
    """One attempt at a run. A site's refusal ends it with the error and its next step in the
    run's row.
    """
    begun = await _begin(hub, run_id)
    if begun is None:
        return
    run, stream, connection = begun
    try:
        async with pool_of(hub).lease(connection) as site:
            attempt, report = await _attempts(hub, site, run, stream, connection)
    except BaseException as raised:
        error = first_of(raised)
        if isinstance(error, Superseded):
            log.warning("Run %s was taken over by a later attempt", run_id)
            return
        if known := cause_of(error):
            log.warning("Run %s: %s", run_id, known, exc_info=error)
            error = known
        if not isinstance(error, FrappeError | HubError | StoreError):
            if isinstance(error, Exception):
                await _fail(hub, run, stream, connection, error)
            raise
        if isinstance(error, DiskNearlyFull):
            await _wait_for_room(hub, run, error)
            return
        if isinstance(error, TooWide):
            error.advise(stream.omit)
        await _fail(hub, run, stream, connection, error)
        return
    await _finish(hub, run, stream, connection, attempt, report)


async def _begin(hub: Hub, run_id: int) -> tuple[Run, Stream, Connection] | None:
    """Take the stream's next fence. None where the run is over, or gone with its connection."""
    async with hub.db.session() as session:
        run = await session.get(Run, run_id)
        if run is None or run.outcome in ("done", "failed"):
            return None
        stream = await session.get(Stream, run.stream_id, with_for_update=True)
        connection = await session.get(Connection, run.connection_id)
        if stream is None or connection is None:
            return None
        stream.fence += 1
        # Only one attempt at a stream is under way, so what still looks like it was cut off; not
        # what is looked at together with others, see `survey`, which has no fence.
        await cut_off(session, [stream.id], Run.fence.is_not(None), Run.id != run.id)
        run.fence, run.outcome = stream.fence, "running"
        run.attempts += 1
        run.started_at = run.started_at or datetime.now(UTC)
        await _tell(session, run, "running")
    return run, stream, connection


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
        await _tell(session, other, "failed")


async def _attempts(
    hub: Hub, site: Site, run: Run, stream: Stream, connection: Connection
) -> tuple[Attempt, dict[str, object]]:
    """The work, until it is done: where the site withholds a field, it goes on without it. What the
    site refuses may be a field that it had a moment ago, or a function that its version took: what
    is asked otherwise now is gone on with.
    """
    refused, before = None, None
    for left in range(MOST_RETAKES, -1, -1):
        attempt = await begin(hub, site, run, stream, connection)
        if refused is not None:
            if _asking(attempt) == before:
                raise refused
            await attempt.log(f"The site refused what it had before: {refused}")
            refused = None
        try:
            return attempt, await _work(attempt, run)
        except (FieldsWithheld, Invalid, NoPermission, BaseExceptionGroup) as raised:
            told = first_of(raised)
            if not isinstance(told, FieldsWithheld | Invalid | NoPermission) or not left:
                raise
        forget_shapes(connection.id, stream.doctype)
        if isinstance(told, FieldsWithheld):
            stream = await without(hub, run, attempt, told)
        else:
            site.forget_abilities()
            refused, before = told, _asking(attempt)
            stream.cursor, stream.rows = msgspec.to_builtins(attempt.cursor), attempt.rows
    raise AssertionError("the last attempt returns or raises")


def _asking(attempt: Attempt) -> tuple[Shape, bool]:
    """What a site is asked for: columns, and checksums of them or none."""
    return attempt.shape, attempt.tables.parent.checksum is not None


async def _work(attempt: Attempt, run: Run) -> dict[str, object]:
    if run.kind in ("verify", "repair"):
        found = await pull.verify(attempt, repair=run.kind == "repair")
        return found.report()
    await pull.sync(attempt, afresh=run.kind == "full" and run.attempts == 1)
    return {}


async def _finish(
    hub: Hub,
    run: Run,
    stream: Stream,
    connection: Connection,
    attempt: Attempt,
    report: dict[str, object],
) -> None:
    now = datetime.now(UTC)
    await attempt.log(attempt.done)
    async with hub.db.session() as session:
        await session.execute(
            update(Run)
            .where(Run.id == run.id, Run.fence == run.fence)
            .values(outcome="done", finished_at=now, seconds=_seconds(run, now), report=report)
        )
        success: dict[str, object] = {
            "last_success_at": now,
            "last_error": None,
            "last_error_step": None,
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
        await _tell(session, run, "done")
        await publish(
            session, "stream", connection_id=connection.id, stream_id=stream.id, change="synced"
        )


async def _wait_for_room(hub: Hub, run: Run, full: DiskNearlyFull) -> None:
    """The run goes on where it was, once there is room again."""
    async with hub.db.session() as session:
        waits = await session.execute(
            update(Run)
            .where(Run.id == run.id, Run.fence == run.fence, Run.outcome == "running")
            .values(outcome="queued")
            .returning(Run.id)
        )
        if waits.first() is None:
            return
        session.add(RunLog(run_id=run.id, level="warning", message=f"It waits. {full.message}"))
        await queue(hub, session, run, datetime.now(UTC) + ROOM_AGAIN)
        await _tell(session, run, "queued")


async def _fail(
    hub: Hub, run: Run, stream: Stream, connection: Connection, error: Exception
) -> None:
    """Keep what went wrong and what to do, at the run, its stream and, where it is the site,
    there.
    """
    now = datetime.now(UTC)
    known = isinstance(error, FrappeError | HubError | StoreError)
    message = str(error) if known else f"{type(error).__name__} in the hub"
    step = getattr(error, "next_step", None) or f"{FAULT} `bascule sync` tries again."
    async with hub.db.session() as session:
        still = await session.execute(
            update(Run)
            .where(Run.id == run.id, Run.fence == run.fence)
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
        patience = after_failure(stream, error, now)
        told = f"{message} {step}{again(stream.doctype, patience)}"
        session.add(RunLog(run_id=run.id, level="error", message=told))
        await session.execute(
            update(Stream)
            .where(Stream.id == stream.id)
            .values(last_error=message, last_error_step=step, **after_failure(stream, error, now))
        )
        health = "refused" if isinstance(error, WrongCredentials) else None
        if isinstance(error, Unavailable):
            health = "down"
        if health is not None:
            await note_health(session, connection, health, message, now)
        await _tell(session, run, "failed")
        await publish(
            session, "stream", connection_id=connection.id, stream_id=stream.id, change="failed"
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
