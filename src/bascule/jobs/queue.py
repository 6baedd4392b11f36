"""The queue as those see it who put work in: Procrastinate, in the hub's own database."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import psycopg
from procrastinate import App, PsycopgConnector
from procrastinate.exceptions import AlreadyEnqueued
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.store import Database
from bascule.store.database import driver_connection


class Jobs:
    """`defer` works in every process; running what is queued is `bascule.jobs.worker`'s."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._app = App(connector=PsycopgConnector())

    async def open(self) -> None:
        await self._app.open_async(self._db.pool)

    async def defer(
        self,
        name: str,
        *,
        lock: str | None = None,
        queueing_lock: str | None = None,
        connection: psycopg.AsyncConnection | AsyncSession | None = None,
        schedule_at: datetime | None = None,
        **arguments: Any,
    ) -> int | None:
        """Queues one run of a task; the job's id. Arguments are JSON.

        Of jobs with one `lock` one runs at a time, in the order in which they were queued (so one
        that waits for its `schedule_at` holds back the later ones). With `queueing_lock`, None
        where another job with it waits already. With `connection` the job is there when that
        transaction commits, and not at all when it does not.
        """
        async with self._on(connection, guarded=queueing_lock is not None) as raw:
            job = self._app.configure_task(
                name,
                lock=lock,
                queueing_lock=queueing_lock,
                schedule_at=schedule_at,
                connection=raw,
            )
            try:
                if raw is None or queueing_lock is None:
                    return await job.defer_async(**arguments)
                # A refusal must not end the caller's transaction, so only a savepoint of it fails.
                async with raw.transaction():
                    return await job.defer_async(**arguments)
            except AlreadyEnqueued:
                return None

    @asynccontextmanager
    async def _on(
        self, connection: psycopg.AsyncConnection | AsyncSession | None, *, guarded: bool
    ) -> AsyncIterator[psycopg.AsyncConnection | None]:
        """The driver's connection, inside the caller's transaction."""
        raw = None if connection is None else await driver_connection(connection)
        if raw is not None and guarded and not raw.autocommit:
            # Begins the transaction, or the savepoint would be a transaction of its own.
            await raw.execute("SELECT 1")
        yield raw
