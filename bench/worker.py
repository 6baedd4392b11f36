"""The measured side: a worker of the hub in a process of its own, and what that process took.

Takes one line of JSON on its input, and answers with one. `seconds` are the run's own: from where
a worker takes it to where all is written, indexed and proven, as `bascule logs` shows it.
"""

import asyncio
import json
import resource
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
from psycopg.sql import SQL, Identifier, Literal

from bascule import jobs
from bascule.connections.deletion.delete import delete_connection
from bascule.connections.tables import Connection
from bascule.hub import Hub, open_hub
from bascule.job_modules import JOB_MODULES
from bascule.jobs import run_worker
from bascule.mirror.runs.execution import run_of
from bascule.mirror.runs.start import start_runs
from bascule.mirror.streams.settings import add_streams
from bascule.mirror.tables import Run
from bascule.settings import Settings
from bascule.sites.fields import NewConnection
from bascule.sites.service import create_connection
from bench.rows import COLUMNS, DOCTYPE, SPOILT, other_here

CHANGED = 10


def peak_rss_mb() -> float:
    """Of this program alone: `ru_maxrss` also remembers what its parent took before it began."""
    with suppress(OSError):
        status = Path("/proc/self/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def measure(order: dict[str, object]) -> dict[str, object]:
    """A full pull into a new mirror, then as many incremental ones as `incrementals` says."""
    jobs.load(JOB_MODULES)
    async with open_hub(Settings(data_dir=Path(str(order["data_dir"])))) as hub:
        until = asyncio.Event()
        worker = asyncio.create_task(run_worker(hub, concurrency=8, until=until))
        connection = await create_connection(hub, _site(str(order["url"])), test=False)
        await add_streams(hub, connection, [DOCTYPE])
        try:
            run, _ = await _sync(hub, connection, patience=0.1)
            measured: dict[str, object] = {
                "seconds": run.seconds,
                "seconds_since_spawned": time.time() - float(str(order["spawned_at"])),
                "rows": await _rows_here(hub, connection),
                "rows_read": run.rows_read,
                "pages": run.pages,
                "full_peak_rss_mb": peak_rss_mb(),
                "incrementals": [
                    await _incremental(hub, connection, str(order["url"]), turn)
                    for turn in range(int(str(order.get("incrementals", 0))))
                ],
                "peak_rss_mb": peak_rss_mb(),
            }
            if order.get("proof"):
                measured |= await _proof(hub, connection, str(order["url"]))
        finally:
            until.set()
            await worker
            await delete_connection(hub, connection, by=None)
    return measured


def _site(url: str) -> NewConnection:
    return NewConnection(
        name="Replay", api_url=url, api_key="bench", api_secret="bench", schedule="manual"
    )


async def _incremental(hub: Hub, connection: Connection, url: str, turn: int) -> dict[str, object]:
    """Ten rows change; then a sync as its schedule starts it, or every other time as a person."""
    await _tell(url, touch=[turn * 97 + n * 1_009 for n in range(CHANGED)])
    trigger = "cli" if turn % 2 else "schedule"
    run, seconds = await _sync(hub, connection, patience=0.005, trigger=trigger)
    requests = (await _tell(url))["requests"]
    if run.rows_changed != CHANGED:
        raise RuntimeError(f"{CHANGED} rows were changed, and {run.rows_changed} were written.")
    return {"seconds": seconds, "requests": requests, "trigger": trigger}


async def _proof(hub: Hub, connection: Connection, url: str) -> dict[str, object]:
    """A verify of everything by value, and which pages it asked for; then others, of values that
    were changed.
    """
    await _tell(url)
    run, _ = await _sync(hub, connection, patience=0.1, trigger="cli", kind="verify")
    if not run.report["equal"] or run.rows_changed:
        raise RuntimeError(f"The proof found other rows than were pulled: {run.report}")
    pages = (await _tell(url))["pages"]
    measured = {"proof_seconds": run.seconds, "proof_pages": pages}
    rows = await _rows_here(hub, connection)
    one = [[rows // 3, SPOILT[0]]], [[rows // 2, SPOILT[-1]]]
    found = await _spoiled(hub, connection, url, *one)
    named = {f"{DOCTYPE}.{COLUMNS[column]}" for column in (SPOILT[0], SPOILT[-1])}
    if found["changed"] != 2 or set(found["columns"]) != named:
        raise RuntimeError(f"One value on each side was changed, and the proof found {found}")
    there = [[7 + 11 * column, column] for column in SPOILT]
    here = [[8 + 11 * column, column] for column in SPOILT]
    found = await _spoiled(hub, connection, url, there, here)
    if found["changed"] != 2 + 2 * len(SPOILT):
        raise RuntimeError(f"A value of each column was changed on each side: {found}")
    return {**measured, "mutations_found": found["changed"], "peak_rss_mb": peak_rss_mb()}


async def _tell(url: str, **told: object) -> dict[str, Any]:
    """What the site was asked since it was told something the last time."""
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{url}/bench", json=told) as answer,
    ):
        told_back: dict[str, Any] = await answer.json()
        return told_back


async def _spoiled(
    hub: Hub, connection: Connection, url: str, there: list[list[int]], here: list[list[int]]
) -> dict[str, Any]:
    """What a proof says when values were changed at these places and columns, on the site and here,
    and no time of change was.
    """
    await _tell(url, spoil=there)
    async with hub.db.connection() as conn:
        for place, column in here:
            await conn.execute(
                SQL("UPDATE {} SET {} = {} WHERE name = {}").format(
                    Identifier(connection.slug, DOCTYPE.lower()),
                    Identifier(COLUMNS[column]),
                    Literal(other_here(column)),
                    Literal(f"ITEM-{place:07}"),
                )
            )
    run, _ = await _sync(hub, connection, patience=0.1, trigger="cli", kind="verify")
    return run.report


async def _rows_here(hub: Hub, connection: Connection) -> int:
    query = SQL("SELECT count(*) FROM {} WHERE _deleted_at IS NULL")
    async with hub.db.connection() as conn:
        found = await conn.execute(query.format(Identifier(connection.slug, DOCTYPE.lower())))
        row = await found.fetchone()
    return int(row[0]) if row else 0


async def _sync(
    hub: Hub,
    connection: Connection,
    *,
    patience: float,
    trigger: str = "schedule",
    kind: str = "sync",
) -> tuple[Run, float]:
    """The run, and the seconds from its start in the queue to where its outcome can be read."""
    started = time.perf_counter()
    [run_id] = await start_runs(hub, connection, trigger=trigger, kind=kind)
    while True:
        await asyncio.sleep(patience)
        async with hub.db.session() as session:
            run = await run_of(session, run_id, None)
            session.expunge(run)
        if run.outcome == "done":
            return run, time.perf_counter() - started
        if run.outcome == "failed":
            raise RuntimeError(f"The run failed: {run.error} {run.next_step}")


if __name__ == "__main__":
    print(json.dumps(asyncio.run(measure(json.loads(sys.stdin.readline())))), flush=True)
