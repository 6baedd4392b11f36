"""Runs: looked up, and carried out one attempt at a time."""

import logging
from datetime import UTC, datetime, timedelta
from functools import partial

import msgspec
from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.accounts.tables import User
from bascule.connections import circuit
from bascule.connections.circuit import TRYING
from bascule.connections.sharing import seen_by
from bascule.connections.tables import Connection
from bascule.errors import HubError, NoSuch
from bascule.frappe import FrappeError, Invalid, NoPermission, Site
from bascule.hub import Hub
from bascule.mirror.pull import stream
from bascule.mirror.pull.attempt import Attempt, Superseded, first_of
from bascule.mirror.pull.outcome import cut_off, fail, finish, leave_alone, note_health, tell
from bascule.mirror.pull.preparation import begin, without
from bascule.mirror.quota import DiskNearlyFull
from bascule.mirror.runs.debug import debugged
from bascule.mirror.runs.start import queue
from bascule.mirror.schema.columns import TableSchema
from bascule.mirror.schema.table_schemas import forget_definition
from bascule.mirror.schema.widths import TooWide
from bascule.mirror.streams.withheld import FieldsWithheld
from bascule.mirror.tables import OVER, Run, RunLog, Stream
from bascule.sites.pool import pool_of
from bascule.sites.watching import AtSite, OtherWayIn, watched
from bascule.store import StoreError
from bascule.store.failures import cause_of

log = logging.getLogger(__name__)

LATER = timedelta(seconds=2)  # for those that wait for the one which tries the site
# How often within one run the site may be found to withhold a field; each table may have some.
MOST_RETAKES = 20
OTHER_WAY_IN = "The connection was given another address or other credentials: it begins again."
ROOM_AGAIN = timedelta(minutes=2)  # between two looks whether the disk has room for a run


async def run_of(session: AsyncSession, run_id: int, viewer: User | None) -> Run:
    """NoSuch, also for a run of a connection that this viewer may not know of."""
    query = select(Run).join(Connection, Connection.id == Run.connection_id)
    run = await session.scalar(query.where(Run.id == run_id, seen_by(viewer)))
    if run is None:
        raise NoSuch(
            f"There is no run {run_id}.",
            next_step="'bascule logs' lists the latest; those that changed nothing stay for a day.",
        )
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
    run's row. It ends as well where somebody cancels it, or its site does not answer; see
    `watching`.
    """
    begun = await _begin(hub, run_id)
    if begun is None:
        return
    run, stream, at = begun
    try:
        attempt, report = await watched(at, _at_site(at, run, stream), partial(_look, at, run))
    except BaseException as raised:
        error = first_of(raised)
        if isinstance(error, Superseded | OtherWayIn):
            log.warning("Run %s ends without a word: %s", run_id, type(error).__name__)
            if isinstance(error, OtherWayIn):
                await _queue_again(at, run, "info", OTHER_WAY_IN)
            else:
                async with hub.db.session() as session:
                    await _let_be(at, session)
            return
        if known := cause_of(error):
            log.warning("Run %s: %s", run_id, known, exc_info=error)
            error = known
        if not isinstance(error, FrappeError | HubError | StoreError):
            if isinstance(error, Exception):
                await fail(at, run, stream, error)
            raise
        if isinstance(error, DiskNearlyFull):
            later = datetime.now(UTC) + ROOM_AGAIN
            await _queue_again(at, run, "warning", f"It waits. {error.message}", later)
            return
        if isinstance(error, TooWide):
            error.advise(stream.omit)
        await fail(at, run, stream, error)
        return
    await finish(hub, run, stream, at.connection, attempt, report)


async def _enter(hub: Hub, run_id: int) -> AtSite | None:
    """None where the run is over, or gone with its connection; where the site is left alone, with
    which it ends; or where another finds out at present whether it answers again.
    """
    async with hub.db.session() as session:
        run = await session.get(Run, run_id)
        connection = await session.get(Connection, run.connection_id) if run else None
        if run is None or connection is None or run.outcome in OVER:
            return None
        trying = TRYING + timedelta(seconds=hub.settings.owed_seconds)
        entry = await circuit.enter(session, connection, trying)
        if entry.shut is None:
            return AtSite(hub, connection, entry.trying)
        if entry.shut.trying_until is None:
            await leave_alone(session, run, entry.shut)
        else:
            await queue(hub, session, run, datetime.now(UTC) + LATER)
    return None


async def _begin(hub: Hub, run_id: int) -> tuple[Run, Stream, AtSite] | None:
    """Take the stream's next fence. None where it may not begin."""
    at = await _enter(hub, run_id)
    if at is None:
        return None
    async with hub.db.session() as session:
        run = await session.get(Run, run_id)
        if run is None:
            return None
        stream = await session.get(Stream, run.stream_id, with_for_update=True)
        if stream is None:
            return None
        await session.refresh(run)  # it may have been cancelled until the stream was ours
        if run.outcome in OVER:
            return None
        stream.fence += 1
        # Only one attempt at a stream is under way, so what still looks like it was cut off; not
        # what is looked at together with others, see `survey`, which has no fence.
        await cut_off(session, [stream.id], Run.fence.is_not(None), Run.id != run.id)
        run.fence, run.outcome = stream.fence, "running"
        run.attempts += 1
        run.started_at = run.started_at or datetime.now(UTC)
        await tell(session, run, "running")
    return run, stream, at


