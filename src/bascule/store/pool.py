"""A pool of connections that loses neither a cancellation nor a connection."""

import asyncio
from collections.abc import Callable
from typing import Any

import psycopg
from psycopg_pool import AsyncConnectionPool
from psycopg_pool.base import AttemptWithBackoff

from bascule.store.session import pin

RETURNING: set["asyncio.Task[None]"] = set()  # asyncio itself keeps only a weak reference


class Pool(AsyncConnectionPool[psycopg.AsyncConnection]):
    """psycopg's own, but who is cancelled while waiting for a connection is cancelled.

    psycopg_pool 3.3 hands out the connection that came in the same moment and forgets the
    cancellation: whoever was told to stop goes on for good. And a cancellation in the middle of
    giving a connection back makes it lose the connection. Its workers and its scheduler take a
    cancellation for a failure of what they were at, and wait for more; the scheduler also waits by
    `asyncio.wait_for`, which forgets one now and then until Python 3.12. A Ctrl-C in that moment
    ended nothing. Its check looks in autocommit, and leaves the connection there when it is cut off
    in the moment before its query.

    Once the database was away, it is tried every second, where psycopg's own waits twice as long
    each time. And one connection that is found dead makes all the idle ones anew, instead of each
    being found so by somebody who waits.
    """

    def __init__(self, conninfo: str | Callable[[], str], **options: Any) -> None:
        super().__init__(conninfo, **{"configure": pin, **options, "check": _check})

    async def _add_connection(
        self, attempt: AttemptWithBackoff | None, growing: bool = False
    ) -> None:
        attempt = attempt or _EverySecond(timeout=self.reconnect_timeout)
        await super()._add_connection(attempt, growing)

    async def _check_connection(self, conn: psycopg.AsyncConnection) -> None:
        try:
            await super()._check_connection(conn)
        except psycopg.OperationalError:
            await self.drain()
            raise

    def _start_workers(self) -> None:
        self._sched._event = _UntilCancelledEvent()  # type: ignore[assignment]
        super()._start_workers()

    @classmethod
    async def worker(cls, q: "asyncio.Queue[Any]") -> None:
        await super().worker(_UntilCancelled(q))  # type: ignore[arg-type]

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


class _EverySecond(AttemptWithBackoff):
    DELAY_BACKOFF = 1.0


async def _check(connection: psycopg.AsyncConnection) -> None:
    """One that was not looked at to the end is closed: nobody knows what it is left in.

    The pool makes another in its place.
    """
    try:
        await Pool.check_connection(connection)
    except BaseException:
        await connection.close()
        raise


class _UntilCancelled:
    """A queue that gives nothing more to a task that was cancelled, whoever caught that."""

    def __init__(self, queue: "asyncio.Queue[Any]") -> None:
        self._queue = queue

    async def get(self) -> Any:
        if _cancellations():
            raise asyncio.CancelledError
        return await self._queue.get()


class _UntilCancelledEvent(asyncio.Event):
    """The scheduler's, which it clears before each wait: no more of them once it was cancelled."""

    def clear(self) -> None:
        if _cancellations():
            raise asyncio.CancelledError
        super().clear()

    async def wait_timeout(self, timeout: float) -> bool:  # noqa: ASYNC109
        try:
            async with asyncio.timeout(timeout):
                return await self.wait()
        except TimeoutError:
            return False


def _cancellations() -> int:
    task = asyncio.current_task()
    return task.cancelling() if task is not None else 0
