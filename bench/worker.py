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

import aiohttp
from psycopg.sql import SQL, Identifier

from bascule import jobs
from bascule.connections.fields import NewConnection
from bascule.connections.service import create_connection, delete_connection
from bascule.connections.tables import Connection
from bascule.hub import Hub, open_hub
from bascule.jobs import run_worker
from bascule.mirror.runs import run_of
from bascule.mirror.starting import start_runs
from bascule.mirror.streams import add_streams
from bascule.mirror.tables import Run
from bascule.rooms import JOB_MODULES
from bascule.settings import Settings
from bench.rows import DOCTYPE

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
    async with aiohttp.ClientSession() as session:
        touched = [turn * 97 + n * 1_009 for n in range(CHANGED)]
        async with session.post(f"{url}/bench", json={"touch": touched}) as answer:
            await answer.read()
        trigger = "cli" if turn % 2 else "schedule"
        run, seconds = await _sync(hub, connection, patience=0.005, trigger=trigger)
        async with session.post(f"{url}/bench", json={}) as answer:
            requests = (await answer.json())["requests"]
    if run.rows_changed != CHANGED:
        raise RuntimeError(f"{CHANGED} rows were changed, and {run.rows_changed} were written.")
    return {"seconds": seconds, "requests": requests, "trigger": trigger}


async def _proof(hub: Hub, connection: Connection, url: str) -> dict[str, object]:
    """A verify of everything by value. Which pages it asked for, the site tells afterwards."""
    async with aiohttp.ClientSession() as session, session.post(f"{url}/bench", json={}) as answer:
        await answer.read()
    run, _ = await _sync(hub, connection, patience=0.1, trigger="cli", kind="verify")
    if not run.report["equal"] or run.rows_changed:
        raise RuntimeError(f"The proof found other rows than were pulled: {run.report}")
    return {
        "proof_seconds": run.seconds,
        "proven": run.report["proven"],
        "peak_rss_mb": peak_rss_mb(),
    }


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
