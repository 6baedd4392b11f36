"""How long an edit takes to the other side: twenty a second, of the hub's and then of the site's.

Times are the database's: of an edit's history, and of the site's answer that took it. From there to
here they are when the delivery was kept, and when a program that listens heard of the change.
"""

import asyncio
import json
import statistics
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any
from urllib.parse import quote

import aiohttp
import psycopg

from bench.processes import CannotMeasure

RECORDS = 100
EDITS_A_SECOND = 20
PATIENCE = 120.0  # seconds until everything has arrived
SENT = """
SELECT extract(epoch FROM e.finished_at - c.at) * 1000, e.ms
  FROM bascule.record_changes c
  JOIN bascule.exchanges e
    ON e.record_id = c.record_id AND e.direction = 'out' AND e.status = 200
   AND e.request->>'website' = c.changes->'website'->>1
 WHERE c.origin = 'here' AND c.changes->'website'->>1 LIKE %s
"""
# A record is edited every few seconds: the last delivery before a change is what told it.
TAKEN = """
SELECT c.record_id, c.version, extract(epoch FROM (
           SELECT max(d.received_at) FROM bascule.deliveries d
            WHERE d.subject = l.document AND d.received_at <= c.at))
  FROM bascule.record_changes c JOIN bascule.links l ON l.record_id = c.record_id
 WHERE c.origin = 'erpnext' AND c.changes->'website'->>1 LIKE %s
"""


async def measure(
    hub: dict[str, str],
    site: dict[str, str],
    database: str,
    seconds: int,
    meanwhile: Callable[[], Awaitable[None]] | None = None,
    rate: int = EDITS_A_SECOND,
) -> dict[str, Any]:
    """`rate`: edits a second. `meanwhile`: begins what goes on beside the edits here, and again
    beside those there.
    """
    there = {"Authorization": site["editor"]}
    here = {"Authorization": f"Bearer {hub['token']}"}
    async with (
        aiohttp.ClientSession(hub["url"], headers=here) as ours,
        aiohttp.ClientSession(site["url"], headers=there) as theirs,
    ):
        slug = await _connect(ours, hub, site)
        records = await _records(ours)
        if meanwhile is not None:
            await meanwhile()
        await _edits(seconds, rate, lambda n: _edit_here(ours, records[n % RECORDS], f"here-{n}"))
        await _quiet(ours)
        sent = await _rows(database, SENT, "https://here-%")
        heard: dict[tuple[int, int], float] = {}
        listening = asyncio.create_task(_listen(hub, heard))
        await asyncio.sleep(1)
        if meanwhile is not None:
            await meanwhile()
        await _edits(
            seconds, rate, lambda n: _edit_there(theirs, records[n % RECORDS], f"there-{n}")
        )
        taken = await _all_taken(database, seconds)
        listening.cancel()
        await ask(ours, "DELETE", f"/api/connectors/{slug}")
    beyond = [float(total) - float(own) for total, own in sent]
    live = [
        (heard[record, version] - float(at)) * 1000
        for record, version, at in taken
        if at is not None and (record, version) in heard
    ]
    if len(beyond) < seconds * rate / 2 or len(live) < seconds * rate / 2:
        raise CannotMeasure(f"only {len(beyond)} edits were seen there and {len(live)} here")
    return {
        "two_way_edits": len(beyond),
        "two_way_sent_p50_ms": statistics.median(beyond),
        "two_way_sent_p99_ms": _p99(beyond),
        "two_way_heard_edits": len(live),
        "two_way_heard_p50_ms": statistics.median(live),
        "two_way_heard_p99_ms": _p99(live),
    }


