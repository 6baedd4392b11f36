"""A worker that connects sites and syncs them all, in a process of its own.

An order is a line on its input: `{"connect": [site, ...]}` adds a connection to each and pulls it,
`{"round": "schedule"}` syncs all that there are, as the clock does, and `{"round": "cli"}` as a
person does, looking closely. It answers with a line: what that took of this process.
"""

import argparse
import asyncio
import json
import resource
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import select

from bascule import jobs
from bascule.connections.tables import Connection
from bascule.hub import Hub, open_hub
from bascule.job_modules import JOB_MODULES
from bascule.jobs import run_worker
from bascule.jobs.processes import write_counts
from bascule.mirror.runs.start import start_runs
from bascule.mirror.setup import set_up
from bascule.mirror.streams.presets import PRESETS
from bascule.settings import Settings
from bascule.sites.fields import NewConnection

NOT_ENDED = "SELECT count(*) FROM bascule.runs WHERE outcome IN ('queued', 'running')"
FAILED = """
SELECT count(*), min(error) FROM bascule.runs WHERE outcome NOT IN ('done', 'queued', 'running')
"""
REQUESTS = "SELECT coalesce(sum(value), 0) FROM bascule.counters WHERE name = 'site_requests'"


async def obey(folder: Path) -> None:
    jobs.load(JOB_MODULES)
    settings = Settings(data_dir=folder)
    async with open_hub(settings) as hub:
        stop = asyncio.Event()
        working = asyncio.create_task(run_worker(hub, settings.worker_concurrency, stop))
        _say({})
        try:
            while line := await asyncio.to_thread(sys.stdin.readline):
                _say(await _measured(hub, **json.loads(line)))
        finally:
            stop.set()
            await working


async def _measured(
    hub: Hub, connect: Sequence[dict[str, str]] = (), round: str | None = None
) -> dict[str, float]:
    async with hub.db.session() as session:
        connections = list(await session.scalars(select(Connection)))
    requests, cpu, began = await _requests(hub), _cpu_seconds(), time.perf_counter()
    for number, site in enumerate(connect, len(connections)):
        await _connect(hub, site, number)
    if round is not None:
        for connection in connections:
            await start_runs(hub, connection, trigger=round)
    await _ended(hub)
    return {
        "seconds": time.perf_counter() - began,
        "cpu_seconds": _cpu_seconds() - cpu,
        "requests": await _requests(hub) - requests,
        "rss_mb": _rss_mb(),
    }


async def _connect(hub: Hub, site: dict[str, str], number: int) -> None:
    new = NewConnection(
        name=f"Quiet {number}",
        api_url=site["url"],
        api_key=site["api_key"],
        api_secret=site["api_secret"],
        schedule="manual",
    )
    await set_up(hub, new, by=None, streams=list(PRESETS), test=False, trigger="cli")


async def _ended(hub: Hub) -> None:
    left = 1.0
    while left:
        await asyncio.sleep(0.05)
        left = await _number(hub, NOT_ENDED)
    async with hub.db.connection() as conn:
        row = await (await conn.execute(FAILED)).fetchone()
    if row is not None and row[0]:
        raise RuntimeError(f"{row[0]} runs did not end well: {row[1]}")


async def _requests(hub: Hub) -> float:
    await write_counts(hub)
    return await _number(hub, REQUESTS)


async def _number(hub: Hub, query: str) -> float:
    async with hub.db.connection() as conn:
        row = await (await conn.execute(query.encode())).fetchone()
        return float(row[0]) if row else 0.0


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _rss_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def _say(what: dict[str, Any]) -> None:
    print(json.dumps(what), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data-dir", type=Path, required=True)
    asyncio.run(obey(parser.parse_args().data_dir))


if __name__ == "__main__":
    main()
