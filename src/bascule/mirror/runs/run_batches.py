"""Runs as people speak of them: those that were started together are one round.

Also how far the runs of the moment are, in the figures that the command line shows.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from bascule.connections.tables import Connection
from bascule.mirror.runs.execution import runs_of
from bascule.mirror.schemas import RunAnswer
from bascule.mirror.status.overview import with_doctypes
from bascule.mirror.tables import Run, Stream

ROUNDS = 20  # a page
MOST_RUNS = 600  # looked at for a page, however many streams there are
MOST_RECENT = 2_000  # runs of a connection among which those that have not ended are
LEAST_SECONDS = 1.0  # before this nobody can say how fast a run is


@dataclass(frozen=True, slots=True)
class RunBatch:
    """`runs`: by stream, in the order in which they were queued."""

    runs: list[RunAnswer]

    @property
    def id(self) -> int:
        return self.runs[0].id

    @property
    def first(self) -> RunAnswer:
        return self.runs[0]

    @property
    def failed(self) -> list[RunAnswer]:
        return [run for run in self.runs if run.outcome == "failed"]

    @property
    def outcome(self) -> str:
        outcomes = {run.outcome for run in self.runs}
        if outcomes == {"queued"}:
            return "queued"
        if outcomes & {"queued", "running"}:
            return "running"
        return "failed" if "failed" in outcomes else "done"

    @property
    def differing(self) -> int:
        """The streams that were compared and are still not equal."""
        found = [run.report for run in self.runs if run.report]
        return sum(not (report["equal"] or report["repaired"]) for report in found)

    @property
    def started_at(self) -> datetime:
        return min(run.started_at or run.queued_at for run in self.runs)

    @property
    def seconds(self) -> float | None:
        """From the first start to the last end; None while it lasts."""
        ends = [run.finished_at for run in self.runs if run.finished_at is not None]
        if len(ends) < len(self.runs):
            return None
        return max(0.0, (max(ends) - self.started_at).total_seconds())

    @property
    def rows_read(self) -> int:
        return sum(run.rows_read for run in self.runs)

    @property
    def rows_changed(self) -> int:
        return sum(run.rows_changed for run in self.runs)

    @property
    def rows_deleted(self) -> int:
        return sum(run.rows_deleted for run in self.runs)


def batches_in(runs: Iterable[RunAnswer]) -> list[RunBatch]:
    """Newest first. What one transaction queued has one time to the microsecond."""
    together: dict[tuple[datetime, str], list[RunAnswer]] = defaultdict(list)
    for run in runs:
        together[run.queued_at, run.kind].append(run)
    return [RunBatch(sorted(some, key=lambda run: run.id)) for some in together.values()]


async def batches_of(
    session: AsyncSession, connection: Connection, before: int | None = None
) -> tuple[list[RunBatch], int | None]:
    """A page of rounds, newest first, and the `before` of the page that follows."""
    found = await runs_of(session, connection, MOST_RUNS + 1, before)
    rounds = batches_in(await with_doctypes(session, found))
    if len(found) > MOST_RUNS and len(rounds) > 1:
        rounds.pop()  # perhaps cut in the middle
    page = rounds[:ROUNDS]
    more = len(rounds) > ROUNDS or len(found) > MOST_RUNS
    return page, page[-1].id if page and more else None


async def stream_batches(
    session: AsyncSession, connection: Connection, stream: Stream, before: int | None = None
) -> tuple[list[RunBatch], int | None]:
    """The same of one stream: a run each."""
    found = await runs_of(session, connection, ROUNDS + 1, before, stream=stream)
    page = [RunBatch([run]) for run in await with_doctypes(session, found[:ROUNDS])]
    return page, page[-1].id if len(found) > ROUNDS else None


async def batch_of(session: AsyncSession, run: Run) -> RunBatch:
    """The round that this run belongs to."""
    query = select(Run).where(
        Run.connection_id == run.connection_id,
        Run.id.between(run.id - MOST_RUNS, run.id + MOST_RUNS),
        Run.queued_at == run.queued_at,
        Run.kind == run.kind,
    )
    found = (await session.scalars(query.order_by(Run.id))).all()
    return RunBatch(await with_doctypes(session, list(found)))


async def last_full(session: AsyncSession, connection: Connection) -> RunBatch | None:
    """The last full resync that was done, or the first round of all, which fetched everything."""
    full = (
        select(Run)
        .where(Run.connection_id == connection.id, Run.kind == "full", Run.outcome == "done")
        .order_by(Run.id.desc())
        .limit(1)
    )
    first = select(Run).where(Run.connection_id == connection.id).order_by(Run.id).limit(1)
    run = await session.scalar(full) or await session.scalar(first)
    return await batch_of(session, run) if run is not None else None


@dataclass(frozen=True, slots=True)
class Progress:
    """A run that has not ended. The site's count may be older than the rows that came, so `total`
    is never overtaken; None: nobody knows it yet.
    """

    run: RunAnswer
    now: datetime

    @property
    def done(self) -> int:
        return self.run.rows_read

    @property
    def total(self) -> int | None:
        expected = self.run.expected_rows
        return None if expected is None else max(expected, self.done)

    @property
    def lasted(self) -> float:
        began = self.run.started_at
        return 0.0 if began is None else max(0.0, (self.now - began).total_seconds())

    @property
    def rate(self) -> float | None:
        """Rows a second."""
        return self.done / self.lasted if self.done and self.lasted >= LEAST_SECONDS else None

    @property
    def left(self) -> float | None:
        """Seconds, if it goes on like this; None where they are not worth a word."""
        if self.total is None or not self.rate:
            return None
        seconds = (self.total - self.done) / self.rate
        return seconds if seconds >= 1 else None


def progress_of(run: RunAnswer) -> Progress:
    return Progress(run, datetime.now(UTC))


async def under_way(session: AsyncSession, connection: Connection) -> dict[int, Progress]:
    """What each stream is doing, by its id: the run that goes, else the one that is next."""
    recent = (
        select(Run)
        .where(Run.connection_id == connection.id)
        .order_by(Run.id.desc())
        .limit(MOST_RECENT)
        .subquery()
    )
    run = aliased(Run, recent)
    query = select(run).where(run.outcome.in_(("queued", "running"))).order_by(run.id.desc())
    found = [RunAnswer.model_validate(one) for one in await session.scalars(query)]
    doing = {one.stream_id: progress_of(one) for one in found}
    return doing | {one.stream_id: progress_of(one) for one in found if one.outcome == "running"}


async def last_proofs(
    session: AsyncSession, connection: Connection, streams: Iterable[Stream]
) -> dict[int, RunAnswer]:
    """Of streams that were found to differ: the run that found it, by the stream's id."""
    found = {}
    for stream in streams:
        query = select(Run).where(
            Run.stream_id == stream.id,
            Run.connection_id == connection.id,
            Run.kind.in_(("verify", "repair")),
            Run.outcome == "done",
        )
        run = await session.scalar(query.order_by(Run.id.desc()).limit(1))
        if run is not None:
            found[stream.id] = RunAnswer.model_validate(run)
    return found
