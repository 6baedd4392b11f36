"""A sync of many streams in which nothing changed, beside its requests alone.

Takes one line of JSON on its input, and answers with one.
"""

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

import aiohttp

from bascule import jobs
from bascule.connections.deletion.delete import delete_connection
from bascule.connections.tables import Connection
from bascule.hub import Hub, open_hub
from bascule.job_modules import JOB_MODULES
from bascule.jobs import run_worker
from bascule.mirror.runs.start import start_runs
from bascule.mirror.streams.settings import add_streams
from bascule.settings import Settings
from bascule.sites.fields import NewConnection
from bascule.sites.service import create_connection

AT_ONCE = 4  # as many requests as a connection has under way
TIMES = 3


async def measure(order: dict[str, Any]) -> dict[str, object]:
    """The median of so many syncs, after the one that fetches all and one that learns when the
    definitions were changed.
    """
    jobs.load(JOB_MODULES)
    url, doctypes = str(order["url"]), int(order["doctypes"])
    async with open_hub(Settings(data_dir=Path(str(order["data_dir"])))) as hub:
        until = asyncio.Event()
        worker = asyncio.create_task(run_worker(hub, concurrency=8, until=until))
        new = NewConnection(
            name="Many", api_url=url, api_key="bench", api_secret="bench", schedule="manual"
        )
        connection = await create_connection(hub, new, test=False)
        try:
            await add_streams(hub, connection, [f"Thing {n:03}" for n in range(doctypes)])
            first = await _sync(hub, connection)
            await _sync(hub, connection)
            turns = [await _quiet(hub, connection, url) for _ in range(TIMES)]
        finally:
            until.set()
            await worker
            await delete_connection(hub, connection, by=None)
    return {"first_seconds": first, "turns": turns}


async def _quiet(hub: Hub, connection: Connection, url: str) -> dict[str, float]:
    await _told(url)
    seconds = await _sync(hub, connection)
    lists = await _told(url)
    return {"seconds": seconds, "requests": len(lists), "floor_seconds": await _alone(url, lists)}


async def _sync(hub: Hub, connection: Connection) -> float:
    """Seconds until all runs can be read to be done."""
    began = time.perf_counter()
    run_ids = await start_runs(hub, connection, trigger="cli")
    query = """
        SELECT count(*) FILTER (WHERE outcome IN ('queued', 'running')), min(error)
          FROM bascule.runs WHERE id = ANY(%s)
    """
    left = len(run_ids)
    while left:
        await asyncio.sleep(0.02)
        async with hub.db.connection() as conn:
            left, error = await (await conn.execute(query, [run_ids])).fetchone() or (0, None)
        if error:
            raise RuntimeError(error)
    return time.perf_counter() - began


async def _told(url: str) -> list[dict[str, object]]:
    async with aiohttp.ClientSession() as session, session.post(f"{url}/bench", json={}) as answer:
        return (await answer.json())["lists"]


async def _alone(url: str, lists: list[dict[str, object]]) -> float:
    """The same requests, as many at once, and nothing done with the answers."""
    bodies = iter([json.dumps(one).encode() for one in lists])
    headers = {"Content-Type": "application/json"}
    async with aiohttp.ClientSession(headers=headers) as session:

        async def lane() -> None:
            for body in bodies:
                path = f"{url}/api/method/frappe.client.get_list"
                async with session.post(path, data=body) as answer:
                    await answer.read()

        began = time.perf_counter()
        await asyncio.gather(*(lane() for _ in range(AT_ONCE)))
        return time.perf_counter() - began


if __name__ == "__main__":
    print(json.dumps(asyncio.run(measure(json.loads(sys.stdin.readline())))), flush=True)
