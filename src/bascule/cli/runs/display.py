"""How runs are drawn while they last, as bars, or lines where no terminal is, and at the end."""

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, Self

from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TextColumn
from rich.text import Text

from bascule.cli.terminal import err, escape, out, show, span, table
from bascule.mirror.schemas import RunAnswer
from bascule.mirror.tables import OVER

WORD_EVERY = 5.0  # seconds between two lines about a run, where there is no terminal
MOST_BARS = 16  # each is drawn several times a second; of more runs those that read rows are shown
FEWEST_QUIET = 2  # streams in which nothing changed that are told in one line


@dataclass(frozen=True, slots=True)
class Seen:
    """A run as it stands, and whose it is."""

    connection: str
    doctype: str
    run: RunAnswer

    @property
    def finished(self) -> bool:
        return self.run.outcome in OVER

    @property
    def quiet(self) -> bool:
        """A sync that found nothing to do."""
        run = self.run
        rows = run.rows_read or run.rows_changed or run.rows_deleted
        return run.outcome == "done" and not rows and not run.report

    def as_json(self) -> dict[str, Any]:
        return {"connection": self.connection, **self.run.model_dump(mode="json")}


class Display(Protocol):
    def show(self, seen: list[Seen]) -> None: ...


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
        self._causes: set[tuple[str | None, str | None]] = set()

    def show(self, seen: list[Seen]) -> None:
        now = time.monotonic()
        ended = [one for one in seen if one.finished and one.run.id not in self._ended]
        self._ended.update(one.run.id for one in ended)
        told, quiet = apart(ended)
        loud = {one.run.id for one in told}
        if quiet:
            err.print(_nothing_in(quiet))
        for one in seen:
            run = one.run
            where = f"{escape(one.connection)} {escape(one.doctype)}"
            if run.id in loud:
                err.print(f"{where}: {run.outcome}, {self._of(one)}")
            elif run.outcome == "running" and self._is_due(run.id, now) and _reads(one):
                of = f" of {run.expected_rows:,}" if run.expected_rows else ""
                err.print(f"{where}: {run.rows_read:,}{of} rows")
        waiting = sum(one.run.outcome == "running" and not _reads(one) for one in seen)
        if waiting and self._is_due(ALL, now):
            streams = "1 stream" if waiting == 1 else f"{waiting:,} streams"
            err.print(f"Waiting for what the site says of {streams}.")

    def _is_due(self, number: int, now: float) -> bool:
        if now - self._told.setdefault(number, now) < WORD_EVERY:
            return False
        self._told[number] = now
        return True

    def _of(self, one: Seen) -> str:
        """What several streams failed of is told once."""
        cause = (one.run.error, one.run.next_step)
        if cause[0] and cause in self._causes:
            return "as told above"
        self._causes.add(cause)
        return _counts(one)


class _Rows(ProgressColumn):
    """`12,300 of 40,000`; the site's count may be older than the rows, so it is never overtaken."""

    def render(self, task: Task) -> Text:
        done, unit = int(task.completed), task.fields["unit"]
        if task.total is None or task.finished:
            return Text(f"{done:,} {unit}")
        return Text(f"{done:,} of {max(int(task.total), done):,}")


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed = (task.finished_speed or task.speed) if task.fields["unit"] == "rows" else None
        return Text(f"{speed:,.0f} rows/s" if speed else "", style="cyan")


class _Left(ProgressColumn):
    def render(self, task: Task) -> Text:
        if task.fields["outcome"] != "running":
            seconds = task.fields["seconds"]
            return Text(span(seconds) if seconds is not None else "", style="dim")
        left = task.time_remaining
        return Text(f"{span(left)} left" if left is not None else "", style="dim")


ALL = 0  # no run's number
_MARKS = {
    "done": "[green]✓[/]",
    "failed": "[red]✗[/]",
    "cancelled": "[yellow]–[/]",
    "running": "[cyan]▸[/]",
    "queued": "·",
}


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
        shown = seen
        if len(seen) > MOST_BARS:
            self._all(seen)
            shown = [one for one in seen if _reads(one)][:MOST_BARS]
        for run_id in self._bars.keys() - {one.run.id for one in shown} - {ALL}:
            self._progress.remove_task(self._bars.pop(run_id))
        for one in shown:
            run = one.run
            name = f"{one.connection} · {one.doctype}" if several else one.doctype
            bar = self._bar(run.id, escape(name), "rows")
            if run.outcome != "queued":
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

    def _all(self, seen: list[Seen]) -> None:
        """One bar for all of them."""
        bar = self._bar(ALL, "All streams", "streams")
        self._progress.start_task(bar)
        done = sum(one.finished for one in seen)
        outcome = "done" if done == len(seen) else "running"
        self._progress.update(
            bar, completed=done, total=len(seen), mark=_MARKS[outcome], outcome=outcome
        )

    def _bar(self, run_id: int, name: str, unit: str) -> Any:
        if run_id not in self._bars:
            self._bars[run_id] = self._progress.add_task(
                name, total=None, mark="·", outcome="queued", seconds=None, unit=unit, start=False
            )
        return self._bars[run_id]


def _reads(one: Seen) -> bool:
    """Whether a run is at the rows of its stream, and not still looking for what changed."""
    return one.run.outcome == "running" and bool(one.run.rows_read or one.run.expected_rows)


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


def apart(seen: list[Seen]) -> tuple[list[Seen], list[Seen]]:
    """Those to be told one by one, and the others, in which nothing changed, if they are several:
    of hundreds of streams only what happened is worth a line.
    """
    quiet = [one for one in seen if one.quiet]
    if len(quiet) < FEWEST_QUIET:
        return seen, []
    return [one for one in seen if not one.quiet], quiet


def _nothing_in(quiet: list[Seen]) -> str:
    return f"Nothing changed in {len(quiet):,} streams."


def outcomes(seen: list[Seen]) -> None:
    """How each stream ended, and for each that failed why, and what to do."""
    told, quiet = apart(seen)
    verified = any("checked" in one.run.report for one in seen)
    first = "Compared" if verified else "Read"
    made = table(
        *("", "Connection", "Stream", first, "Changed", "Deleted", "Time"),
        numbers=(first, "Changed", "Deleted", "Time"),
    )
    for one in told:
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
    if told:
        show(made)
    if quiet:
        out.print(f"{_MARKS['done']} {_nothing_in(quiet)}")
    causes: dict[tuple[str | None, str | None], list[str]] = {}
    for one in seen:
        if one.run.outcome == "failed":
            causes.setdefault((one.run.error, one.run.next_step), []).append(one.doctype)
    for (error, next_step), doctypes in causes.items():
        named = ", ".join(dict.fromkeys(doctypes))
        out.print(f"[red]✗[/] {escape(named)}: {escape(error or 'failed')}")
        if next_step:
            out.print(f"  → {escape(next_step)}")
