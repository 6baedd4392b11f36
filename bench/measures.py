"""The measurements, each a part of the run that can be asked for by its name.

A part takes what it needs and gives figures by their names in results.json; `figures.FIGURES`
says which of them have a target.
"""

import asyncio
import statistics
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bascule.store.embedded.server import EmbeddedServer
from bench.asking import INDEXED, OTHERS, ask_all
from bench.crowd import measure_crowded
from bench.others import TOOLS, seconds_with
from bench.processes import CannotMeasure, Replayed, asked, replaying, run, started
from bench.two_way import measure

SITE_SPEED = 33_000  # rows a second: 300,000 rows in 9.1 s, measured on a real site
TIMES = 3  # a pull and its floor in turns, of which the medians count
INCREMENTALS = 10
WEBHOOK_RATE = 1_000  # a second
WEBHOOK_SECONDS = 60
CROWD = 300  # connections
QUIET = 120  # connections
DEFINITIONS = 4  # requests that tell whether any was changed
PAUSE = 10.0  # seconds between two rounds; a look is not taken again at once


@dataclass(frozen=True)
class Bench:
    """`say` tells whoever watches what is going on."""

    folder: Path
    server: EmbeddedServer
    quick: bool
    say: Callable[[str], None]

    def rows(self, usual: int) -> int:
        return usual // 10 if self.quick else usual

    def pull(self, site: Replayed, **order: object) -> dict[str, Any]:
        return run("bench.worker", url=site.url, data_dir=str(self.folder), **order)


Figures = dict[str, Any]


def pull(bench: Bench) -> Figures:
    """A full pull beside fetching and discarding the same pages: unpaced, and at a site's speed."""
    rows = bench.rows(300_000)
    figures: Figures = {"pull_rows": rows}
    peaks: list[float] = []
    bench.say(f"preparing {rows:,} rows")
    with replaying(rows) as site:
        for suffix, speed in (("", 0), ("_at_site_speed", SITE_SPEED)):
            turns = []
            for turn in range(TIMES):
                bench.say(f"pull of {rows:,} rows{suffix.replace('_', ' ')}, {turn + 1} of {TIMES}")
                site.tell(rows_a_second=speed)
                turns.append(_pull_and_floors(bench, site, rows, copied=not speed))
            figures |= {
                f"{name}{suffix}": statistics.median(turn[name] for turn in turns)
                for name in turns[0]
                if name.endswith("_seconds")
            }
            figures[f"pull_over_floor{suffix}"] = (
                figures[f"pull_seconds{suffix}"] / figures[f"floor_seconds{suffix}"]
            )
            peaks += [turn["peak_rss_mb"] for turn in turns]
    figures["pull_over_floor_and_copy"] = figures["pull_seconds"] / (
        figures["floor_seconds"] + figures["copy_floor_seconds"]
    )
    return {**figures, "peak_rss_mb_of_pulls": max(peaks)}


def _pull_and_floors(bench: Bench, site: Replayed, rows: int, *, copied: bool) -> Figures:
    """A pull; its pages fetched alone; and, where `copied`, their rows through COPY alone."""
    pulled = bench.pull(site)
    _complete(pulled, rows)
    pages = site.tell()["pages"]
    floor = run("bench.floor", url=site.url, pages=pages)
    turn = {
        "pull_seconds": pulled["seconds"],
        "floor_seconds": floor["seconds"],
        "peak_rss_mb": pulled["peak_rss_mb"],
    }
    if copied:
        floor = run("bench.floor", url=site.url, pages=pages, database=bench.server.fast_url)
        turn["copy_floor_seconds"] = floor["copy_seconds"]
    return turn


def proof(bench: Bench) -> Figures:
    """Every value of a mirror compared, beside fetching and discarding the same pages; then with
    one value changed on each side, and one of each column, and `modified` left alone.
    """
    rows = bench.rows(1_000_000)
    bench.say(f"preparing {rows:,} rows")
    with replaying(rows) as site:
        site.tell(rows_a_second=SITE_SPEED)
        bench.say(f"pull of {rows:,} rows, then their proof by value")
        proven = bench.pull(site, proof=True)
        _complete(proven, rows)
        floor = run("bench.floor", url=site.url, pages=proven["proof_pages"])
    return {
        "proof_rows": rows,
        "proof_seconds": proven["proof_seconds"],
        "proof_floor_seconds": floor["seconds"],
        "proof_over_floor": proven["proof_seconds"] / floor["seconds"],
        "mutations_found": proven["mutations_found"],
        "peak_rss_mb_of_proof": proven["peak_rss_mb"],
    }


