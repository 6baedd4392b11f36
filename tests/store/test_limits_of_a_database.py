"""A limit that a database has of its own is lifted, even one shorter than lifting it takes."""

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from bascule.store.session import connect, connect_blocking


@pytest.fixture
def limited(database_url: str) -> str:
    name = conninfo_to_dict(database_url)["dbname"]
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} SET statement_timeout = '1ms'".encode())
    return database_url


async def test_who_connects_while_the_machine_is_busy(limited: str) -> None:
    """Many at once, more than there are cores: some of them wait longer than the limit."""
    places = asyncio.Semaphore(24)

    async def outlasts_it() -> None:
        async with places:
            connection = await connect(limited)
            async with connection:
                await connection.execute("SELECT pg_sleep(0.005)")

    await asyncio.gather(*(outlasts_it() for _ in range(24 * 15)))


def test_and_in_threads(limited: str) -> None:
    def outlasts_it(_: int) -> None:
        with connect_blocking(limited) as connection:
            connection.execute("SELECT pg_sleep(0.005)")

    with ThreadPoolExecutor(8 * (os.cpu_count() or 1)) as threads:
        list(threads.map(outlasts_it, range(300)))
