"""Starts workers quickly: everything is imported once, and each worker is a fork of this process.

A line on its input starts one, whose pid is told; with the end of its input it ends.
"""

import asyncio
import os
import signal
import sys
from typing import NoReturn

from bascule.hub import open_hub
from bascule.jobs import load, run_worker, worker
from bascule.rooms import JOB_MODULES
from bascule.settings import Settings

CONCURRENCY = 4


async def work() -> None:
    async with open_hub(Settings()) as hub:
        await run_worker(hub, CONCURRENCY)


def child() -> NoReturn:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    try:
        asyncio.run(work())
    finally:
        os._exit(1)


def main() -> None:
    load(JOB_MODULES)
    worker.TAKEOVER = 0.25  # dead workers are looked for as often as tests make them
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that are killed
    for _ in sys.stdin:
        pid = os.fork()
        if pid == 0:
            os.close(0)
            child()
        print(pid, flush=True)


if __name__ == "__main__":
    main()
