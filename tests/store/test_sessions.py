"""Our sessions in databases of other habits, behind poolers, and after interruptions."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from uuid import uuid4

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import text

from bascule.settings import Settings
from bascule.store import Database, StoreError, open_database
from tests.kit.database import on_database, run
from tests.kit.pgbouncer import pooled

ODD = {
    "datestyle": "German, DMY",
    "timezone": "Asia/Kathmandu",
    "intervalstyle": "iso_8601",
    "client_encoding": "LATIN1",
    "standard_conforming_strings": "off",
    "backslash_quote": "on",
    "bytea_output": "escape",
    "extra_float_digits": "-10",
    "search_path": "nowhere",
    "transform_null_equals": "on",
    "array_nulls": "off",
    "quote_all_identifiers": "on",
    "default_transaction_isolation": "serializable",
    "default_transaction_read_only": "on",
    "statement_timeout": "90ms",
    "lock_timeout": "1ms",
    "idle_in_transaction_session_timeout": "50ms",
}
ASKED = "SELECT '2026-03-04'::date::text, '2026-03-04 05:06+00'::timestamptz::text,"
ASKED += " '1 day 2 hours'::interval::text, '\\x00ff'::bytea::text, 0.1::float8::text,"
ASKED += " 'a\\b', NULL = NULL IS NULL, ARRAY[NULL]::text[], pg_sleep(0.2)::text"
TEXTS = ("2026-03-04", "2026-03-04 05:06:00+00", "1 day 02:00:00", "\\x00ff", "0.1", "a\\b")
SAID = (*TEXTS, True, [None], "")


@asynccontextmanager
async def opened(url: str, *, migrate: bool = True) -> AsyncIterator[Database]:
    settings = Settings(database_url=url, secret_key="a key for tests")  # type: ignore[arg-type]
    database = await open_database(settings, migrate=migrate)
    try:
        yield database
    finally:
        await database.close()


@pytest.fixture
def empty(postgres: str) -> Iterator[str]:
    name = f"odd_{uuid4().hex[:12]}"
    run(postgres, f"CREATE DATABASE {name} TEMPLATE template0")
    yield on_database(postgres, name)
    run(postgres, f"DROP DATABASE {name} WITH (FORCE)")


async def test_a_database_of_other_habits_is_migrated_and_used_as_any_other(empty: str) -> None:
    name = conninfo_to_dict(empty)["dbname"]
    with psycopg.connect(empty, autocommit=True) as connection:
        for setting, value in ODD.items():
            connection.execute(f"ALTER DATABASE {name} SET {setting} = '{value}'".encode())
        connection.execute(f"ALTER DATABASE {name} SET search_path = nowhere".encode())
    async with opened(empty) as database:
        for _ in range(2):  # a rollback takes nothing back
            async with database.connection() as connection:
                found = await connection.execute(ASKED.encode())
                assert await found.fetchone() == SAID
                await connection.rollback()
            async with database.session() as session:
                row = (await session.execute(text(ASKED))).one()
                assert tuple(row) == SAID
                await session.execute(text("SELECT count(*) FROM procrastinate_jobs"))


async def through(address: str, most: int = 20) -> None:
    async with opened(address) as database:
        async with database.connection() as connection, database.session() as session:
            await connection.execute("SELECT pg_advisory_xact_lock(7)")
            other = await session.scalar(text("SELECT pg_try_advisory_xact_lock(7)"))
            assert other is False
        for _ in range(most):  # prepared on the way
            async with database.connection() as connection:
                found = await connection.execute("SELECT %s::int + 1", [1], prepare=True)
                assert await found.fetchone() == (2,)
        assert database.pooled


async def test_a_pooler_that_keeps_sessions_works_as_it_comes(empty: str) -> None:
    with pooled(empty) as address:
        await through(address)


@pytest.mark.parametrize("robin", ["0", "1"])
@pytest.mark.parametrize("mode", ["transaction", "statement"])
async def test_a_pooler_that_keeps_no_sessions_is_refused_in_words(
    database_url: str, mode: str, robin: str
) -> None:
    with pooled(database_url, pool_mode=mode, server_round_robin=robin) as address:
        held = [psycopg.connect(address, autocommit=True) for _ in range(3)]
        for one in held:
            one.execute("SELECT 1")
        with pytest.raises(StoreError, match="each transaction another session") as refused:
            await through(address)
        for one in held:
            one.close()
    assert "pool_mode = session" in refused.value.next_step


async def test_an_option_that_a_pooler_refuses_is_named(database_url: str) -> None:
    with pooled(database_url) as address:
        with pytest.raises(StoreError, match="unsupported startup parameter: options") as refused:
            await through(f"{address}?options=-c%20work_mem%3D9MB")
        assert "ignore_startup_parameters" in refused.value.next_step


async def test_a_pooler_of_one_connection_is_refused_in_words(database_url: str) -> None:
    with pooled(database_url, default_pool_size="1", query_wait_timeout="1") as address:
        with pytest.raises(StoreError, match="one connection alone") as refused:
            await through(address)
        assert "default_pool_size" in refused.value.next_step


async def test_a_database_in_another_encoding_is_refused_in_words(postgres: str) -> None:
    name = f"latin_{uuid4().hex[:12]}"
    run(
        postgres,
        f"CREATE DATABASE {name} TEMPLATE template0 ENCODING LATIN1 "
        "LOCALE_PROVIDER libc LOCALE 'C'",
    )
    try:
        with pytest.raises(StoreError, match="keeps text in LATIN1") as refused:
            async with opened(on_database(postgres, name)):
                pass
        assert "--encoding UTF8" in refused.value.next_step
    finally:
        run(postgres, f"DROP DATABASE {name} WITH (FORCE)")


async def test_who_is_cancelled_while_a_connection_is_looked_at_leaves_it_as_it_was(
    database_url: str,
) -> None:
    """At each of the first steps of taking one, in a loop that was busy for a while."""

    async def take(database: Database) -> None:
        async with database.connection() as connection:
            await connection.execute("SELECT 1")

    async with opened(database_url, migrate=False) as database:
        for steps in [*range(12)] * 3:
            await asyncio.sleep(0.03)
            taking = asyncio.create_task(take(database))
            for _ in range(steps):
                await asyncio.sleep(0)
            taking.cancel()
            await asyncio.wait({taking})
            async with database.connection() as connection, database.session() as session:
                assert not connection.autocommit, steps
                await connection.execute("SET LOCAL work_mem = '9MB'")
                held = await connection.execute("SELECT current_setting('work_mem')")
                assert await held.fetchone() == ("9MB",)
                await session.execute(text("SET LOCAL work_mem = '9MB'"))
                assert await session.scalar(text("SELECT current_setting('work_mem')")) == "9MB"
