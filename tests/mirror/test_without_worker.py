"""What is started where no worker is there to do it, and where one is."""

import asyncio
from collections.abc import Callable
from typing import Any

from bascule.jobs import run_worker
from bascule.mirror.runs.manual_runs import begin


async def test_what_is_started_without_a_worker_is_said_to_wait_for_one(
    mirrored: Callable[..., Any],
) -> None:
    mirror = await mirrored()
    for _ in range(2):  # what waits already waits for one too
        said = await begin(mirror.hub, mirror.connection, "sync", ["Supplier"])
        assert said.said == "Pulling Supplier waits for a worker, and none is running."
        assert (said.kind_said, "'bascule worker'" in said.next_step) == ("failed", True)
    until = asyncio.Event()
    working = asyncio.create_task(run_worker(mirror.hub, concurrency=2, until=until))
    while (await mirror.run(1)).outcome != "done":
        await asyncio.sleep(0.1)
    said = await begin(mirror.hub, mirror.connection, "sync", ["Supplier"])
    assert (said.said, said.kind_said, said.next_step) == ("Started pulling Supplier.", "done", "")
    until.set()
    await working