async def _connect(ours: aiohttp.ClientSession, hub: dict[str, str], site: dict[str, str]) -> str:
    body = {
        "name": "Two ways", "schedule": "manual", "streams": [], "start_sync": False,
        "api_url": site["url"], "api_key": site["api_key"], "api_secret": site["api_secret"],
    }  # fmt: skip
    slug = (await ask(ours, "POST", "/api/connectors/erpnext/setup", body))["slug"]
    at = f"/api/connectors/{slug}/two-way/customers"
    await ask(ours, "POST", f"{at}/begin", {})
    await _until(ours, f"{at}/matches", lambda told: told["ready"])
    await ask(ours, "POST", f"{at}/confirm")
    await _until(ours, at, lambda told: told["last_poll_at"])
    await ask(ours, "PUT", f"/api/connectors/{slug}/webhooks", {"public_url": hub["url"]})
    return str(slug)


async def _records(ours: aiohttp.ClientSession) -> list[dict[str, Any]]:
    told = await ask(ours, "GET", f"/api/customers?limit={RECORDS}")
    if len(told["records"]) < RECORDS:
        raise CannotMeasure(f"there are only {len(told['records'])} customers")
    return list(told["records"])


async def _edits(seconds: int, rate: int, edit: Callable[[int], Coroutine[Any, Any, None]]) -> None:
    """At an even pace, whatever the answers take."""
    began = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for number in range(seconds * rate):
            await asyncio.sleep(max(0.0, began + number / rate - time.monotonic()))
            group.create_task(edit(number))


async def _edit_here(ours: aiohttp.ClientSession, record: dict[str, Any], word: str) -> None:
    values = {"website": f"https://{word}"}
    await ask(ours, "PUT", f"/api/customers/{record['id']}", values)


async def _edit_there(theirs: aiohttp.ClientSession, record: dict[str, Any], word: str) -> None:
    name = quote(record["erpnextId"], safe="")
    await ask(theirs, "PUT", f"/api/resource/Customer/{name}", {"website": f"https://{word}"})


async def _quiet(ours: aiohttp.ClientSession) -> None:
    def nothing_waits(told: dict[str, Any]) -> bool:
        return not any(told["counts"].get(state) for state in ("sending", "waiting"))

    await _until(ours, "/api/customers?limit=1", nothing_waits)


async def _listen(hub: dict[str, str], heard: dict[tuple[int, int], float]) -> None:
    headers = {"Authorization": f"Bearer {hub['token']}"}
    timeout = aiohttp.ClientTimeout(total=None)
    async with (
        aiohttp.ClientSession(headers=headers, timeout=timeout) as http,
        http.get(f"{hub['url']}/api/events") as stream,
    ):
        async for line in stream.content:
            if line.startswith(b"data: "):
                told = json.loads(line[6:])
                if "version" in told:
                    heard.setdefault((told["record_id"], told["version"]), time.time())


async def _all_taken(database: str, seconds: int) -> list[Any]:
    """Of edits that one webhook told of together, the last is taken; so until nothing comes."""
    give_up, before = time.monotonic() + PATIENCE, -1
    while time.monotonic() < give_up:
        rows = await _rows(database, TAKEN, "https://there-%")
        if len(rows) == before and before > 0:
            return rows
        before = len(rows)
        await asyncio.sleep(3)
    raise CannotMeasure("the site's edits did not stop coming")


async def _rows(database: str, query: str, like: str) -> list[Any]:
    async with await psycopg.AsyncConnection.connect(database) as conn:
        return await (await conn.execute(query.encode(), [like])).fetchall()


async def ask(http: aiohttp.ClientSession, method: str, path: str, body: Any = None) -> Any:
    async with http.request(method, path, json=body) as answer:
        if answer.status >= 300:
            raise CannotMeasure(f"{method} {path}: {answer.status} {(await answer.text())[:200]}")
        return await answer.json()


async def _until(http: aiohttp.ClientSession, path: str, true: Callable[[Any], Any]) -> None:
    give_up = time.monotonic() + PATIENCE
    while not true(await ask(http, "GET", path)):
        if time.monotonic() > give_up:
            raise CannotMeasure(f"GET {path} did not become what is waited for")
        await asyncio.sleep(0.2)


def _p99(values: list[float]) -> float:
    return statistics.quantiles(values, n=100)[-1]
