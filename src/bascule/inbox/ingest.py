"""Deliveries on their way into the database: those that come together are committed together.

Each waits until it is kept, so what was answered 200 is there after any crash. The job that tells
of them commits with them. One that the database cannot take is refused alone.
"""

import asyncio
import hashlib
import time
from collections import defaultdict
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

import psycopg

from bascule.events.live import publish
from bascule.hub import Hub
from bascule.inbox.frappe.payload import Payload

MOST = 500  # deliveries in one commit
GATHER = 0.002  # seconds in which others may join a commit, which costs more than they do
AT_ONCE = 2  # commits: what comes while one is slow does not wait for it
TOLD_EVERY = 0.3  # seconds between two live events about one connection
LONGEST_SHOWN = 2_000  # characters of a body that cannot be read
# What a value brings about, and not the database's state; ValueError: text that is no UTF-8.
UNTAKEN = (psycopg.DataError, psycopg.IntegrityError, ValueError)

# Shared by those who keep, alone by a job that begins: whoever saw that a job waits is waited for
# by that job, so it never misses what it was not started again for.
LOCK_SHARED = """
    SELECT pg_advisory_xact_lock_shared(hashtextextended('inbox:' || id, 0))
      FROM unnest(%(connections)s::uuid[]) AS id
"""
LOCK_ALONE = "SELECT pg_advisory_xact_lock(hashtextextended('inbox:' || %s::uuid, 0))"
_KEEP = """
    WITH here AS (
        SELECT id FROM bascule.connections WHERE id = ANY(%(connections)s) FOR KEY SHARE),
    given AS (
        SELECT * FROM unnest(
            %(connection)s::uuid[], %(what)s::text[], %(doctype)s::text[], %(name)s::text[],
            %(event)s::text[], %(modified)s::text[], %(digest)s::bytea[], %(body)s::text[],
            %(error)s::text[]
        ) AS g (connection_id, what, doctype, name, event, modified, digest, body, error)),
    kept AS (
        INSERT INTO bascule.deliveries (connection_id, what, doctype, name, event, modified, digest,
                                        body, error, state)
        SELECT given.*, CASE WHEN error IS NULL THEN 'kept' ELSE 'unreadable' END
          FROM given JOIN here ON here.id = given.connection_id
        ON CONFLICT (connection_id, digest) DO NOTHING
        RETURNING connection_id, state)
    SELECT here.id,
           EXISTS (SELECT FROM kept WHERE connection_id = here.id AND state = 'kept'),
           EXISTS (SELECT FROM procrastinate_jobs
                    WHERE queueing_lock = 'inbox:' || here.id AND status = 'todo')
      FROM here
"""


@dataclass(frozen=True, slots=True)
class IncomingDelivery:
    """`said`: what it says; or why it says nothing, in words."""

    connection_id: UUID
    what: str
    body: bytes
    said: Payload | str


