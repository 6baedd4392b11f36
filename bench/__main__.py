"""Measures, prints a table, and writes bench/results.json. docs/performance.md explains it."""

import argparse
import json
import os
import platform
import time
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.status import Status

from bench.figures import NAMED, table_of
from bench.measures import PARTS, Bench, Figures
from bench.processes import CannotMeasure, data_folder, postgresql

RESULTS = Path(__file__).parent / "results.json"


def _tell(status: Status, name: str, what: str) -> None:
    status.update(f"{name}: {what}")


def measured(names: list[str], *, quick: bool, console: Console) -> Figures:
    """The figures of these parts. What could not be measured is null, and `why_not` says why."""
    figures: Figures = dict.fromkeys(NAMED)
    why_not: dict[str, str] = {}
    with (
        console.status("starting PostgreSQL") as status,
        data_folder() as folder,
        postgresql(folder) as server,
    ):
        for name in names:
            began = time.monotonic()
            bench = Bench(folder, server, quick, partial(_tell, status, name))
            try:
                found = PARTS[name](bench)
                why_not |= found.pop("why_not", {})
                figures |= found
                ended = "measured"
            except CannotMeasure as why:
                why_not[name] = str(why)
                ended = f"not measured: {why}"
            took = time.monotonic() - began
            console.print(f"[bold]{name}[/] {ended}, in {took:.0f} s", highlight=False)
    peaks = [figures.get(f"peak_rss_mb_of_{pull}") for pull in ("pulls", "large_pull")]
    figures["peak_rss_mb"] = max((peak for peak in peaks if peak is not None), default=None)
    return {**figures, "why_not": why_not}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the rows")
    parser.add_argument(
        "--only", action="append", choices=PARTS, metavar="NAME", help=", ".join(PARTS)
    )
    given = parser.parse_args()
    names = [name for name in PARTS if not given.only or name in given.only]
    console = Console()
    if not console.is_terminal:
        console = Console(width=140)
    began = time.monotonic()
    figures = measured(names, quick=given.quick, console=console)
    figures |= {
        "quick": given.quick,
        "parts": names,
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "seconds": time.monotonic() - began,
    }
    RESULTS.write_text(json.dumps(figures, indent=2) + "\n")
    console.print(table_of(figures))
    console.print(f"Written to {os.path.relpath(RESULTS)}", style="dim")


if __name__ == "__main__":
    main()
