"""Deliveries on their way into the database: those that come together are committed together.

A request waits until its delivery is committed, so what was answered 200 is there after any crash.
The job that dispatches them commits with them. One that the database cannot take is refused alone.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

import psycopg

from bascule.events.live import publish
from bascule.hub import Hub
from bascule.inbox.sources import SOURCES, Arrival, Parsed
from bascule.store.vault import KEY_LOCK

MOST = 500  # deliveries in one commit
GATHER = 0.002  # seconds in which others may join a commit, which costs more than they do
AT_ONCE = 2  # commits: what comes while one is slow does not wait for it
TOLD_EVERY = 0.3  # seconds between two live events about one connection
LONGEST_SHOWN = 2_000  # characters of a body that cannot be read
# Errors that come of a value, and not of the database's state; ValueError: text that is no UTF-8.
UNTAKEN = (psycopg.DataError, psycopg.IntegrityError, ValueError)

# An ingest holds the lock shared, and a job that begins holds it alone for a moment. An ingest that
# saw a job waiting queues no other; that job then waits for its commit, and finds its deliveries.
LOCK_SHARED = """
    SELECT pg_advisory_xact_lock_shared(hashtextextended('inbox:' || id, 0))
      FROM unnest(%(connections)s::uuid[]) AS id
"""
LOCK_ALONE = "SELECT pg_advisory_xact_lock(hashtextextended('inbox:' || %s::uuid, 0))"
HOLD_KEY = "SELECT pg_advisory_xact_lock_shared(%(lock)s)"
_COLUMNS = {
    "connection_id": "uuid",
    "source": "text",
    "address": "text",
    "subject_type": "text",
    "subject": "text",
    "event": "text",
    "version": "text",
    "external_id": "text",
    "digest": "bytea",
    "payload_encrypted": "text",
    "body": "text",
    "error": "text",
}
_KEEP = f"""
    WITH here AS (
        SELECT id FROM bascule.connections WHERE id = ANY(%(connections)s) FOR KEY SHARE),
    given AS (
        SELECT * FROM unnest({", ".join(f"%({name})s::{of}[]" for name, of in _COLUMNS.items())})
            AS g ({", ".join(_COLUMNS)})),
    kept AS (
        INSERT INTO bascule.deliveries ({", ".join(_COLUMNS)}, state)
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
    """`parsed`: what it is about, or in words why nobody can tell."""

    connection_id: UUID
    source: str
    arrival: Arrival
    parsed: Parsed | str


class IngestBuffer:
    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._waiting: list[tuple[IncomingDelivery, asyncio.Future[bool]]] = []
        self._free = asyncio.Semaphore(AT_ONCE)
        self._busy: set[asyncio.Task[None]] = set()  # gathering, keeping, telling
        self._told: dict[UUID, float] = defaultdict(lambda: float("-inf"))

    async def keep(self, given: IncomingDelivery) -> bool:
        """Returns when it is committed; False: its connection is gone. Raises the database's error
        where it cannot be kept.
        """
        kept: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        if not self._waiting:  # else a gathering is under way
            self._start(self._gather())
        self._waiting.append((given, kept))
        return await kept

    async def aclose(self) -> None:
        while self._busy:
            await asyncio.wait(self._busy)

    async def _gather(self) -> None:
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
            # With another commit of some of the same deliveries, which has succeeded meanwhile.
            return await self._try_to_commit(batch)

    async def _try_to_commit(self, batch: list[IncomingDelivery]) -> set[UUID]:
        connections = {"connections": list({given.connection_id for given in batch})}
        async with self._hub.db.connection() as conn:
            if any(SOURCES[given.source].keep_payload for given in batch):
                await conn.execute(HOLD_KEY, {"lock": KEY_LOCK})  # before anything is encrypted
            values = connections | self._columns(batch)
            async with conn.pipeline():
                await conn.execute(LOCK_SHARED, connections)
                found = await conn.execute(_KEEP, values)
                rows = await found.fetchall()
            for connection_id, fresh, queued in rows:
                if fresh and not queued:
                    await queue_dispatch(self._hub, connection_id, conn)
                await self._tell(connection_id, conn)
        return {connection_id for connection_id, *_ in rows}

    def _columns(self, batch: list[IncomingDelivery]) -> dict[str, list[object]]:
        rows = [self._row(given) for given in batch]
        columns = zip(_COLUMNS, zip(*rows, strict=True), strict=True)
        return {name: list(column) for name, column in columns}

    def _row(self, given: IncomingDelivery) -> tuple[object, ...]:
        source, arrival, parsed = SOURCES[given.source], given.arrival, given.parsed
        where = given.connection_id, source.name, arrival.address
        sealed = self._sealed(arrival.body) if source.keep_payload else None
        if isinstance(parsed, str):
            shown = None if source.keep_payload else _shown(arrival.body)
            return (*where, None, None, "", None, None, None, sealed, shown, parsed)
        about = parsed.subject_type, parsed.subject, parsed.event, parsed.version
        digest = parsed.digest(source.name, arrival.body)
        return (*where, *about, parsed.external_id, digest, sealed, None, None)

    def _sealed(self, body: bytes) -> str:
        """Latin-1 gives every byte a character, so the very same bytes come back."""
        return self._hub.vault.encrypt(body.decode("latin-1"))

    async def _tell(self, connection_id: UUID, conn: psycopg.AsyncConnection) -> None:
        """Live, for the pages: at once, or in a moment about all that come until then."""
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
        with suppress(psycopg.OperationalError):  # the pages are told of the next one then
            async with self._hub.db.connection() as conn:
                await publish(conn, "delivery", connection_id=connection_id, keep=False)


def _shown(body: bytes) -> str:
    return body.decode("utf-8", "backslashreplace").replace("\0", "\\0")[:LONGEST_SHOWN]


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


async def queue_dispatch(
    hub: Hub, connection_id: UUID, conn: psycopg.AsyncConnection | None = None
) -> None:
    """At most one job of a connection waits, and one runs."""
    name = f"inbox:{connection_id}"
    await hub.jobs.defer(
        "inbox.work",
        lock=name,
        queueing_lock=name,
        connection=conn,
        connection_id=str(connection_id),
    )
