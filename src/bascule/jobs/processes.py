"""The processes of a hub, as each reports itself: its role, its machine and its memory."""

import asyncio
import json
import logging
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Protocol
from uuid import UUID, uuid4

import psycopg
from psycopg import AsyncConnection
from psycopg_pool import PoolClosed, PoolTimeout
from sqlalchemy import BigInteger, func
from sqlalchemy.orm import Mapped, mapped_column

from bascule import __version__
from bascule.jobs.queue_status import LATELY
from bascule.store import Database
from bascule.store.base import Base
from bascule.store.identity import after_restore
from bascule.telemetry import give_back, take_counts

log = logging.getLogger(__name__)
EVERY = 10.0  # seconds between two reports of a process
Role = Literal["web", "worker"]


class Process(Base):
    """`role`: web (it answers) or worker; one that is both has two rows. `rss_bytes`: its resident
    memory; None where the system does not tell.
    """

    __tablename__ = "processes"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    role: Mapped[str]
    host: Mapped[str]
    pid: Mapped[int]
    version: Mapped[str]
    rss_bytes: Mapped[int | None] = mapped_column(BigInteger)
    started_at: Mapped[datetime] = mapped_column(server_default=func.now())
    seen_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Counter(Base):
    """What all processes counted together; `labels`: values in the order of `telemetry.COUNTED`, as
    JSON.
    """

    __tablename__ = "counters"

    name: Mapped[str] = mapped_column(primary_key=True)
    labels: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[float]


class HasDatabase(Protocol):
    @property
    def db(self) -> Database: ...


@dataclass(frozen=True, slots=True)
class Alive:
    """A process that reported lately. `roles` are web, worker, or both."""

    host: str
    pid: int
    roles: list[str]
    version: str
    rss_bytes: int | None
    started_at: datetime
    seen_at: datetime


_SAY = """
INSERT INTO bascule.processes (id, role, host, pid, version, rss_bytes)
VALUES (%(id)s, %(role)s, %(host)s, %(pid)s, %(version)s, %(rss)s)
    ON CONFLICT (id) DO UPDATE SET seen_at = now(), rss_bytes = excluded.rss_bytes"""
_ALIVE = """
SELECT host, pid, array_agg(DISTINCT role ORDER BY role), max(version), max(rss_bytes),
       min(started_at), max(seen_at)
  FROM bascule.processes WHERE seen_at > now() - %s * interval '1 s'
 GROUP BY host, pid ORDER BY min(started_at), pid"""
_ADD = """
INSERT INTO bascule.counters (name, labels, value)
SELECT * FROM unnest(%s::text[], %s::text[], %s::float8[])
    ON CONFLICT (name, labels) DO UPDATE SET value = counters.value + excluded.value"""
_FORGET = "DELETE FROM bascule.processes WHERE seen_at < now() - interval '1 hour'"


def resident_bytes() -> int | None:
    """Resident memory of this process now; its peak where the system tells only that."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        pass
    try:
        import resource  # noqa: PLC0415  (not on Windows)
    except ImportError:
        return None
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(most if sys.platform == "darwin" else most * 1024)


@asynccontextmanager
async def telling(hub: HasDatabase, role: Role) -> AsyncIterator[None]:
    """Reports this process while the block runs."""
    process = uuid4()
    task = asyncio.create_task(_tell(hub, process, role))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        with suppress(psycopg.Error, PoolTimeout, PoolClosed, OSError):
            async with asyncio.timeout(1.0), hub.db.connection() as conn:
                await write_counts(hub)
                await conn.execute("DELETE FROM bascule.processes WHERE id = %s", [process])


async def _tell(hub: HasDatabase, process: UUID, role: Role) -> None:
    said = {"id": process, "role": role, "host": socket.gethostname(), "pid": os.getpid()}
    while True:
        try:
            async with hub.db.connection() as conn:
                await conn.execute(_SAY, {**said, "version": __version__, "rss": resident_bytes()})
                await conn.execute(_FORGET)
            await write_counts(hub)
        except (psycopg.Error, PoolTimeout, OSError) as error:
            log.debug("This process could not be told of: %s", error)
        await asyncio.sleep(EVERY)


async def write_counts(hub: HasDatabase) -> None:
    """Adds what this process counted since the last call to the counters of all."""
    taken = {key: value for key, value in sorted(take_counts().items()) if value}
    if not taken:
        return
    try:
        async with hub.db.connection() as conn:
            await conn.execute(
                _ADD,
                [
                    [name for name, _ in taken],
                    [json.dumps(labels) for _, labels in taken],
                    [float(value) for value in taken.values()],
                ],
            )
    except BaseException:
        give_back(taken)
        raise


async def counts_of_all(conn: AsyncConnection[Any]) -> list[tuple[str, list[str], float]]:
    """Name, labels and value of every counter."""
    found = await conn.execute("SELECT name, labels, value FROM bascule.counters ORDER BY 1, 2")
    return [(name, json.loads(labels), value) for name, labels, value in await found.fetchall()]


async def processes_alive(conn: AsyncConnection[Any]) -> list[Alive]:
    """The oldest first."""
    found = await conn.execute(_ALIVE, [LATELY])
    return [Alive(*row) for row in await found.fetchall()]


@after_restore
async def forget_processes(conn: AsyncConnection[Any]) -> None:
    await conn.execute("DELETE FROM bascule.processes")
