"""Runs started: one for each stream, queued together where they can be looked at together."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.accounts.tables import User
from bascule.connections import circuit
from bascule.connections.tables import Connection
from bascule.errors import NoSuch
from bascule.events.live import publish_each
from bascule.hub import Hub
from bascule.jobs import Work
from bascule.mirror.pull.patience import UNASKED, is_paused
from bascule.mirror.streams.presets import doctypes_named
from bascule.mirror.streams.settings import streams_of
from bascule.mirror.tables import Run, Stream

FEWEST = 2  # streams that are looked at together


async def start_runs(
    hub: Hub,
    connection: Connection,
    *,
    names: Sequence[str] | None = None,
    kind: str = "sync",
    trigger: str,
    by: User | None = None,
    pause: timedelta | None = None,
    debug: bool = False,
) -> list[int]:
    """Queue a run for each stream that is on, or for those named (DocTypes or presets); their ids.
    `by`: the person who asks.

    A stream that has one waiting already gets no second, nor does one that rests after failures
    (see `patience`), unless a person asks. With `pause` it begins no earlier than
    that after the newest run of its stream was queued. `debug`: their logs tell the SQL that the
    site runs for them. NoSuch: a name that no stream has.
    """
    async with hub.db.session() as session:
        return await start_runs_in(
            hub,
            session,
            connection,
            names=names,
            kind=kind,
            trigger=trigger,
            by=by,
            pause=pause,
            debug=debug,
        )


async def start_runs_in(
    hub: Hub,
    session: AsyncSession,
    connection: Connection,
    *,
    names: Sequence[str] | None = None,
    kind: str = "sync",
    trigger: str,
    by: User | None = None,
    pause: timedelta | None = None,
    debug: bool = False,
) -> list[int]:
    """The same, in the transaction of whoever starts them."""
    # First, as who deletes it does: taken after a stream's lock, each would wait for the other.
    here = select(Connection.id).where(Connection.id == connection.id)
    await session.execute(here.with_for_update(read=True, key_share=True))
    now = datetime.now(UTC)
    if trigger not in UNASKED:  # somebody says that the site answers: the first finds out
        await circuit.try_now(session, connection.id)
    streams = [
        stream
        for stream in await chosen(session, connection, names)
        if not is_paused(stream, trigger, now)
    ]
    await lock_streams(session, [stream.id for stream in streams])
    runs = await _waiting(session, streams, kind)
    for run in runs.values():
        run.debug = run.debug or debug
    fresh = {
        stream.id: Run(
            connection_id=connection.id,
            stream_id=stream.id,
            kind=kind,
            trigger=trigger,
            asked_by=by.username if by else None,
            debug=debug,
        )
        for stream in streams
        if stream.id not in runs
    }
    newest = await _newest(session, streams) if pause is not None else {}
    session.add_all(fresh.values())
    await session.flush()
    together: list[Run] = []
    if kind == "sync" and pause is None and not debug:
        together = [fresh[s.id] for s in streams if s.id in fresh and _may_be_quiet(s)]
    if len(together) < FEWEST:
        together = []
    else:
        await _queue_together(hub, session, connection, together)
    for run in fresh.values():
        if run not in together:
            before = newest.get(run.stream_id)
            await queue(hub, session, run, before + pause if before and pause else None)
    await tell(session, connection.id, fresh.values(), "queued")
    found = runs | fresh
    return [found[stream.id].id for stream in streams]


async def _queue_together(
    hub: Hub, session: AsyncSession, connection: Connection, runs: Sequence[Run]
) -> None:
    await hub.jobs.defer(
        "mirror.survey",
        lock=f"survey:{connection.id}",
        connection=session,
        connection_id=str(connection.id),
        run_ids=[run.id for run in runs],
        work=_work_for(runs[0]),
    )


async def queue(
    hub: Hub, session: AsyncSession, run: Run, schedule_at: datetime | None = None
) -> None:
    """A run of its own: one of a stream goes at a time."""
    await hub.jobs.defer(
        "mirror.run",
        lock=f"stream:{run.stream_id}",
        connection=session,
        schedule_at=schedule_at,
        run_id=run.id,
        connection_id=str(run.connection_id),
        work=_work_for(run),
    )


def _work_for(run: Run) -> Work | None:
    """What somebody asked for, or a webhook, goes before the rounds of the night."""
    return None if run.trigger == "schedule" else Work.SOON


async def tell(
    session: AsyncSession, connection_id: UUID, runs: Iterable[Run], outcome: str
) -> None:
    each = [{"run_id": run.id, "stream_id": run.stream_id, "outcome": outcome} for run in runs]
    await publish_each(session, "run", each, connection_id=connection_id)


async def lock_streams(session: AsyncSession, stream_ids: Sequence[int]) -> None:
    """Always in the same order, so that two who lock some of the same do not wait in a circle."""
    found = select(Stream.id).where(Stream.id.in_(stream_ids)).order_by(Stream.id)
    await session.execute(found.with_for_update())


def _may_be_quiet(stream: Stream) -> bool:
    """Whether a look may find that there is nothing to do, see `survey`."""
    return stream.cursor.get("phase") == "incremental" and stream.last_error is None


async def _waiting(session: AsyncSession, streams: Sequence[Stream], kind: str) -> dict[int, Run]:
    """By stream, the run of this kind that is queued."""
    query = select(Run).where(
        Run.stream_id.in_([stream.id for stream in streams]),
        Run.outcome == "queued",
        Run.kind == kind,
    )
    return {run.stream_id: run for run in await session.scalars(query)}


async def _newest(session: AsyncSession, streams: Sequence[Stream]) -> dict[int, datetime]:
    """When the newest run of each of these streams was queued."""
    query = select(Run.stream_id, func.max(Run.queued_at)).where(
        Run.stream_id.in_([stream.id for stream in streams])
    )
    found = await session.execute(query.group_by(Run.stream_id))
    return dict(found.all())


async def chosen(
    session: AsyncSession, connection: Connection, names: Sequence[str] | None
) -> list[Stream]:
    """The streams that are on, or those named: DocTypes or presets. NoSuch: a name of none."""
    streams = await streams_of(session, connection)
    if not names:
        return [stream for stream in streams if stream.enabled]
    by_name = {stream.doctype: stream for stream in streams}
    by_name |= {stream.table_name: stream for stream in streams}
    wanted = doctypes_named(list(names))
    if unknown := [name for name in wanted if name not in by_name]:
        raise NoSuch(
            f"{connection.slug} has no stream {unknown[0]!r}.",
            next_step="`bascule streams` lists what it has; `bascule streams add` adds one.",
        )
    return list(dict.fromkeys(by_name[name] for name in wanted))
