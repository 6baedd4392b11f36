"""The same edits while a round of hundreds of connections is under way, as its clock starts it."""

import asyncio
import time
from typing import Any

import aiohttp
import psycopg

from bench.processes import CannotMeasure
from bench.two_way import ask, measure

STREAMS = ["suppliers", "customers"]  # Supplier, Customer, Address, Contact
EDITS_A_SECOND = 4  # as many people do; how many the hub takes at most is another question
PULLED = 3600.0  # seconds that the first pull of all may take
STARTED = 90.0  # the clock ticks each minute
NOT_ENDED = "SELECT count(*) FROM bascule.runs WHERE outcome IN ('queued', 'running')"
DUE = "UPDATE bascule.connections SET next_sync_at = now() WHERE slug LIKE 'crowd%'"


async def measure_crowded(
    hub: dict[str, str],
    site: dict[str, str],
    others: list[dict[str, str]],
    database: str,
    seconds: int,
    connections: int,
) -> dict[str, Any]:
    """`others`: the sites that the connections share, which are not the one of the edits."""
    headers = {"Authorization": f"Bearer {hub['token']}"}
    async with aiohttp.ClientSession(hub["url"], headers=headers) as ours:
        for number in range(connections):
            await _connect(ours, others[number % len(others)], f"Crowd {number}")
        began = time.monotonic()
        await _until(database, most=0, patience=PULLED)
        pulled = time.monotonic() - began
        left: list[int] = []

        async def round_() -> None:
            left.append(await _count(database))
            await _until(database, most=0, patience=PULLED)
            await _execute(database, DUE)
            await _until(database, least=connections, patience=STARTED)

        found = await measure(hub, site, database, seconds, round_, EDITS_A_SECOND)
        left.append(await _count(database))
    return {
        "crowd_connections": connections,
        "crowd_first_pull_seconds": pulled,
        # Of the first round when the edits here had been sent, of the second when all were taken.
        "crowd_runs_left": left[1:],
        **{f"crowd_{name.removeprefix('two_way_')}": value for name, value in found.items()},
    }


async def _connect(ours: aiohttp.ClientSession, site: dict[str, str], name: str) -> None:
    body = {
        "name": name, "schedule": "daily", "streams": STREAMS, "test_connection": False,
        "api_url": site["url"], "api_key": site["api_key"], "api_secret": site["api_secret"],
    }  # fmt: skip
    await ask(ours, "POST", "/api/connectors/erpnext/setup", body)


async def _until(database: str, *, patience: float, least: int = 0, most: int = 1_000_000) -> None:
    """So many runs have not ended."""
    give_up = time.monotonic() + patience
    while not least <= await _count(database) <= most:
        if time.monotonic() > give_up:
            raise CannotMeasure("the round did not begin, or did not end")
        await asyncio.sleep(0.5)


async def _count(database: str) -> int:
    async with await psycopg.AsyncConnection.connect(database) as conn:
        row = await (await conn.execute(NOT_ENDED.encode())).fetchone()
        return int(row[0]) if row else 0


async def _execute(database: str, statement: str) -> None:
    async with await psycopg.AsyncConnection.connect(database) as conn:
        await conn.execute(statement.encode())
