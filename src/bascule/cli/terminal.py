"""What a person and a machine see: answers on stdout, progress and refusals on stderr."""

import json
import logging
import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from textwrap import indent
from typing import Annotated, Any

import typer
from rich import markup
from rich.console import Console
from rich.table import Table

from bascule.unprintable import in_lines, on_one_line

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

AsJson = Annotated[
    bool, typer.Option("--json", help="Print one JSON document on stdout, for machines.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress, only the outcome.")]
LOG_LINE = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"
_C1 = re.compile(r"[\x7f-\x9f]")  # JSON leaves them as they are, and some terminals obey them
WIDEST = 5_000  # characters of a line that a program reads
SPARKS = "▁▂▃▄▅▆▇█"


class OneLine(logging.Formatter):
    """A record is a line of its own, whatever is named in it; those of a traceback are set in."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        record.message = on_one_line(record.message)
        return super().formatMessage(record)

    def formatException(self, ei: Any) -> str:
        return indent(in_lines(super().formatException(ei)), "  ", lambda line: True)


class JsonLine(logging.Formatter):
    """A record is a JSON object on a line of its own: at, level, logger, message, what it is about
    (run, record, connection) and, of an error, its traceback.
    """

    def format(self, record: logging.LogRecord) -> str:
        from bascule.telemetry import fields

        told: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **fields(),
        }
        if record.exc_info:
            told["traceback"] = self.formatException(record.exc_info)
        return _as_line(told)


def _as_line(value: Any) -> str:
    return _C1.sub(
        lambda found: f"\\u{ord(found[0]):04x}", json.dumps(value, default=str, ensure_ascii=False)
    )


def escape(text: str) -> str:
    """What came from outside, as text and nothing else: no markup, nothing that a terminal obeys,
    no line of its own.
    """
    return markup.escape(on_one_line(text))  # noqa: TID251 - here


def document(value: Any) -> None:
    """One JSON document on stdout. Times are ISO 8601."""
    text = json.dumps(value, default=str, ensure_ascii=False, indent=2)
    sys.stdout.write(_C1.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n")
    sys.stdout.flush()


def to_stderr(form: str = "text") -> logging.Handler:
    """`form`: text or json."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLine() if form == "json" else OneLine(LOG_LINE))
    return handler


def log_our_own() -> None:
    """What this program has to say, the requests to sites among it, on stderr; of the libraries
    only warnings.
    """
    logging.basicConfig(level=logging.WARNING, handlers=[to_stderr()])
    logging.getLogger("bascule").setLevel(logging.DEBUG)


def refusal(what: str, next_step: str | None) -> None:
    """Two lines: what is wrong, and what to do."""
    err.print(f"[bold red]✗[/] {escape(what)}")
    if next_step:
        err.print(f"  [bold]→[/] {escape(next_step)}")


def table(*headings: str, title: str | None = None, numbers: Sequence[str] = ()) -> Table:
    """A plain table; the columns named in `numbers` stand to the right."""
    made = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for heading in headings:
        made.add_column(
            heading,
            header_style="dim",
            justify="right" if heading in numbers else "left",
            overflow="fold",
        )
    return made


def show(made: Table) -> None:
    """A table as wide as the terminal; where there is none, as wide as it wants to be."""
    if out.is_terminal:
        out.print(made, soft_wrap=False)
    else:
        Console(file=out.file, highlight=False, width=WIDEST).print(made)


def ago(moment: datetime | None) -> str:
    if moment is None:
        return "never"
    seconds = (datetime.now(UTC) - moment).total_seconds()
    return f"{span(seconds)} ago" if seconds >= 0 else f"in {span(-seconds)}"


def span(seconds: float) -> str:
    """`4.2 s`, `3 min`, `5 h`, `12 d`: as precise as a person wants it."""
    if seconds < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size:.0f} {unit}"
    raise AssertionError(seconds)


def sparkline(values: Sequence[float]) -> str:
    """One character a value, the highest one full."""
    top = max(values, default=0.0)
    if top <= 0:
        return SPARKS[0] * len(values)
    return "".join(SPARKS[round(max(value, 0.0) / top * (len(SPARKS) - 1))] for value in values)
