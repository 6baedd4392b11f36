"""A hub with a worker, as `bascule up` runs it, at which webhooks of one connection arrive.

Says where and with which secret when it is ready; a line on its input asks how many it has kept.
"""

import argparse
import asyncio
import gc
import json
import resource
import secrets
import sys
import time
from pathlib import Path
from typing import Any

from bascule import jobs
from bascule.app import create_app
from bascule.connections.deletion.delete import delete_connection
from bascule.connections.tables import Connection
from bascule.hub import Hub, open_hub
from bascule.inbox.frappe.tables import WebhookEndpoint
from bascule.job_modules import JOB_MODULES
from bascule.jobs import run_worker
from bascule.serving import serving
from bascule.settings import Settings
from bascule.sites.fields import NewConnection
from bascule.sites.service import create_connection

PATIENCE = 120.0  # seconds to work off what was kept


async def receive(folder: Path) -> None:
    jobs.load(JOB_MODULES)
    settings = Settings(data_dir=folder)
    async with open_hub(settings) as hub:
        stop = asyncio.Event()
        working = asyncio.create_task(run_worker(hub, settings.worker_concurrency, stop))
        new = NewConnection(
            name="Sender", api_url="http://127.0.0.1:1", api_key="bench", api_secret="bench"
        )
        connection = await create_connection(hub, new, test=False)
        secret, token = secrets.token_urlsafe(32), secrets.token_urlsafe(16)
        async with hub.db.session() as session:
            sealed = hub.vault.encrypt(secret)
            session.add(
                WebhookEndpoint(connection_id=connection.id, token=token, secret_encrypted=sealed)
            )
        try:
            async with serving(create_app(settings, hub=hub), "127.0.0.1", 0) as url:
                gc.freeze()  # as `bascule up` does
                _say({"url": url, "token": token, "secret": secret})
                while await asyncio.to_thread(sys.stdin.readline):
                    _say(await _kept(hub, connection))
        finally:
            stop.set()
            await working
            await delete_connection(hub, connection, by=None)


def _say(what: dict[str, Any]) -> None:
    print(json.dumps(what), flush=True)


async def _kept(hub: Hub, connection: Connection) -> dict[str, Any]:
    """Once all that was kept has been told to who listens: how many, and how long that took."""
    began = time.perf_counter()
    states: dict[str, int] = {"kept": 1}
    while "kept" in states and time.perf_counter() - began < PATIENCE:
        await asyncio.sleep(0.1)
        async with hub.db.connection() as conn:
            found = await conn.execute(
                "SELECT state, count(DISTINCT subject) FROM bascule.deliveries"
                " WHERE connection_id = %s GROUP BY state",
                [connection.id],
            )
            states = dict(await found.fetchall())
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "states": states,
        "seconds": time.perf_counter() - began,
        "cpu_seconds": used.ru_utime + used.ru_stime,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--data-dir", type=Path, required=True)
    asyncio.run(receive(parser.parse_args().data_dir))
