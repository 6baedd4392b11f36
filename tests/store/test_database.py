"""A PostgreSQL of the user's: its address, and what is said when it does not let us in."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import text

from bascule.settings import Settings
from bascule.store import Database, StoreError, open_database
from bascule.store.address import libpq_url
from tests.kit.database import on_database


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[Database]:
    settings = Settings(database_url=url)  # type: ignore[arg-type]
    database = await open_database(settings, migrate=False)
    try:
        yield database
    finally:
        await database.close()


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
async def test_an_address_may_be_written_in_each_usual_way(database_url: str, scheme: str) -> None:
    address = f"{scheme}://{database_url.partition('://')[2]}"
    async with opened(address) as database, database.session() as session:
        assert await session.scalar(text("SELECT 1")) == 1


async def test_options_in_the_address_stay(database_url: str) -> None:
    join = "&" if "?" in database_url else "?"
    address = f"{database_url}{join}application_name=mine&options=-c%20work_mem%3D9MB"
    async with opened(address) as database, database.connection() as connection:
        found = await connection.execute(
            "SELECT current_setting('application_name'), current_setting('work_mem'),"
            " current_setting('timezone')"
        )
        assert await found.fetchone() == ("mine", "9MB", "UTC")


class Off(Exception):
    pass


async def test_what_fails_in_a_block_is_rolled_back(database_url: str) -> None:
    def fail() -> None:
        raise Off

    async with opened(database_url) as database:
        async with database.connection() as connection:
            await connection.execute("CREATE TABLE public.kept (id int)")
        with pytest.raises(Off):
            async with database.session() as session:
                await session.execute(text("INSERT INTO public.kept VALUES (1)"))
                fail()
        with pytest.raises(Off):
            async with database.connection() as connection:
                await connection.execute("INSERT INTO public.kept VALUES (2)")
                fail()
        async with database.session() as session:
            await session.execute(text("INSERT INTO public.kept VALUES (3)"))
        async with database.connection() as connection:
            found = await connection.execute("SELECT id FROM public.kept")
            assert await found.fetchall() == [(3,)]


async def test_connections_that_the_server_cut_are_replaced(database_url: str) -> None:
    async with opened(database_url) as database:
        async with database.connection() as connection, database.session() as session:
            await connection.execute("SELECT 1")
            await session.execute(text("SELECT 1"))
        with psycopg.connect(database_url, autocommit=True) as other:
            other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        async with database.connection() as connection, database.session() as session:
            await connection.execute("SELECT 1")
            await session.execute(text("SELECT 1"))


@pytest.mark.parametrize(
    ("address", "cause", "step"),
    [
        ("mysql://me:hunter2@127.0.0.1/x", "not a PostgreSQL address", "postgresql://user"),
        ("me:hunter2@127.0.0.1/x", "not a PostgreSQL address", "postgresql://user"),
        ("postgresql://me:hunter2@127.0.0.1/x?ssl=require", "cannot be read", "libpq's options"),
        ("postgresql://me:hunter2%zz@127.0.0.1/x", "cannot be read", "percent-encoded"),
        ("postgresql://me:hunter2@127.0.0.1:1/x", "No database answers at 127.0.0.1:1", "Start"),
        ("postgresql://me:hunter2@no.such.host.invalid/x", "No database answers", "Start"),
    ],
)
async def test_an_address_that_leads_nowhere_gets_a_next_step(
    address: str, cause: str, step: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with pytest.raises(StoreError, match=cause) as refused:
        async with opened(address):
            pass
    assert step in refused.value.next_step
    assert "hunter2" not in str(refused.value) + refused.value.next_step + caplog.text


async def test_a_wrong_password_or_database_gets_a_next_step(postgres: str) -> None:
    with pytest.raises(StoreError, match="does not know this database") as refused:
        async with opened(on_database(postgres, "nowhere")):
            pass
    assert "createdb" in refused.value.next_step
    password = conninfo_to_dict(libpq_url(postgres)).get("password")
    if not password:
        pytest.skip("NOT TESTED: the server that was given wants no password")
    with pytest.raises(StoreError, match="refuses the user or the password") as refused:
        async with opened(postgres.replace(str(password), "hunter2")):
            pass
    assert "hunter2" not in str(refused.value)


async def test_a_database_shows_its_address_to_nobody_by_itself(database_url: str) -> None:
    password = str(conninfo_to_dict(database_url).get("password"))
    async with opened(database_url) as database:
        assert password not in f"{database!r} {database.engine!r} {database.pool!r}"