def survey(bench: Bench) -> Figures:
    """A sync of many streams in which nothing changed, beside its requests alone."""
    doctypes = bench.rows(388)
    bench.say(f"a first pull of {doctypes} streams, then syncs in which nothing changed")
    with started("bench.many_site", f"--doctypes={doctypes}") as said:
        measured = run("bench.many", url=said["url"], data_dir=str(bench.folder), doctypes=doctypes)
    turns = measured["turns"]
    floors = [turn["seconds"] / turn["floor_seconds"] for turn in turns]
    return {
        "survey_streams": doctypes,
        "survey_over_floor": statistics.median(floors),
        "survey_seconds": statistics.median(turn["seconds"] for turn in turns),
        "survey_floor_seconds": statistics.median(turn["floor_seconds"] for turn in turns),
        "survey_requests": max(turn["requests"] for turn in turns),
        "survey_first_pull_seconds": measured["first_seconds"],
    }


def large(bench: Bench) -> Figures:
    """Memory over a full pull of 3,000,000 rows, then what ten changed rows among them cost."""
    rows = bench.rows(3_000_000)
    bench.say(f"preparing {rows:,} rows")
    with replaying(rows) as site:
        bench.say(f"pull of {rows:,} rows, then {INCREMENTALS} incremental ones")
        pulled = bench.pull(site, incrementals=INCREMENTALS)
    _complete(pulled, rows)
    turns = pulled["incrementals"]
    return {
        "large_rows": rows,
        "large_pull_seconds": pulled["seconds"],
        "peak_rss_mb_of_large_pull": pulled["peak_rss_mb"],
        "incremental_seconds": max(turn["seconds"] for turn in turns),
        "incremental_seconds_median": statistics.median(turn["seconds"] for turn in turns),
        "incremental_requests": max(sum(turn["requests"].values()) for turn in turns),
    }


def tools(bench: Bench) -> Figures:
    """The same rows with other tools and with ours: whole processes, from start to end."""
    rows = bench.rows(100_000)
    figures: Figures = {"tools_rows": rows}
    bench.say(f"preparing {rows:,} rows, as arrays and as objects")
    with replaying(rows) as site:
        ours = []
        for turn in range(TIMES):
            bench.say(f"ours, {turn + 1} of {TIMES}")
            pulled = bench.pull(site)
            _complete(pulled, rows)
            ours.append(pulled["seconds_since_spawned"])
        figures["tools_ours_seconds"] = statistics.median(ours)
        for tool in TOOLS:
            name = tool.replace("-", "_")
            bench.say(f"{tool}, {rows:,} rows")
            try:
                taken = seconds_with(tool, site.url, bench.server.admin_url(), rows, bench.folder)
            except CannotMeasure as why:
                figures[f"{name}_over_ours"] = None
                figures.setdefault("why_not", {})[f"{name}_over_ours"] = str(why)
                continue
            figures[f"{name}_seconds"] = taken
            figures[f"{name}_over_ours"] = taken / figures["tools_ours_seconds"]
    return figures


def api(bench: Bench) -> Figures:
    """Pages of 50 orders, filtered and sorted, through the HTTP API."""
    rows = bench.rows(1_000_000)
    bench.say(f"filling a table with {rows:,} orders")
    with started("bench.orders", f"--rows={rows}", f"--data-dir={bench.folder}") as said:
        bench.say("asking for pages")
        indexed = ask_all(said, INDEXED)
        others = ask_all(said, OTHERS)
    return {
        "api_rows": rows,
        "api_questions": len(indexed),
        "api_p50_ms": statistics.median(indexed) * 1000,
        "api_p95_ms": _p95(indexed) * 1000,
        "api_p50_ms_sorted_without_index": statistics.median(others) * 1000,
        "api_p95_ms_sorted_without_index": _p95(others) * 1000,
    }


def two_way(bench: Bench) -> Figures:
    """Twenty edits a second of customers here, then as many there, each to the other side."""
    bench.say("starting a site and a hub")
    with (
        started("bench.two_way_site") as site,
        started("bench.two_way_hub", f"--data-dir={bench.folder}") as hub,
    ):
        bench.say("editing here, then there")
        seconds = 6 if bench.quick else 60
        return asyncio.run(measure(hub, site, bench.server.fast_url, seconds))


def outbox(bench: Bench) -> Figures:
    """Documents through the outbox beside a bare loop of insert_many, in turns."""
    documents = 600 if bench.quick else 4_000
    with started("bench.two_way_site") as site:
        bench.say(f"writing {documents:,} documents")
        measured = run("bench.outbox", **site, data_dir=str(bench.folder), documents=documents)
    ours, bare = measured["outbox_seconds"], measured["bare_seconds"]
    return {
        "outbox_documents": documents,
        "outbox_over_bare": ours / bare,
        "outbox_documents_per_second": documents / ours,
    }


