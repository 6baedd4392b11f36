"""What the figures are called, what they mean in a line, and which of them have a target."""

from dataclasses import dataclass
from typing import Any

from rich.table import Table
from rich.text import Text


@dataclass(frozen=True)
class Figure:
    """`most`: the target, where there is one. `unit` stands after the value."""

    name: str
    what: str
    unit: str = ""
    most: float | None = None


FIGURES = [
    Figure("pull_over_floor", "Full pull / fetching alone, from memory", "x", 1.15),
    Figure("pull_over_floor_at_site_speed", "The same at a real site's speed", "x", 1.15),
    Figure("pull_seconds", "Full pull, from memory", "s"),
    Figure("floor_seconds", "Fetching alone, from memory", "s"),
    Figure("copy_floor_seconds", "PostgreSQL's COPY alone, of the same rows", "s"),
    Figure("pull_over_floor_and_copy", "Full pull / the sum of the two", "x"),
    Figure("pull_seconds_at_site_speed", "Full pull, at a real site's speed", "s"),
    Figure("floor_seconds_at_site_speed", "Fetching alone, at a real site's speed", "s"),
    Figure("peak_rss_mb", "Peak memory of the worker, the most of all pulls", "MB", 200),
    Figure("peak_rss_mb_of_pulls", "of pulling pull_rows rows", "MB", 200),
    Figure("peak_rss_mb_of_large_pull", "of pulling large_rows rows", "MB", 200),
    Figure("large_pull_seconds", "Full pull of large_rows rows, from memory", "s"),
    Figure("incremental_seconds", "Ten changed rows among them, the slowest of ten", "s", 1),
    Figure("incremental_requests", "and the most requests for them", "", 5),
    Figure("proof_over_floor", "Proof of proof_rows rows by value / fetching alone", "x", 1.3),
    Figure("proof_seconds", "Proof by value, at a real site's speed", "s"),
    Figure("peak_rss_mb_of_proof", "of a pull and proof of proof_rows rows", "MB", 200),
    Figure(
        "survey_over_floor", "A sync of survey_streams streams, nothing changed / its requests", "x"
    ),
    Figure("survey_seconds", "the same, the whole of it", "s", 10),
    Figure("survey_requests", "and the requests that it took", ""),
    Figure("tools_ours_seconds", "tools_rows rows with Bascule, the whole process", "s"),
    Figure("tap_erpnext_seconds", "with tap-erpnext and target-postgres", "s"),
    Figure("tap_erpnext_over_ours", "so many times longer", "x"),
    Figure("dlt_seconds", "with dlt's REST source", "s"),
    Figure("dlt_over_ours", "so many times longer", "x"),
    Figure("api_p50_ms", "Page of 50 of api_rows rows, filtered, sorted: median", "ms"),
    Figure("api_p95_ms", "and p95", "ms", 50),
    Figure("webhooks_in_per_second", "Webhooks sent a second, for a minute", ""),
    Figure("webhooks_lost", "and of those that were sent not worked off", "", 0),
    Figure("webhooks_in_p50_ms", "from the first byte sent to the answer: median", "ms"),
    Figure("webhooks_in_p99_ms", "and p99", "ms", 10),
    Figure("webhooks_hub_cpu_ms", "CPU of the hub's process for each, told to who listens", "ms"),
    Figure("webhooks_worked_off_seconds", "until the last was told, after it was sent", "s"),
    Figure("api_p95_ms_sorted_without_index", "p95, sorted by what has no index", "ms"),
    Figure(
        "two_way_sent_p50_ms", "Edit committed here to its answer from the site, 20 a second", "ms"
    ),
    Figure("two_way_sent_p99_ms", "and p99, less the site's own time for the write", "ms", 1000),
    Figure(
        "two_way_heard_p50_ms", "Webhook kept to its change told to who listens, 20 a second", "ms"
    ),
    Figure("two_way_heard_p99_ms", "and p99", "ms", 1000),
    Figure("outbox_over_bare", "Documents through the outbox / a bare insert_many loop", "x", 1.11),
    Figure("outbox_documents_per_second", "and how many a second", ""),
    Figure("crowd_sent_p50_ms", "The same beside a round of crowd_connections connections", "ms"),
    Figure("crowd_sent_p99_ms", "and p99, less the site's own time for the write", "ms", 1000),
    Figure("crowd_heard_p50_ms", "Webhook kept to its change told, beside such a round", "ms"),
    Figure("crowd_heard_p99_ms", "and p99", "ms", 1000),
    Figure(
        "quiet_requests", "Requests of 12 streams in which nothing changed, four an hour", "", 16
    ),
    Figure("quiet_requests_closely", "and of such a sync by hand, which looks at all tables"),
    Figure("quiet_cpu_ms", "and the worker's CPU for it, quiet_connections in one round", "ms"),
    Figure("quiet_mb_a_connection", "and what one more of them leaves in its memory", "MB"),
]
# These are in results.json whatever was measured, null where they were not.
NAMED = [
    "pull_over_floor",
    "pull_over_floor_at_site_speed",
    "peak_rss_mb",
    "proof_over_floor",
    "survey_over_floor",
    "tap_erpnext_over_ours",
    "dlt_over_ours",
    "incremental_seconds",
    "incremental_requests",
    "api_p95_ms",
    "webhooks_in_p99_ms",
    "webhooks_lost",
    "outbox_over_bare",
    "two_way_sent_p99_ms",
    "two_way_heard_p99_ms",
    "crowd_sent_p99_ms",
    "crowd_heard_p99_ms",
    "quiet_requests",
]


def table_of(figures: dict[str, Any]) -> Table:
    table = Table(title="Quick: a tenth of the rows" if figures["quick"] else None)
    for column in ("figure", "value", "target", ""):
        table.add_column(
            column, justify="right" if column in ("value", "target") else "left", no_wrap=True
        )
    table.add_column("what", overflow="fold")
    for figure in FIGURES:
        value = figures.get(figure.name)
        if value is None and figure.name not in NAMED:
            continue
        table.add_row(
            figure.name,
            _shown(value, figure.unit),
            "" if figure.most is None else f"<= {_shown(figure.most, figure.unit)}",
            _verdict(figure, value),
            figures["why_not"].get(figure.name) or _with_rows(figure.what, figures),
        )
    for part, why in figures["why_not"].items():
        if part not in NAMED:
            table.add_row(part, "", "", Text("not measured", "yellow"), why)
    return table


def _shown(value: float | None, unit: str) -> str:
    if value is None:
        return "-"
    digits = 0 if value == int(value) else 3 if value < 1 else 2 if value < 100 else 0
    return f"{value:.{digits}f}{unit if unit == 'x' else ' ' + unit if unit else ''}"


def _verdict(figure: Figure, value: float | None) -> Text:
    if value is None:
        return Text("not measured", "yellow")
    if figure.most is None:
        return Text()
    return Text("met", "green") if value <= figure.most else Text("missed", "red")


def _with_rows(what: str, figures: dict[str, Any]) -> str:
    for name in ("pull_rows", "proof_rows", "large_rows", "tools_rows", "api_rows"):
        if name in figures:
            what = what.replace(f"{name} rows", f"{figures[name]:,} rows")
    return what
