"""Documents through the outbox beside a bare loop of `insert_many` against the same site, in turns.

Takes one line of JSON on its input, and answers with one. Seconds are from where the first write is
committed to where the last is recorded as written.
"""

import asyncio
import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from bascule import outbox
from bascule.connections.tables import Connection
from bascule.hub import Hub, open_hub
from bascule.job_modules import JOB_MODULES
from bascule.jobs import load, run_worker
from bascule.outbox import Write
from bascule.outbox.sending.send import BATCH
from bascule.settings import Settings
from bascule.sites.fields import NewConnection
from bascule.sites.pool import open_site
from bascule.sites.service import create_connection

DOCTYPE = "Bank Transaction"
TIMES = 3


async def measure(order: dict[str, Any]) -> dict[str, Any]:
    load(JOB_MODULES)
    many = int(order["documents"])
    async with open_hub(Settings(data_dir=Path(order["data_dir"]))) as hub:
        until = asyncio.Event()
        worker = asyncio.create_task(run_worker(hub, concurrency=8, until=until))
        site = NewConnection(
            name="Books",
            api_url=order["url"],
            api_key=order["api_key"],
            api_secret=order["api_secret"],
            schedule="manual",
        )
        connection = await create_connection(hub, site, test=False)
        await outbox.prepare(hub, connection, [DOCTYPE])
        bare, ours = [], []
        for turn in range(TIMES):
            bare.append(await _bare(hub, connection, many, turn))
            ours.append(await _ours(hub, connection, many, turn))
        until.set()
        await worker
    return {"bare_seconds": statistics.median(bare), "outbox_seconds": statistics.median(ours)}


def _values(key: str) -> dict[str, Any]:
    return {"date": "2026-11-10", "deposit": 1, "currency": "EUR", "transaction_id": key}


async def _bare(hub: Hub, connection: Connection, many: int, turn: int) -> float:
    documents = [{"doctype": DOCTYPE, **_values(f"bare-{turn}-{n}")} for n in range(many)]
    async with open_site(hub, connection) as site:
        began = time.perf_counter()
        for at in range(0, many, BATCH):
            await site.insert_many(documents[at : at + BATCH])
        return time.perf_counter() - began


async def _ours(hub: Hub, connection: Connection, many: int, turn: int) -> float:
    keys = [f"ours-{turn}-{n}" for n in range(many)]
    writes = [Write(DOCTYPE, key, "create", values=_values(key)) for key in keys]
    began = time.perf_counter()
    async with hub.db.session() as session:
        await outbox.put_many(
            hub, session, connection, [(write, ("bench", write.key)) for write in writes]
        )
    while True:
        async with hub.db.connection() as conn:
            left = await conn.execute(
                "SELECT count(*) FROM bascule.outbox_writes WHERE state <> 'written'"
            )
            row = await left.fetchone()
        if row is not None and row[0] == 0:
            return time.perf_counter() - began
        await asyncio.sleep(0.02)


def main() -> None:
    print(json.dumps(asyncio.run(measure(json.loads(sys.stdin.readline())))), flush=True)


if __name__ == "__main__":
    main()
