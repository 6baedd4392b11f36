"""The queue as those see it who put work in: Procrastinate, in the hub's own database."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import psycopg
from procrastinate import App, PsycopgConnector
from procrastinate.exceptions import AlreadyEnqueued
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.jobs.registry import Work
from bascule.store import Database
from bascule.store.database import driver_connection

# As Procrastinate's own function for many, which lets none of them in where one waits already.
_DEFER_EACH = """
    INSERT INTO procrastinate_jobs (queue_name, task_name, priority, lock, queueing_lock, args)
    SELECT 'default', %(name)s, %(priority)s, given.key, given.key, given.arguments::jsonb
      FROM unnest(%(keys)s::text[], %(arguments)s::text[]) WITH ORDINALITY
           AS given (key, arguments, place)
     ORDER BY given.place
    ON CONFLICT (queueing_lock) WHERE status = 'todo' DO NOTHING
"""


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
        work: Work | None = None,
        **arguments: Any,
    ) -> int | None:
        """Queues one run of a task; the job's id. Arguments are JSON. `work`: where this one is for
        more than its task is.

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
                priority=int(work or 0),
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

    async def defer_each(
        self,
        name: str,
        arguments: Mapping[str, Mapping[str, Any]],
        *,
        connection: psycopg.AsyncConnection | AsyncSession,
        priority: int = 0,
    ) -> int:
        """Queues a task once for each of these, in one statement and the caller's transaction: what
        is told apart by its key, which is both its lock and its queueing lock; and its arguments.
        How many were queued: where one waits already, it is enough. A higher `priority` goes first.
        """
        raw = await driver_connection(connection)
        queued = await raw.execute(
            _DEFER_EACH,
            {
                "name": name,
                "priority": priority,
                "keys": list(arguments),
                "arguments": [json.dumps(one) for one in arguments.values()],
            },
        )
        return queued.rowcount

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
