"""Puts jobs into the queue: Procrastinate, in the hub's own database."""

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

# Procrastinate's own function for many queues none where one of them waits already.
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
        """Queues one run of a task; returns the job's id. Arguments are JSON.

        - `lock`: of jobs with the same lock one runs at a time, in the order of queueing; one that
          waits for its `schedule_at` holds back the later ones.
        - `queueing_lock`: returns None where a job with the same one waits already.
        - `connection`: the job is queued when this transaction commits.
        - `work` gives this job a higher class than its task has.
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
        """Queues a task once for each key, in one statement of the caller's transaction.

        `arguments` maps a key, which is the job's lock and queueing lock, to the job's arguments.
        Returns how many were queued: a key that waits already is skipped. A higher `priority` goes
        first.
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
