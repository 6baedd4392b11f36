"""Settings that every session of the hub relies on, whatever the database or its role has set.

A database or a role may have a date style, time zone, isolation level or limit of its own (ALTER
ROLE ... SET ...). These are set by a statement once the connection stands and not as startup
options, which a pooler such as PgBouncer refuses.
"""

from collections.abc import Mapping
from typing import Any

import psycopg
from tenacity import (
    AsyncRetrying,
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
)

JOBS_SCHEMA = "bascule_jobs"
READER = "bascule_reader"  # the login role that reads mirrors, in a PostgreSQL that has one
_PINNED = {
    "search_path": f"{JOBS_SCHEMA}, public",  # Procrastinate names its tables without their schema
    "client_encoding": "UTF8",
    # Values as text: what COPY reads and writes, and what views and comparisons cast.
    "datestyle": "ISO, MDY",
    "timezone": "UTC",
    "intervalstyle": "postgres",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    "xmloption": "content",
    # Statements mean what they say.
    "standard_conforming_strings": "on",
    "transform_null_equals": "off",
    "array_nulls": "on",
    "quote_all_identifiers": "off",
    "check_function_bodies": "on",
    "default_transaction_isolation": "read committed",
    "default_transaction_read_only": "off",
    "default_transaction_deferrable": "off",
    # A pull of a large DocType, a lock that is waited for and a quiet listener take their time.
    "statement_timeout": "0",
    "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "idle_session_timeout": "0",
}
_SINCE_17 = {"transaction_timeout": "0"}
UNLIMITED = "0"
_NONE: Mapping[str, str] = {}
DOWNLOAD_LIMITS = {"statement_timeout": "1h", "idle_in_transaction_session_timeout": "10min"}
# Until it is done, a limit of the database's own holds for this statement too: one of a few
# milliseconds is reached wherever the machine is busy, and the next try most often is not. One that
# is reached just as the statement ends cancels the one after it, so an empty one follows.
_ON_TIMEOUT: dict[str, Any] = {
    "retry": retry_if_exception_type(psycopg.errors.QueryCanceled),
    "stop": stop_after_attempt(100),
    "reraise": True,
}


async def connect(conninfo: str, **options: Any) -> psycopg.AsyncConnection:
    """A connection outside of the pools, with the settings that `pin` gives theirs."""
    connection = await psycopg.AsyncConnection.connect(conninfo, **options)
    try:
        await pin(connection)
    except BaseException:
        await connection.close()
        raise
    return connection


def connect_blocking(conninfo: str, *, autocommit: bool = False) -> psycopg.Connection:
    """The same for a thread."""
    connection = psycopg.connect(conninfo, autocommit=True)
    statement = _statement(connection.info.server_version)
    try:
        done = Retrying(**_ON_TIMEOUT)(connection.execute, statement)
        if (row := done.fetchone()) and row[0] != UNLIMITED:
            Retrying(**_ON_TIMEOUT)(connection.execute, b"SELECT")
    except BaseException:
        connection.close()
        raise
    connection.autocommit = autocommit
    return connection


async def pin(connection: psycopg.AsyncConnection, limits: Mapping[str, str] = _NONE) -> None:
    """Sets the session's settings, in one round trip, or two where there was a limit.

    Runs outside of a transaction, whose rollback would undo it. `limits` are settings in which this
    connection differs from the others.
    """
    before = connection.autocommit
    await connection.set_autocommit(True)
    statement = _statement(connection.info.server_version, limits)
    done: psycopg.AsyncCursor[Any]
    done = await AsyncRetrying(**_ON_TIMEOUT)(connection.execute, statement)
    if (row := await done.fetchone()) and row[0] != UNLIMITED:
        await AsyncRetrying(**_ON_TIMEOUT)(connection.execute, b"SELECT")
    await connection.set_autocommit(before)


async def pin_download(connection: psycopg.AsyncConnection) -> None:
    """For a connection that lasts as long as its reader: the server ends it in the end, even where
    the hub is gone.
    """
    await pin(connection, DOWNLOAD_LIMITS)


def _statement(server_version: int, limits: Mapping[str, str] = _NONE) -> bytes:
    pinned = _PINNED | (_SINCE_17 if server_version >= 170_000 else {}) | dict(limits)
    return b"SELECT current_setting('statement_timeout'), " + b", ".join(
        f"set_config('{name}', '{value}', false)".encode() for name, value in pinned.items()
    )
