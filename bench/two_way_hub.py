"""A hub with a worker, as `bascule up` runs it, in a process of its own."""

import argparse
import asyncio
import json
import sys
from pathlib import Path

from bascule.accounts.tokens import issue_token
from bascule.app import create_app
from bascule.hub import open_hub
from bascule.job_modules import JOB_MODULES
from bascule.jobs import load, run_worker
from bascule.serving import serving
from bascule.settings import Settings


async def live(folder: Path) -> None:
    load(JOB_MODULES)
    settings = Settings(data_dir=folder)
    async with open_hub(settings) as hub:
        stop = asyncio.Event()
        working = asyncio.create_task(run_worker(hub, settings.worker_concurrency, stop))
        async with serving(create_app(settings, hub=hub), "127.0.0.1", 0) as url:
            async with hub.db.session() as session:
                token = await issue_token(session, "bench")
            print(json.dumps({"url": url, "token": token}), flush=True)
            await asyncio.to_thread(sys.stdin.read)
        stop.set()
        await working


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data-dir", type=Path, required=True)
    asyncio.run(live(parser.parse_args().data_dir))


if __name__ == "__main__":
    main()
