"""Those who watch in this process: one LISTEN connection for all, a small queue for each."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import count

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg_pool import PoolTimeout

from bascule.backoff import Backoff
from bascule.events.live import CHANNEL, LiveEvent, events_since, position
from bascule.store import Database
from bascule.store.session import connect

log = logging.getLogger(__name__)

MOST_WAITING = 500  # events that one watcher may be behind
PATIENCE = 5.0  # seconds to wait for the first LISTEN
RECONNECT = Backoff(0.1, longest=1.0)  # to a database that has gone away
_GONE = (psycopg.OperationalError, psycopg.InterfaceError, PoolTimeout, OSError)


class Watcher:
    """What one browser has not been told yet. `ended`: too far behind, or the hub stops."""

    def __init__(self) -> None:
        self._waiting: dict[object, LiveEvent] = {}
        self._number = count()
        self._arrived = asyncio.Event()
        self.ended = False

    def put(self, event: LiveEvent) -> None:
        if event.id is None:
            # Of what only passes by (progress, "there are new lines") the newest is enough.
            key: object = (event.kind, event.connection_id, event.data.get("run_id"))
            self._waiting.pop(key, None)
        else:
            key = next(self._number)
        if len(self._waiting) < MOST_WAITING:
            self._waiting[key] = event
            self._arrived.set()
        elif event.id is not None:
            self.end()  # it comes back and says what it heard last; nothing is lost

    def end(self) -> None:
        self.ended = True
        self._arrived.set()

    async def take(self) -> list[LiveEvent]:
        """All that came since; waits for the first. Empty when it has ended."""
        await self._arrived.wait()
        self._arrived.clear()
        taken, self._waiting = list(self._waiting.values()), {}
        return [] if self.ended else taken


class Live:
    """The process's ear. It listens from the first watcher on, until it is closed."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._watchers: set[Watcher] = set()
        self._task: asyncio.Task[None] | None = None
        self._listening = asyncio.Event()
        self._heard: int | None = None
        self._closed = False

    async def ready(self) -> None:
        """Raises what keeps the database from being listened to."""
        if self._closed:
            return
        if self._task is None:
            self._task = asyncio.create_task(self._listen_forever())
        try:
            async with asyncio.timeout(PATIENCE):
                await self._listening.wait()
        except TimeoutError:
            raise psycopg.OperationalError("The database cannot be listened to.") from None

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[Watcher]:
        watcher = Watcher()
        if self._closed:
            watcher.end()
        self._watchers.add(watcher)
        try:
            yield watcher
        finally:
            self._watchers.discard(watcher)

    async def aclose(self) -> None:
        """Every stream ends now: a server that stops waits for its answers to be complete."""
        self._closed = True
        for watcher in self._watchers:
            watcher.end()
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _listen_forever(self) -> None:
        failures = 0
        while True:
            try:
                await self._listen()
            except _GONE as error:
                log.warning("Live events wait for the database: %s", type(error).__name__)
            if self._listening.is_set():
                failures = 0
            self._listening.clear()
            await asyncio.sleep(RECONNECT.pause(failures))
            failures += 1

    async def _listen(self) -> None:
        # A server that vanished without a word is noticed within a minute.
        to = make_conninfo(
            self._db.conninfo(), keepalives_idle=20, keepalives_interval=10, keepalives_count=3
        )
        async with await connect(to, autocommit=True) as conn:
            await conn.execute(f"LISTEN {CHANNEL}")
            await self._catch_up()
            self._listening.set()
            async for notification in conn.notifies():
                self._hear(LiveEvent(**json.loads(notification.payload)))

    async def _catch_up(self) -> None:
        """What was told while the connection was gone."""
        async with self._db.connection() as conn:
            if self._heard is None:
                self._heard = await position(conn)
                return
            missed = await events_since(conn, self._heard)
        if missed is None:
            for watcher in self._watchers:
                watcher.end()
        for event in missed or []:
            self._hear(event)

    def _hear(self, event: LiveEvent) -> None:
        if event.id is not None:
            self._heard = max(self._heard or 0, event.id)
        for watcher in self._watchers:
            watcher.put(event)
