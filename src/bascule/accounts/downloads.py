"""Files that leave the hub as they are read: places for each person, and for all people together.

A download lasts as long as its reader wants. So it has a database pool of its own
(`Database.downloads`), and nothing else ever waits behind who does not read.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Any

from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from bascule.accounts.tables import User
from bascule.errors import Busy, HubError, TooMany
from bascule.hub import Hub
from bascule.store.database import DOWNLOADS

PER_PERSON = 3  # at a time, in one hub
PATIENCE = 5.0  # seconds that one waits for a place
COME_BACK = 30  # seconds, told to who found none
REFUSALS: dict[int | str, dict[str, Any]] = {
    429: {"description": f"You take {PER_PERSON} files already; `Retry-After` tells how long to "
    "wait."},
    503: {"description": "Everybody together takes as many files as the hub gives at a time, or "
    "its database cannot be reached; `Retry-After` tells how long to wait."},
}  # fmt: skip


class Downloads:
    """The places of one hub."""

    def __init__(self) -> None:
        self._all = asyncio.Semaphore(DOWNLOADS)
        self._of: dict[int, asyncio.Semaphore] = {}

    @asynccontextmanager
    async def place(self, user: User) -> AsyncIterator[None]:
        """TooMany: this person has theirs; Busy: all are taken."""
        theirs = self._of.setdefault(user.id, asyncio.Semaphore(PER_PERSON))
        await _taken(
            theirs,
            TooMany(
                f"You take {PER_PERSON} files from here already, which is what one person gets "
                "at a time.",
                next_step="Let one of them end, or end it; then ask again.",
                retry_after=COME_BACK,
            ),
        )
        try:
            await _taken(
                self._all,
                Busy(
                    f"{DOWNLOADS} files leave the hub already, which is all that it gives at a "
                    "time.",
                    next_step="Ask again in half a minute.",
                    retry_after=COME_BACK,
                ),
            )
            try:
                yield
            finally:
                self._all.release()
        finally:
            theirs.release()


async def _taken(places: asyncio.Semaphore, refusal: HubError) -> None:
    try:
        async with asyncio.timeout(PATIENCE):
            await places.acquire()
    except TimeoutError:
        raise refusal from None


def downloads_of(hub: Hub) -> Downloads:
    downloads: Downloads = hub.shared.setdefault(Downloads, Downloads())
    return downloads


class Download(StreamingResponse):
    """A file, in pieces. Its place is taken when it begins, and given back however it ends.

    What cannot be had shows before the first piece, while a status can still say so.
    """

    def __init__(
        self,
        hub: Hub,
        user: User,
        pieces: AsyncGenerator[bytes | str],
        *,
        name: str,
        media_type: str,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        told = {"Content-Disposition": f'attachment; filename="{name}"', **(headers or {})}
        super().__init__(pieces, media_type=media_type, headers=told)
        self._hub, self._user, self._pieces = hub, user, pieces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with downloads_of(self._hub).place(self._user), aclosing(self._pieces):
            first = await anext(self._pieces, b"")
            self.body_iterator = _from(first, self._pieces)
            await super().__call__(scope, receive, send)


async def _from(
    first: bytes | str, rest: AsyncGenerator[bytes | str]
) -> AsyncGenerator[bytes | str]:
    yield first
    async for piece in rest:
        yield piece