class IngestBuffer:
    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._waiting: list[tuple[IncomingDelivery, asyncio.Future[bool]]] = []
        self._free = asyncio.Semaphore(AT_ONCE)
        self._busy: set[asyncio.Task[None]] = set()  # gathering, keeping, telling
        self._told: dict[UUID, float] = defaultdict(lambda: float("-inf"))

    async def keep(self, given: IncomingDelivery) -> bool:
        """Returns when it is committed; False: its connection is gone. Raises what keeps the
        database from it.
        """
        kept: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        if not self._waiting:  # else somebody gathers
            self._start(self._gather())
        self._waiting.append((given, kept))
        return await kept

    async def aclose(self) -> None:
        while self._busy:
            await asyncio.wait(self._busy)

    async def _gather(self) -> None:
        """Those that come close together go together."""
        while self._waiting:
            await asyncio.sleep(GATHER)
            await self._free.acquire()
            batch, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
            self._start(self._keep(batch))

    async def _keep(self, batch: list[tuple[IncomingDelivery, asyncio.Future[bool]]]) -> None:
        try:
            await self._keep_or_halve(batch)
        finally:
            self._free.release()

    async def _keep_or_halve(
        self, batch: list[tuple[IncomingDelivery, asyncio.Future[bool]]]
    ) -> None:
        """A commit that fails for what is in it is made again in halves, until what the database
        does not take stands alone.
        """
        try:
            here = await self._commit([given for given, _ in batch])
        except UNTAKEN as error:
            if len(batch) == 1:
                return _fail(batch, error)
            for half in (batch[: len(batch) // 2], batch[len(batch) // 2 :]):
                await self._keep_or_halve(half)
        except Exception as error:
            _fail(batch, error)
        else:
            for given, kept in batch:
                if not kept.done():
                    kept.set_result(given.connection_id in here)

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._busy.add(task)
        task.add_done_callback(self._busy.discard)

    async def _commit(self, batch: list[IncomingDelivery]) -> set[UUID]:
        """The connections of these that are still there."""
        try:
            return await self._try_to_commit(batch)
        except psycopg.errors.DeadlockDetected:
            # With another commit of some of the same; that one has gone on meanwhile.
            return await self._try_to_commit(batch)

    async def _try_to_commit(self, batch: list[IncomingDelivery]) -> set[UUID]:
        values = _columns(batch)
        async with self._hub.db.connection() as conn:
            async with conn.pipeline():
                await conn.execute(LOCK_SHARED, values)
                found = await conn.execute(_KEEP, values)
                rows = await found.fetchall()
            for connection_id, fresh, queued in rows:
                if fresh and not queued:
                    await queue_work(self._hub, connection_id, conn)
                await self._tell(connection_id, conn)
        return {connection_id for connection_id, *_ in rows}

    async def _tell(self, connection_id: UUID, conn: psycopg.AsyncConnection) -> None:
        """At once, or in a moment about all that come until then."""
        now = time.monotonic()
        late = self._told[connection_id] + TOLD_EVERY
        if late <= now:
            self._told[connection_id] = now
            await publish(conn, "delivery", connection_id=connection_id, keep=False)
        elif self._told[connection_id] <= now:
            self._told[connection_id] = late
            self._start(self._tell_later(connection_id, late - now))

    async def _tell_later(self, connection_id: UUID, pause: float) -> None:
        await asyncio.sleep(pause)
        with suppress(psycopg.OperationalError):  # then its pages hear of the next
            async with self._hub.db.connection() as conn:
                await publish(conn, "delivery", connection_id=connection_id, keep=False)


def _fail(batch: list[tuple[IncomingDelivery, asyncio.Future[bool]]], error: Exception) -> None:
    for _, kept in batch:
        if not kept.done():  # else its request is gone
            kept.set_exception(error)


def ingest_buffer(hub: Hub) -> IngestBuffer:
    keeper: IngestBuffer | None = hub.shared.get(IngestBuffer)
    if keeper is None:
        keeper = hub.shared[IngestBuffer] = IngestBuffer(hub)
        hub.closing.push_async_callback(keeper.aclose)
    return keeper


async def queue_work(
    hub: Hub, connection_id: UUID, conn: psycopg.AsyncConnection | None = None
) -> None:
    """A job that tells who listens; there is at most one that waits, and one that runs."""
    name = f"inbox:{connection_id}"
    await hub.jobs.defer(
        "inbox.work",
        lock=name,
        queueing_lock=name,
        connection=conn,
        connection_id=str(connection_id),
    )


def _columns(batch: list[IncomingDelivery]) -> dict[str, list[object]]:
    columns: dict[str, list[object]] = {
        "connections": list({given.connection_id for given in batch}),
        "connection": [given.connection_id for given in batch],
        "what": [given.what for given in batch],
    }
    rows = [_row(given) for given in batch]
    names = ("doctype", "name", "event", "modified", "digest", "body", "error")
    return columns | {
        name: list(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)
    }


def _row(given: IncomingDelivery) -> tuple[str | bytes | None, ...]:
    said = given.said
    if isinstance(said, str):
        shown = given.body.decode("utf-8", "backslashreplace").replace("\0", "\\0")
        return None, None, "", None, None, shown[:LONGEST_SHOWN], said
    # The same words about the same version say nothing new; without a version they may.
    digest = hashlib.sha256(given.body).digest() if said.modified else None
    return said.doctype, said.name, said.event, said.modified, digest, None, None
