"""The hub's database: sessions for its own tables, connections for bulk work, and its start.

The server itself is `embedded`'s or yours; the tables are made by `migrate`.
"""

import asyncio
import logging
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import psycopg
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_sessionmaker,
    create_async_engine,
)

from bascule.settings import Settings
from bascule.store.address import cannot_connect, conninfo, libpq_url
from bascule.store.errors import CannotStart
from bascule.store.migrate import migrate_database
from bascule.store.pool import Pool
from bascule.store.requirements import refuse_unsuitable
from bascule.store.session import connect, pin_download

if TYPE_CHECKING:
    from bascule.store.embedded.server import EmbeddedServer

log = logging.getLogger(__name__)

WATCH = 1.0  # seconds between two checks of the embedded server's supervisor
SESSIONS = 20  # at a time, of the hub's own tables
DOWNLOADS = 8  # at a time of one hub, each with a connection of its own
PATIENCE = 20.0  # seconds until an embedded server has to accept the first connection


class Server(Protocol):
    """Where the database is. `url` is for any program on this machine, `fast_url` for the hub."""

    @property
    def embedded(self) -> bool: ...

    @property
    def url(self) -> str: ...

    @property
    def fast_url(self) -> str: ...

    @property
    def reader_url(self) -> str | None: ...

    def leave(self) -> None: ...


@dataclass(frozen=True, slots=True)
class GivenServer:
    """Your own server, which the hub neither starts nor stops."""

    url: str = field(repr=False)
    reader_url: str | None = field(repr=False, default=None)
    embedded: bool = field(default=False, init=False)

    @property
    def fast_url(self) -> str:
        return self.url

    def leave(self) -> None:
        """Does nothing: the server is not the hub's."""


class Database:
    """Made by `open_database`. `session` and `connection` commit, or roll back on an error."""

    def __init__(
        self, server: Server, connections: int, watch: "asyncio.Task[None] | None" = None
    ) -> None:
        self._server = server
        self._watch = watch
        self.pooled = False  # whether a pooler such as PgBouncer stands before the server
        self.pool = Pool(
            self.conninfo,  # called for each connection: an embedded server may change its address
            min_size=1,
            max_size=connections,
            max_idle=120,
            name="bascule",
            open=False,
        )
        # Readers of downloads are slow or stop, so nothing else uses these connections.
        self.downloads = Pool(
            self.conninfo,
            min_size=0,
            max_size=DOWNLOADS,
            max_idle=60,
            name="downloads",
            configure=pin_download,
            open=False,
        )
        # Health checks do not wait for the hub's work.
        self.pulse = Pool(
            self.conninfo, min_size=0, max_size=1, max_idle=60, name="health", open=False
        )
        self.engine: AsyncEngine = create_async_engine(
            "postgresql+psycopg://",
            async_creator=self.connect,
            pool_size=SESSIONS // 2,
            max_overflow=SESSIONS // 2,
            pool_pre_ping=True,
            hide_parameters=True,  # keeps stored values out of the errors in the log
        )
        self._sessions = async_sessionmaker(self.engine, expire_on_commit=False)

    def __repr__(self) -> str:
        return f"<Database {'embedded' if self.embedded else 'given'}>"

    @property
    def embedded(self) -> bool:
        return self._server.embedded

    @property
    def url(self) -> str:
        """For libpq, with the password: for programs that the hub starts, never for a log."""
        return self._server.url

    @property
    def reader_url(self) -> str | None:
        """The same for the role that only reads mirrors; None where your server was given none."""
        return self._server.reader_url

    def conninfo(self) -> str:
        """How the hub itself connects."""
        return conninfo(self._server.fast_url)

    async def connect(self) -> psycopg.AsyncConnection:
        """A connection outside of the pools; the caller closes it."""
        return await connect(self.conninfo())

    @asynccontextmanager
    async def session(self) -> AsyncIterator[AsyncSession]:
        async with self._sessions() as session, session.begin():
            yield session

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[psycopg.AsyncConnection]:
        async with self.pool.connection() as connection:
            yield connection

    async def close(self) -> None:
        if self._watch:
            self._watch.cancel()
            with suppress(asyncio.CancelledError):
                await self._watch
        await self.pulse.close()
        await self.downloads.close()
        await self.pool.close()
        await self.engine.dispose()
        self._server.leave()


async def driver_connection(
    conn_or_session: psycopg.AsyncConnection[Any] | AsyncSession,
) -> psycopg.AsyncConnection[Any]:
    """The driver's connection behind a session, in the same transaction."""
    if not isinstance(conn_or_session, AsyncSession):
        return conn_or_session
    # The session's pending writes come first: what follows may be about them.
    await conn_or_session.flush()
    pooled = await (await conn_or_session.connection()).get_raw_connection()
    raw: psycopg.AsyncConnection[Any] = pooled.driver_connection  # type: ignore[assignment]
    return raw


def bulk_connections(concurrency: int) -> int:
    """The size of the pool for bulk work."""
    return min(64, max(16, 2 * concurrency))


async def open_database(settings: Settings, *, migrate: bool = True) -> Database:
    """Connects to the database that the settings name, or starts and joins the embedded one.

    `migrate` brings the hub's tables and the queue's to this version. Raises StoreError.
    """
    connections = bulk_connections(settings.worker_concurrency)
    if settings.database_url:
        url = libpq_url(settings.database_url.get_secret_value())
        reader = None
        if settings.reader_url:
            reader = libpq_url(settings.reader_url.get_secret_value(), "BASCULE_READER_URL")
        database = Database(GivenServer(url, reader), connections)
    else:
        if sys.platform == "win32":
            raise CannotStart(
                "The embedded PostgreSQL does not run on Windows.",
                next_step="Set BASCULE_DATABASE_URL to a PostgreSQL of yours, or use WSL.",
            )
        from bascule.store.embedded.server import EmbeddedServer  # noqa: PLC0415  (needs Unix)

        server = await asyncio.to_thread(EmbeddedServer.join, settings.data_dir)
        database = Database(server, connections, asyncio.create_task(_watch(server)))
    try:
        await _check(database)
        if migrate:
            await migrate_database(database.conninfo(), settings)
        await database.pool.open()
        await database.downloads.open()
        await database.pulse.open()
    except BaseException:
        await database.close()
        raise
    return database


async def _check(database: Database) -> None:
    async with await _first_connection(database) as connection:
        if not database.embedded:
            database.pooled = await refuse_unsuitable(database.connect, connection)


async def _first_connection(database: Database) -> psycopg.AsyncConnection:
    """Waits some seconds for an embedded server: its supervisor may be restarting it."""
    until = time.monotonic() + (PATIENCE if database.embedded else 0)
    while True:
        try:
            return await database.connect()
        except psycopg.Error as error:
            if time.monotonic() > until:
                raise cannot_connect(error, database.url) from None
        await asyncio.sleep(0.1)


async def _watch(server: "EmbeddedServer") -> None:
    """Starts another supervisor where it was killed. The pools reconnect by themselves."""
    while True:
        await asyncio.sleep(WATCH)
        if server.is_kept():
            continue
        log.warning("The embedded PostgreSQL has lost its supervisor; starting another.")
        try:
            await asyncio.to_thread(server.ensure)
        except CannotStart as error:
            log.warning("%s %s", error, error.next_step)
