"""Runs worked off here and watched until they are done: bars, or lines without a terminal.

What is shown is what the runs' rows say, so a run that another worker took is shown all the same.
"""

import asyncio
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, Self

from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TextColumn
from rich.text import Text
from sqlalchemy import select

from bascule.cli.exits import Exit, Refused
from bascule.cli.serving import working
from bascule.cli.terminal import err, escape, out, show, span, table
from bascule.connections.tables import Connection
from bascule.hub import Hub
from bascule.mirror.answers import RunAnswer
from bascule.mirror.tables import Run, Stream

LOOK = 0.25  # seconds between two looks at the runs
WORD_EVERY = 5.0  # seconds between two lines about a run, where there is no terminal
FINISHED = {"done", "failed"}


@dataclass(frozen=True, slots=True)
class Seen:
    """A run as it stands, and whose it is."""

    connection: str
    doctype: str
    run: RunAnswer

    @property
    def finished(self) -> bool:
        return self.run.outcome in FINISHED

    def as_json(self) -> dict[str, Any]:
        return {"connection": self.connection, **self.run.model_dump(mode="json")}


class Display(Protocol):
    def show(self, seen: list[Seen]) -> None: ...


async def look(hub: Hub, run_ids: list[int]) -> list[Seen]:
    query = (
        select(Run, Stream.doctype, Connection.slug)
        .join(Stream, Stream.id == Run.stream_id)
        .join(Connection, Connection.id == Run.connection_id)
        .where(Run.id.in_(run_ids))
        .order_by(Connection.slug, Run.id)
    )
    async with hub.db.session() as session:
        found = (await session.execute(query)).all()
        return [
            Seen(
                slug, doctype, RunAnswer.model_validate(run).model_copy(update={"doctype": doctype})
            )
            for run, doctype, slug in found
        ]


async def work_off(hub: Hub, run_ids: list[int], *, quiet: bool = False) -> list[Seen]:
    """Does the runs here, or sees them done by whoever is faster; how they ended."""
    async with working(hub) as worker:
        return await watch(hub, run_ids, worker=worker, quiet=quiet)


async def watch(
    hub: Hub, run_ids: list[int], *, worker: asyncio.Task[None], quiet: bool = False
) -> list[Seen]:
    with display(quiet=quiet) as shown:
        while True:
            seen = await look(hub, run_ids)
            shown.show(seen)
            if len(seen) < len(run_ids):
                raise Refused(
                    "The connection was deleted while it was synced.",
                    next_step="'bascule status' lists the connections there are.",
                    code=Exit.FAILED,
                )
            if all(one.finished for one in seen):
                return seen
            if worker.done():
                await worker  # tells why it ended
            await _next_look()


async def ended(hub: Hub, run_ids: list[int]) -> list[Seen]:
    """The runs once all of them have ended, whoever did them."""
    while True:
        seen = await look(hub, run_ids)
        if all(one.finished for one in seen):
            return seen
        await _next_look()


async def _next_look() -> None:
    await asyncio.sleep(LOOK)
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        # Ctrl-C, which came together with what was awaited then, and was swallowed with it.
        raise asyncio.CancelledError


def display(*, quiet: bool) -> AbstractContextManager[Display]:
    if quiet:
        return _nothing()
    return _Bars() if err.is_terminal else _lines()


@contextmanager
def _nothing() -> Iterator[Display]:
    class Nothing:
        def show(self, seen: list[Seen]) -> None:
            return

    yield Nothing()


@contextmanager
def _lines() -> Iterator[Display]:
    yield _Lines()


class _Lines:
    """For logs and pipes: a line when a run ends, and now and then while it lasts."""

    def __init__(self) -> None:
        self._told: dict[int, float] = {}
        self._ended: set[int] = set()

    def show(self, seen: list[Seen]) -> None:
        now = time.monotonic()
        for one in seen:
            run = one.run
            if one.finished and run.id not in self._ended:
                self._ended.add(run.id)
                mark = "failed" if run.outcome == "failed" else "done"
                err.print(
                    f"{escape(one.connection)} {escape(one.doctype)}: {mark}, {_counts(one)}",
                )
            elif run.outcome == "running":
                last = self._told.setdefault(run.id, now)
                if now - last >= WORD_EVERY:
                    self._told[run.id] = now
                    of = f" of {run.expected_rows:,}" if run.expected_rows else ""
                    where = f"{escape(one.connection)} {escape(one.doctype)}"
                    err.print(f"{where}: {run.rows_read:,}{of} rows")


