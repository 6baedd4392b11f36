"""One look at many streams of a connection before they are synced: what changed, in all of them.

A stream whose every value is the site's, as a sync of its own would find it to be, is done with
that: all of these are written in a few statements. The others are synced one by one, and so is
what a look cannot tell of. A run that is being looked at is `running` and has no fence yet; so
another run of its stream may begin meanwhile, and then the look says nothing of it.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from typing import TypeVar
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.connections.tables import Circuit, Connection
from bascule.events.live import publish_each
from bascule.frappe import FrappeError, Site, Unavailable, WrongCredentials
from bascule.hub import Hub
from bascule.mirror.pull import silent_changes
from bascule.mirror.pull.attempt import Attempt, Superseded, first_of
from bascule.mirror.pull.outcome import cut_off, note_answer, note_health
from bascule.mirror.pull.preparation import Standing
from bascule.mirror.pull.stream import ensure_views
from bascule.mirror.runs.start import lock_streams, queue, tell
from bascule.mirror.schema.migration import catalogue_of
from bascule.mirror.schema.table_schemas import check_definitions, keep_definitions
from bascule.mirror.tables import Run, RunLog, Stream
from bascule.sites.pool import pool_of
from bascule.sites.watching import AtSite, watched
from bascule.store.database import driver_connection

log = logging.getLogger(__name__)

T = TypeVar("T")
TOGETHER = 10  # streams whose rows here are added up in one statement

_QUIET = """
WITH given AS (
    SELECT * FROM unnest(%(streams)s::integer[], %(fences)s::bigint[], %(runs)s::bigint[],
                         %(looked)s::text[], %(seconds)s::float8[], %(whole)s::boolean[])
        AS given (stream, fence, run, looked, seconds, whole)),
ended AS (
    UPDATE bascule.runs r SET outcome = 'done', finished_at = %(now)s, seconds = given.seconds
      FROM given JOIN bascule.streams s ON s.id = given.stream AND s.fence = given.fence
     WHERE r.id = given.run AND r.fence IS NULL AND r.outcome = 'running'
    RETURNING r.stream_id)
UPDATE bascule.streams s
   SET cursor = s.cursor || given.looked::jsonb, last_success_at = %(now)s,
       last_error = NULL, last_error_step = NULL, trouble = '{}', failures = 0,
       retry_at = NULL,
       compared_at = CASE WHEN given.whole THEN %(now)s ELSE s.compared_at END,
       compared_by = CASE WHEN given.whole THEN %(by)s ELSE s.compared_by END
  FROM given JOIN ended ON ended.stream_id = given.stream
 WHERE s.id = given.stream
