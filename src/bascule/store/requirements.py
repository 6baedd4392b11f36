"""Checks at the start whether a database can hold a hub."""

from collections.abc import Awaitable, Callable

import psycopg
from psycopg.rows import TupleRow

from bascule.store.errors import CannotConnect, Unsuitable, WrongVersion

OLDEST = 140_000
LOOKS = 5  # checks of which server process answers, by turns on two connections
_WHO = "SELECT pg_backend_pid()"

Connection = psycopg.AsyncConnection[TupleRow]
Connect = Callable[[], Awaitable[Connection]]


async def refuse_unsuitable(connect: Connect, first: Connection) -> bool:
    """Returns whether a pooler stands before the database; StoreError where it cannot hold a hub.

    `first` is a connection made by `connect`.
    """
    version = first.info.server_version
    if version < OLDEST:
        raise WrongVersion(
            f"The database is PostgreSQL {version // 10_000}; Bascule needs 14 or newer.",
            next_step="Upgrade that server, or unset BASCULE_DATABASE_URL for the embedded one.",
        )
    await first.set_autocommit(True)  # a pooler may allow no transactions
    encoding = await _value(first, "SELECT current_setting('server_encoding')")
    if encoding != "UTF8":
        raise Unsuitable(
            f"The database keeps text in {encoding}, which does not hold every text of ERPNext.",
            next_step="Make one in UTF-8 (createdb --encoding UTF8 --template template0) and name "
            "it in BASCULE_DATABASE_URL.",
        )
    if await _value(first, "SELECT pg_is_in_recovery()"):
        raise Unsuitable(
            "The database is a standby, which can only be read.",
            next_step="Name the primary in BASCULE_DATABASE_URL; with several hosts in it, add "
            "target_session_attrs=read-write.",
        )
    return await _pooled(connect, first)


async def _pooled(connect: Connect, first: Connection) -> bool:
    """A pooler shows in that it tells of another server process than the one that answers.

    One that keeps no session would lose our locks, settings, temporary tables and notifications: it
    gives the server of one connection to another, or answers one connection from several.
    """
    if first.info.backend_pid == await _value(first, _WHO):
        return False
    try:
        second = await connect()
    except psycopg.OperationalError as error:
        raise CannotConnect(
            f"The pooler before the database gives the hub one connection alone: {error}",
            next_step="Let it give more (in PgBouncer default_pool_size and max_client_conn), or "
            "name the database itself in BASCULE_DATABASE_URL.",
        ) from error
    async with second:
        await second.set_autocommit(True)
        ours, others = set(), set()
        for _ in range(LOOKS):
            ours.add(await _value(first, _WHO))
            others.add(await _value(second, _WHO))
    if len(ours) > 1 or len(others) > 1 or ours & others:
        raise Unsuitable(
            "The pooler before the database gives each transaction another session; the hub keeps "
            "locks, prepared statements, temporary tables and LISTEN in its sessions.",
            next_step="Let it pool by session (in PgBouncer pool_mode = session, which may be set "
            "for this database alone), or name the database itself in BASCULE_DATABASE_URL.",
        )
    return True


async def _value(connection: Connection, query: str) -> object:
    row = await (await connection.execute(query.encode(), prepare=False)).fetchone()
    return row[0] if row else None