class _Rows(ProgressColumn):
    """`12,300 of 40,000`; the site's count may be older than the rows, so it is never overtaken."""

    def render(self, task: Task) -> Text:
        done = int(task.completed)
        if task.total is None or task.finished:
            return Text(f"{done:,} rows")
        return Text(f"{done:,} of {max(int(task.total), done):,}")


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f} rows/s" if speed else "", style="cyan")


class _Left(ProgressColumn):
    def render(self, task: Task) -> Text:
        if task.fields["outcome"] != "running":
            seconds = task.fields["seconds"]
            return Text(span(seconds) if seconds is not None else "", style="dim")
        left = task.time_remaining
        return Text(f"{span(left)} left" if left is not None else "", style="dim")


_MARKS = {"done": "[green]✓[/]", "failed": "[red]✗[/]", "running": "[cyan]▸[/]", "queued": "·"}


class _Bars:
    def __init__(self) -> None:
        self._progress = Progress(
            SpinnerColumn(finished_text=" "),
            TextColumn("{task.fields[mark]} {task.description}"),
            BarColumn(bar_width=28),
            _Rows(),
            _Rate(),
            _Left(),
            console=err,
            refresh_per_second=8,
        )
        self._bars: dict[int, Any] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, seen: list[Seen]) -> None:
        several = len({one.connection for one in seen}) > 1
        for one in seen:
            run = one.run
            if run.id not in self._bars:
                name = f"{one.connection} · {one.doctype}" if several else one.doctype
                self._bars[run.id] = self._progress.add_task(
                    escape(name), total=None, mark="·", outcome="queued", seconds=None, start=False
                )
            bar = self._bars[run.id]
            if run.outcome != "queued" and self._progress.tasks[bar].start_time is None:
                self._progress.start_task(bar)
            # A run that ended is a full bar, also when it read nothing at all.
            total = max(run.rows_read, 1) if one.finished else run.expected_rows
            done = max(run.rows_read, 1) if one.finished and run.rows_read == 0 else run.rows_read
            self._progress.update(
                bar,
                completed=done,
                total=total,
                mark=_MARKS[run.outcome],
                outcome=run.outcome,
                seconds=run.seconds,
            )


def _counts(one: Seen) -> str:
    run = one.run
    if run.error:
        return f"{escape(run.error)} {escape(run.next_step or '')}"
    seconds = f" in {span(run.seconds)}" if run.seconds is not None else ""
    if "checked" in run.report:
        first = f"{run.report['checked']:,} documents compared"
    else:
        first = f"{run.rows_read:,} rows read"
    return f"{first}, {run.rows_changed:,} changed, {run.rows_deleted:,} deleted{seconds}"


def outcomes(seen: list[Seen]) -> None:
    """How each stream ended, and for each that failed why, and what to do."""
    verified = any("checked" in one.run.report for one in seen)
    first = "Compared" if verified else "Read"
    made = table(
        *("", "Connection", "Stream", first, "Changed", "Deleted", "Time"),
        numbers=(first, "Changed", "Deleted", "Time"),
    )
    for one in seen:
        run = one.run
        made.add_row(
            _MARKS[run.outcome],
            escape(one.connection),
            escape(one.doctype),
            f"{run.report.get('checked', 0) if verified else run.rows_read:,}",
            f"{run.rows_changed:,}",
            f"{run.rows_deleted:,}",
            span(run.seconds) if run.seconds is not None else "",
        )
    show(made)
    for one in seen:
        if one.run.outcome == "failed":
            out.print(f"[red]✗[/] {escape(one.doctype)}: {escape(one.run.error or 'failed')}")
            if one.run.next_step:
                out.print(f"  → {escape(one.run.next_step)}")