async def _at_site(at: AtSite, run: Run, stream: Stream) -> tuple[Attempt, dict[str, object]]:
    async with pool_of(at.hub).lease(at.connection) as at.site, debugged(at.hub, run):
        return await _attempts(at.hub, at.site, run, stream, at.connection)


async def _look(at: AtSite, run: Run) -> None:
    """Superseded where this attempt shall not go on. Whoever tries whether the site answers says so
    at the first page: the run may last for long.
    """
    query = select(Run.outcome, Stream.fence).join(Stream, Stream.id == Run.stream_id)
    async with at.hub.db.session() as session:
        now = (await session.execute(query.where(Run.id == run.id))).one_or_none()
        if now is None or tuple(now) != ("running", run.fence):
            raise Superseded(f"run {run.id} was cancelled, deleted or given to another")
        if at.trying and at.owed.pages:
            await circuit.succeeded(session, at.connection.id)
            await note_health(session, at.connection, "ok", None, datetime.now(UTC))
            at.trying = False


async def _let_be(at: AtSite, session: AsyncSession) -> None:
    """It says nothing of the site, which another may try."""
    if at.trying:
        await circuit.try_now(session, at.connection.id)


async def _queue_again(
    at: AtSite, run: Run, level: str, told: str, when: datetime | None = None
) -> None:
    """The run goes on where it was, unless it was ended meanwhile."""
    async with at.hub.db.session() as session:
        await _let_be(at, session)
        its = update(Run).where(Run.id == run.id, Run.fence == run.fence, Run.outcome == "running")
        ours = await session.execute(its.values(outcome="queued").returning(Run.id))
        if ours.first() is None:
            return
        session.add(RunLog(run_id=run.id, level=level, message=told))
        await queue(at.hub, session, run, when)
        await tell(session, run, "queued")


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
        async with hub.db.session() as session:
            await forget_definition(session, stream)
        if isinstance(told, FieldsWithheld):
            stream = await without(hub, run, attempt, told)
        else:
            site.forget_abilities()
            refused, before = told, _asking(attempt)
            stream.cursor, stream.rows = msgspec.to_builtins(attempt.cursor), attempt.rows
    raise AssertionError("the last attempt returns or raises")


def _asking(attempt: Attempt) -> tuple[TableSchema, bool]:
    """What a site is asked for: columns, and checksums of them or none."""
    return attempt.shape, attempt.tables.parent.checksum is not None


async def _work(attempt: Attempt, run: Run) -> dict[str, object]:
    if run.kind in ("verify", "repair"):
        found = await stream.verify(attempt, repair=run.kind == "repair")
        return found.report()
    await stream.sync(attempt, afresh=run.kind == "full" and run.attempts == 1)
    return {}
