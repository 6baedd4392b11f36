"""A pool of connections that loses neither a cancellation nor a connection."""

import asyncio

import psycopg
from psycopg_pool import AsyncConnectionPool

RETURNING: set["asyncio.Task[None]"] = set()  # asyncio itself keeps only a weak reference


class Pool(AsyncConnectionPool[psycopg.AsyncConnection]):
    """psycopg's own, but who is cancelled while waiting for a connection is cancelled.

    psycopg_pool 3.3 hands out the connection that came in the same moment and forgets the
    cancellation: whoever was told to stop goes on for good. And a cancellation in the middle of
    giving a connection back makes it lose the connection.
    """

    async def getconn(self, timeout: float | None = None) -> psycopg.AsyncConnection:  # noqa: ASYNC109
        before = _cancellations()
        connection = await super().getconn(timeout)
        if _cancellations() > before:
            await self.putconn(connection)
            raise asyncio.CancelledError
        return connection

    async def putconn(self, conn: psycopg.AsyncConnection) -> None:
        giving_back = asyncio.create_task(super().putconn(conn))
        RETURNING.add(giving_back)
        giving_back.add_done_callback(RETURNING.discard)
        await asyncio.shield(giving_back)


def _cancellations() -> int:
    task = asyncio.current_task()
    return task.cancelling() if task is not None else 0
