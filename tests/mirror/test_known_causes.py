"""What is no fault of the hub is not called one: the database and the machine have their own."""

import errno
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
import sqlalchemy.exc
from psycopg.conninfo import conninfo_to_dict

from bascule.store.failures import cause_of


async def test_a_run_tells_what_its_database_would_not_do(mirrored: Callable[..., Any]) -> None:
    mirror = await mirrored()
    [run] = await mirror.sync("Supplier")
    assert run.outcome == "done", run.error

    await mirror.execute("ALTER TABLE mirror.supplier ADD CHECK (length(name) < 0) NOT VALID")
    [run] = await mirror.sync("Supplier", kind="full")
    assert run.outcome == "failed"
    assert "supplier_name_check" in run.error
    assert "Drop that constraint" in run.next_step
    await mirror.execute("ALTER TABLE mirror.supplier DROP CONSTRAINT supplier_name_check")
    [run] = await mirror.sync("Supplier")
    assert run.outcome == "done", run.error


async def test_a_lost_connection_and_a_full_pool_are_named(database_url: str) -> None:
    with psycopg.connect(database_url) as conn, psycopg.connect(database_url) as other:
        pid = conn.info.backend_pid
        other.execute("SELECT pg_terminate_backend(%s)", [pid])
        with pytest.raises(psycopg.Error) as lost:
            conn.execute("SELECT 1")
    cause = cause_of(lost.value)
    assert cause is not None and "connection to the hub's database was lost" in cause.message
    assert "goes on where it was" in cause.next_step


STATEMENTS = {
    "SELECT 'x'::int": ("does not fit", "streams omit"),
    "SELECT * FROM nowhere.nothing": ("Something is missing", "pulled anew"),
    "SET statement_timeout = 20; SELECT pg_sleep(9)": ("stopped this", "goes on where it was"),
    "SET default_transaction_read_only = on; CREATE TABLE public.x ()": (
        "takes no writes",
        "standby",
    ),
    "CREATE TABLE public.t (a int); CREATE VIEW public.v AS SELECT a FROM public.t;"
    " ALTER TABLE public.t ALTER a TYPE text": ("in the way", "Drop the view"),
}


@pytest.mark.parametrize("statement", [*STATEMENTS])
def test_each_state_of_the_database_has_its_words(database_url: str, statement: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as conn:
        *first, last = statement.split("; ")
        for part in first:
            conn.execute(part.encode())
        with pytest.raises(psycopg.Error) as caught:
            conn.execute(last.encode())
    wrapped = sqlalchemy.exc.DBAPIError("SELECT", {}, caught.value)
    for error in (caught.value, wrapped):
        cause = cause_of(error)
        assert cause is not None, error
        said, step = STATEMENTS[statement]
        assert said in cause.message and step in cause.next_step, cause


def test_a_role_that_may_not_is_told_what_to_grant(database_url: str) -> None:
    name = f"poor_{conninfo_to_dict(database_url)['dbname']}"
    with psycopg.connect(database_url, autocommit=True) as conn:
        conn.execute(f"CREATE ROLE {name}".encode())
        try:
            conn.execute(f"SET ROLE {name}".encode())
            with pytest.raises(psycopg.Error) as caught:
                conn.execute("CREATE SCHEMA mine")
        finally:
            conn.execute("RESET ROLE")
            conn.execute(f"DROP ROLE {name}".encode())
    cause = cause_of(caught.value)
    assert cause is not None and "owner" in cause.next_step


def test_the_machine_has_causes_too_and_what_is_unknown_stays_unknown() -> None:
    full = cause_of(OSError(errno.ENOSPC, "No space left on device"))
    assert full is not None and "disk" in full.message
    assert cause_of(MemoryError()) is not None
    assert cause_of(TypeError("x")) is None
    assert cause_of(KeyError("x")) is None
