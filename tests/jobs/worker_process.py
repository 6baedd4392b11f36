"""A worker as a process of its own, with tasks that leave traces in `public.traces`.

python worker_process.py <concurrency> [ticking]
"""

import asyncio
import logging
import os
import signal
import sys
from typing import Any

from bascule.hub import Hub, open_hub
from bascule.jobs import Work, every, run_worker, task


async def trace(hub: Hub, what: str, key: str = "") -> None:
    async with hub.db.connection() as connection:
        await connection.execute(
            "INSERT INTO public.traces (what, key, pid) VALUES (%s, %s, %s)",
            [what, key, os.getpid()],
        )


@task("work")
async def work(
    hub: Hub,
    key: str,
    seconds: float = 0.0,
    first: float | None = None,
    held: bool = False,
    connection_id: str = "",
) -> None:
    """`first`: seconds of the first attempt alone. `held`: later ones wait until told to go on."""
    async with hub.db.connection() as connection:
        found = await connection.execute("SELECT 1 FROM public.traces WHERE key = %s", [key])
        again = await found.fetchone()
    await trace(hub, "begin", key)
    await asyncio.sleep(first if first is not None and not again else seconds)
    while held and again and not await told_to_go_on(hub, key):
        await asyncio.sleep(0.05)
    await trace(hub, "end", key)


async def told_to_go_on(hub: Hub, key: str) -> bool:
    async with hub.db.connection() as connection:
        query = "SELECT 1 FROM public.traces WHERE what = 'go on' AND key = %s"
        return await (await connection.execute(query, [f"{key}, held"])).fetchone() is not None


@task("edit", Work.PEOPLE)
async def edit(hub: Hub, key: str) -> None:
    await trace(hub, "begin", key)


@task("fail")
async def fail(hub: Hub, key: str) -> None:
    await trace(hub, "begin", key)
    raise ValueError("the reason")


async def tick(hub: Hub) -> None:
    await trace(hub, "tick")


async def main(concurrency: int, *modes: str) -> None:
    if "ticking" in modes:
        every("* * * * * */2", "test.tick")(tick)
    if "yearly" in modes:
        every("0 0 1 1 *", "test.yearly")(tick)
    until = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, until.set)
    async with open_hub() as hub:
        print("open", flush=True)
        await run_worker(hub, concurrency=concurrency, until=until)


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    arguments: list[Any] = sys.argv[1:]
    asyncio.run(main(int(arguments[0]), *arguments[1:]))