RETURNING s.id
"""


@dataclass(slots=True)
class SurveyResult:
    """`streams`: each with the run that was queued for it. `on`: how many of the connection are.
    `equal`: the attempts at those runs that found nothing to do, as far as the look has come;
    `without_family`: the streams of which it left child tables for another time.
    """

    connection: Connection
    streams: list[tuple[Run, Stream]]
    on: int
    began: datetime
    equal: list[Attempt] = field(default_factory=list)
    without_family: set[int] = field(default_factory=set)

    @property
    def by_the_clock(self) -> bool:
        return all(run.trigger == "schedule" for run, _ in self.streams)


async def survey(hub: Hub, connection_id: UUID, run_ids: Sequence[int]) -> None:
    """Look at the streams of these runs, end the runs of those in which nothing changed, and queue
    the others.
    """
    surveyed = await _begin(hub, connection_id, run_ids)
    if surveyed is None:
        return
    at = AtSite(hub, surveyed.connection)
    try:
        await watched(at, _look_at_all(at, surveyed), partial(_still_wanted, hub, surveyed))
    except Exception as error:
        # The runs of the streams themselves meet it too, and tell what to do.
        of_site = isinstance(first_of(error), FrappeError)
        level = logging.INFO if of_site else logging.WARNING
        traced = None if of_site else error
        log.log(level, "The streams are synced one by one: %s", first_of(error), exc_info=traced)
        async with hub.db.session() as session:
            await note_answer(session, at, first_of(error), datetime.now(UTC))
    await _end(hub, surveyed)


async def _look_at_all(at: AtSite, surveyed: SurveyResult) -> None:
    async with pool_of(at.hub).lease(at.connection) as at.site:
        await _look(at.hub, at.site, surveyed)


async def _still_wanted(hub: Hub, surveyed: SurveyResult) -> None:
    """Superseded where nobody waits for any of these runs any more."""
    query = select(Run.id).where(
        Run.id.in_([run.id for run, _ in surveyed.streams]),
        Run.outcome == "running",
        Run.fence.is_(None),
    )
    async with hub.db.session() as session:
        if await session.scalar(query.limit(1)) is None:
            raise Superseded("all of them were cancelled")


async def _begin(hub: Hub, connection_id: UUID, run_ids: Sequence[int]) -> SurveyResult | None:
    """Take the runs that nobody has taken. None where there are none. A stream that is under way
    is synced after that, by itself.
    """
    async with hub.db.session() as session:
        # As in `start_runs`.
        lock = {"read": True, "key_share": True}
        connection = await session.get(Connection, connection_id, with_for_update=lock)
        if connection is None:
            return None
        query = select(Run).where(
            Run.id.in_(run_ids), Run.outcome.in_(("queued", "running")), Run.fence.is_(None)
        )
        runs = {run.stream_id: run for run in await session.scalars(query.order_by(Run.id))}
        await lock_streams(session, list(runs))
        # One look at a connection goes at a time: what else looks like one was cut off.
        await cut_off(session, list(runs), Run.fence.is_(None), Run.id.not_in(run_ids))
        shut = select(Circuit).where(Circuit.connection_id == connection_id)
        if await session.scalar(shut):  # one of them tries it, or all are told
            await _apart(hub, session, list(runs.values()))
            return None
        under_way = await session.scalars(
            select(Run.stream_id).where(
                Run.stream_id.in_(runs), Run.outcome == "running", Run.fence.is_not(None)
            )
        )
        for stream_id in set(under_way):
            await _apart(hub, session, [runs.pop(stream_id)])
        streams = list(await session.scalars(select(Stream).where(Stream.id.in_(runs))))
        on = select(func.count()).where(Stream.connection_id == connection_id, Stream.enabled)
        now = datetime.now(UTC)
        for run in runs.values():
            run.outcome, run.started_at = "running", run.started_at or now
        surveyed = SurveyResult(
            connection,
            [(runs[stream.id], stream) for stream in streams],
            await session.scalar(on) or 1,
            now,
        )
    return surveyed if runs else None


async def _apart(hub: Hub, session: AsyncSession, runs: Sequence[Run]) -> None:
    """Queue runs of their own, unless they were cancelled meanwhile."""
    wanted = await session.scalars(
        update(Run)
        .where(
            Run.id.in_([run.id for run in runs]),
            Run.fence.is_(None),
            Run.outcome.in_(("queued", "running")),
        )
        .values(outcome="queued", started_at=None)
        .returning(Run.id)
    )
    still = set(wanted.all())
    for run in runs:
        if run.id in still:
            await queue(hub, session, run)


async def _look(hub: Hub, site: Site, surveyed: SurveyResult) -> None:
    """Find the streams in which nothing changed, so many at once as the site is asked."""
    connection = surveyed.connection
    if await site.time_zone() != connection.time_zone:
        return  # times of change are other ones now
    streams = [stream for _, stream in surveyed.streams]
    async with hub.db.session() as session:
        definitions = await check_definitions(
            site, session, connection, streams, closely=not surveyed.by_the_clock
        )
    async with hub.db.connection() as conn:
        there = await catalogue_of(conn, connection.slug)
    standing = Standing(hub, site, connection, there, surveyed.on)
    each = iter(surveyed.streams)
    began = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for _ in range(connection.max_concurrency):
            group.create_task(_look_at_some(standing, each, surveyed))
    _share_out(surveyed.equal, time.monotonic() - began)
    if surveyed.equal:
        await ensure_views(hub.db, connection)
    if definitions is not None:
        async with hub.db.session() as session:
            await keep_definitions(session, connection, streams, definitions)


async def _look_at_some(
    standing: Standing, streams: Iterator[tuple[Run, Stream]], surveyed: SurveyResult
) -> None:
    while some := list(islice(streams, TOGETHER)):
        attempts = [
            attempt
            for run, stream in some
            if (attempt := await _leaving(stream.doctype, standing.attempt(run, stream)))
            and silent_changes.by_checksum(attempt)
        ]
        alone = {one.stream_id for one in attempts if not silent_changes.with_family(one)}
        here = await silent_changes.totals_here(attempts, alone)
        for attempt in attempts:
            stream_id, cursor = attempt.stream_id, attempt.cursor
            differing = silent_changes.differing(
                attempt, here=here[stream_id], sparing=stream_id in alone
            )
            if await _leaving(attempt.doctype, differing) == []:
                surveyed.equal.append(attempt)
                if cursor.family_at != cursor.looked_at:
                    surveyed.without_family.add(stream_id)


async def _leaving(doctype: str, look: Awaitable[T]) -> T | None:
    """What a look at one stream gives; None where it failed, which its own run will tell of."""
    try:
        return await look
    except Exception as error:
        if isinstance(first_of(error), Unavailable | WrongCredentials):
            raise  # it would be the same with the others
        log.info("%s is synced by itself: %s", doctype, first_of(error))
        return None


def _share_out(equal: Sequence[Attempt], seconds: float) -> None:
    """A look at one stream takes what it took of all, not what it waited for the others."""
    together = sum(attempt.cursor.look_seconds for attempt in equal)
    for attempt in equal:
        attempt.cursor.look_seconds *= min(1.0, seconds / together) if together else 1.0


async def _end(hub: Hub, surveyed: SurveyResult) -> None:
    """Write that these are equal, unless another run of a stream began meanwhile, and queue the
    others.
    """
    now = datetime.now(UTC)
    runs = {stream.id: run for run, stream in surveyed.streams}
    async with hub.db.session() as session:
        if surveyed.equal:
            await note_health(
                session, surveyed.connection, "ok", None, now, unless_refused_since=surveyed.began
            )
        await lock_streams(session, list(runs))
        written = await _write(session, surveyed, now)
        done = [attempt for attempt in surveyed.equal if attempt.stream_id in written]
        ended = {attempt.stream_id: runs.pop(attempt.stream_id) for attempt in done}
        session.add_all(
            RunLog(run_id=attempt.run_id, level="info", message=attempt.done) for attempt in done
        )
        await _apart(hub, session, list(runs.values()))
        if done:
            connection_id = surveyed.connection.id
            await tell(session, connection_id, ended.values(), "done")
            each = [{"stream_id": stream_id, "change": "synced"} for stream_id in ended]
            await publish_each(session, "stream", each, connection_id=connection_id)


async def _write(session: AsyncSession, surveyed: SurveyResult, now: datetime) -> set[int]:
    """The rows of the streams that are equal and of their runs; the streams that were written."""
    raw, equal = await driver_connection(session), surveyed.equal
    values = {
        "now": now,
        "by": "checksum",
        "streams": [attempt.stream_id for attempt in equal],
        "fences": [attempt.fence for attempt in equal],
        "runs": [attempt.run_id for attempt in equal],
        "looked": [attempt.cursor.looked() for attempt in equal],
        "seconds": [attempt.cursor.look_seconds for attempt in equal],
        "whole": [attempt.stream_id not in surveyed.without_family for attempt in equal],
    }
    written = await raw.execute(_QUIET, values)
    return {stream_id for (stream_id,) in await written.fetchall()}
