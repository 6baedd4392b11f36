"""The identity of the database, by which a hub notices that it runs on a restored one.

A restored dump, by `bascule restore` or by pg_restore, is another database to PostgreSQL. Rooms
register here what they then have to correct: their site has moved on since the backup, and what was
ended since then must not come back.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from psycopg import AsyncConnection
from sqlalchemy.orm import Mapped, mapped_column

from bascule.store.base import Base

log = logging.getLogger(__name__)

LOCK = 0x6261_7369  # an advisory lock: one process at a time checks
Step = Callable[[AsyncConnection[Any]], Awaitable[None]]
AFTER: dict[str, Step] = {}


class DatabaseIdentity(Base):
    """One row: the cluster's own number and the database's in it, as text."""

    __tablename__ = "database_identity"

    identity: Mapped[str] = mapped_column(primary_key=True)


# Where the role may not read the cluster's number, the database's own is the identity.
_WHO = """
SELECT oid::text, has_function_privilege('pg_control_system()', 'EXECUTE')
  FROM pg_database WHERE datname = current_database()"""
_CLUSTER = "SELECT system_identifier::text FROM pg_control_system()"
_KNOWN = "SELECT identity FROM bascule.database_identity"


def after_restore(step: Step) -> Step:
    """Registers a coroutine function `(connection)`, which runs once in a database that was
    restored, in the transaction that notes it, before anything else is done there.
    """
    AFTER[f"{step.__module__}.{step.__qualname__}"] = step
    return step


async def recognise(conn: AsyncConnection[Any], *, restored: bool = False) -> bool:
    """Whether this database was restored since a hub last used it; runs the registered steps then.

    All in the caller's transaction. `restored` says that it was, whatever its identity says. The
    rooms have to be loaded before (`bascule.job_modules`).
    """
    now = await _identity(conn)
    if not restored and await _known(conn) == [now]:
        return False
    await conn.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
    known = await _known(conn)
    if known == [now] and not restored:
        return False  # another process was faster
    if known or restored:
        level = logging.INFO if restored else logging.WARNING
        log.log(level, "This database was restored; what was under way is looked at first.")
        for step in AFTER.values():
            await step(conn)
    await conn.execute("DELETE FROM bascule.database_identity")
    await conn.execute("INSERT INTO bascule.database_identity VALUES (%s)", [now])
    return bool(known) or restored


async def _known(conn: AsyncConnection[Any]) -> list[str]:
    return [row[0] for row in await (await conn.execute(_KNOWN)).fetchall()]


async def _identity(conn: AsyncConnection[Any]) -> str:
    row = await (await conn.execute(_WHO)).fetchone()
    assert row is not None  # noqa: S101 - the database that answers
    number, may_ask = row
    if not may_ask:
        return str(number)
    cluster = await (await conn.execute(_CLUSTER)).fetchone()
    return f"{cluster[0]}/{number}" if cluster else str(number)