def crowd(bench: Bench) -> Figures:
    """The same while a round of 300 connections to three sites is under way."""
    bench.say("starting four sites and a hub")
    with ExitStack() as stack:
        site, *others = [stack.enter_context(started("bench.two_way_site")) for _ in range(4)]
        hub = stack.enter_context(started("bench.two_way_hub", f"--data-dir={bench.folder}"))
        seconds = 6 if bench.quick else 30
        connections = bench.rows(CROWD)
        bench.say(f"connecting {connections} sites, then editing beside a round of them")
        database = bench.server.fast_url
        return asyncio.run(measure_crowded(hub, site, others, database, seconds, connections))


def quiet(bench: Bench) -> Figures:
    """What a connection costs when nothing changed, and what one more of them does in the memory of
    a worker that syncs them and nothing else.
    """
    bench.say("starting three sites")
    few, many = bench.rows(QUIET) // 6, bench.rows(QUIET)
    with ExitStack() as stack:
        sites = [stack.enter_context(started("bench.two_way_site")) for _ in range(3)]
        _connect(bench, [sites[number % 3] for number in range(few)])
        memory_of_few = _rounds(bench, few)["schedule"]["rss_mb"]
        _connect(bench, [sites[number % 3] for number in range(few, many)])
        turns = _rounds(bench, many)
    closely, by_the_clock = turns["cli"], turns["schedule"]
    # Large child tables are asked for in one of six turns, definitions in one of four.
    requests = by_the_clock["requests"] / many
    tables = closely["requests"] / many - requests - DEFINITIONS
    return {
        "quiet_connections": many,
        "quiet_requests": requests + tables / 6 + DEFINITIONS / 4,
        "quiet_requests_closely": closely["requests"] / many,
        "quiet_cpu_ms": (5 * by_the_clock["cpu_seconds"] + closely["cpu_seconds"])
        / 6
        / many
        * 1000,
        "quiet_seconds": by_the_clock["seconds"],
        "quiet_rss_mb": by_the_clock["rss_mb"],
        "quiet_mb_a_connection": (by_the_clock["rss_mb"] - memory_of_few) / (many - few),
    }


def _connect(bench: Bench, sites: list[dict[str, str]]) -> None:
    bench.say(f"connecting {len(sites)} sites")
    with asked("bench.quiet_hub", f"--data-dir={bench.folder}") as (_, ask):
        ask(connect=sites)


def _rounds(bench: Bench, connections: int) -> dict[str, Figures]:
    """Of a worker that is new, what a round took that a person began, and one of the clock's."""
    found: dict[str, Figures] = {}
    with asked("bench.quiet_hub", f"--data-dir={bench.folder}") as (_, ask):
        for trigger in ("cli", "cli", "schedule"):
            time.sleep(PAUSE)
            bench.say(f"a round of {connections} connections")
            found[trigger] = ask(round=trigger)
    return found


def webhooks(bench: Bench) -> Figures:
    """Deliveries at a steady rate into a hub with a worker; the sender has a process of its own."""
    seconds = bench.rows(WEBHOOK_SECONDS)
    with asked("bench.receiving", f"--data-dir={bench.folder}") as (said, ask):
        bench.say("warming up")
        run("bench.sending", **said, about="Warm", rate=WEBHOOK_RATE, seconds=2)
        before = ask()
        bench.say(f"{WEBHOOK_RATE:,} webhooks a second, for {seconds} s")
        sent = run("bench.sending", **said, about="Acme", rate=WEBHOOK_RATE, seconds=seconds)
        after = ask()
    arrived = after["states"].get("done", 0) - before["states"].get("done", 0)
    return {
        "webhooks_in_per_second": sent["per_second"],
        "webhooks_in_p50_ms": sent["p50_ms"],
        "webhooks_in_p99_ms": sent["p99_ms"],
        "webhooks_lost": sent["sent"] - arrived,
        "webhooks_worked_off_seconds": after["seconds"],
        "webhooks_hub_cpu_ms": (after["cpu_seconds"] - before["cpu_seconds"]) * 1000 / sent["sent"],
    }


PARTS: dict[str, Callable[[Bench], Figures]] = {
    "pull": pull,
    "proof": proof,
    "survey": survey,
    "large": large,
    "tools": tools,
    "api": api,
    "webhooks": webhooks,
    "two_way": two_way,
    "outbox": outbox,
    "crowd": crowd,
    "quiet": quiet,
}


def _complete(pulled: dict[str, Any], rows: int) -> None:
    if pulled["rows"] != rows:
        raise CannotMeasure(f"{pulled['rows']} of {rows} rows were in the mirror after the pull")


def _p95(seconds: list[float]) -> float:
    return statistics.quantiles(seconds, n=20)[-1]
