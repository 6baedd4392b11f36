"""Who is told to stop while waiting for a connection stops, and costs the others none."""

import asyncio
import random
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from multiprocessing import get_context

from bascule.settings import Settings
from bascule.store import Database, open_database


async def ask_on(database: Database) -> None:
    while True:
        async with database.connection() as connection:
            await connection.execute("SELECT 1")


async def test_a_cancellation_is_never_lost_in_the_queue_for_a_connection(
    database_url: str,
) -> None:
    settings = Settings(database_url=database_url, worker_concurrency=1)  # type: ignore[arg-type]
    database = await open_database(settings, migrate=False)
    random.seed(3)
    try:
        crowd = [asyncio.create_task(ask_on(database)) for _ in range(40)]
        for _ in range(120):
            one = asyncio.create_task(ask_on(database))
            await asyncio.sleep(random.uniform(0, 0.05))
            one.cancel()
            await asyncio.wait({one}, timeout=60)
            assert one.cancelled(), one
        for task in crowd:
            task.cancel()
        await asyncio.wait(crowd, timeout=60)
        assert all(task.cancelled() for task in crowd)
        for _ in range(600):  # they come back one by one
            stats = database.pool.get_stats()
            if stats["pool_available"] == stats["pool_size"]:
                break
            await asyncio.sleep(0.1)
        assert stats["pool_available"] == stats["pool_size"], stats  # nor was a connection
    finally:
        await database.close()


def test_whatever_a_pool_is_at_its_own_tasks_end_when_they_are_cancelled(
    database_url: str,
) -> None:
    """In a process of its own: PostgreSQL waits a minute for who was cut off while signing in."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        process.submit(cancel_whole_pools, database_url).result()


def cancel_whole_pools(database_url: str) -> None:
    asyncio.run(_cancel_whole_pools(database_url))


async def _cancel_whole_pools(database_url: str) -> None:
    """As a process does that ends by Ctrl-C: it cancels every task once, and waits for them."""
    settings = Settings(database_url=database_url, worker_concurrency=1)  # type: ignore[arg-type]
    random.seed(4)
    for _ in range(8):
        before = asyncio.all_tasks()
        database = await open_database(settings, migrate=False)
        crowd = [asyncio.create_task(ask_on(database)) for _ in range(20)]
        await asyncio.sleep(random.uniform(0, 0.05))  # the pool grows meanwhile
        ours = asyncio.all_tasks() - before
        for task in ours:
            task.cancel()
        _, left = await asyncio.wait(ours, timeout=60)
        assert not left
        assert all(task.done() for task in crowd)
        with suppress(asyncio.CancelledError):  # which is how its own tasks ended
            await database.close()
