"""Starts workers quickly: everything is imported once, and each worker is a fork of this process.

A line on its input starts one, whose pid is told; with the end of its input it ends.
"""

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Iterator
from inspect import isasyncgen
from pathlib import Path
from typing import Any, NoReturn

from bascule.hub import open_hub
from bascule.job_modules import JOB_MODULES
from bascule.jobs import load, run_worker, worker
from bascule.settings import Settings

CONCURRENCY = 4
WAITING = "waiting-"  # and its number: what a worker writes when it is asked by SIGUSR1


async def work() -> None:
    settings = Settings()
    told = settings.data_dir / f"{WAITING}{os.getpid()}"
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, lambda: tell_waiting(told))
    async with open_hub(settings) as hub:
        await run_worker(hub, CONCURRENCY)


def tell_waiting(path: Path) -> None:
    """Where each task of this worker stands, from its outermost call to the innermost."""
    lines = [f"{task.get_name()}: {' < '.join(stands(task))}" for task in asyncio.all_tasks()]
    whole = path.with_suffix(".part")
    whole.write_text("\n".join(sorted(lines)))
    whole.rename(path)


def stands(task: "asyncio.Task[Any]") -> Iterator[str]:
    at: Any = task.get_coro()
    while at is not None:
        frame = getattr(at, "cr_frame", None) or getattr(at, "ag_frame", None)
        if frame is not None:
            yield f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno} {frame.f_code.co_name}"
        elif type(at).__name__ == "async_generator_asend":  # tells what it drives to the gc alone
            at = next((one for one in gc.get_referents(at) if isasyncgen(one)), None)
            continue
        else:
            yield repr(at)[:200]
        at = getattr(at, "cr_await", None) or getattr(at, "ag_await", None)


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
