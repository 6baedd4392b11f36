"""The endpoints of a source and their secrets, remembered in this process: no request asks the
database for them.

A signature that matches none is compared again with what the database says by then, so that a new
secret counts at once in every process. A secret that was taken away counts for `OLDEST` seconds.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID

from bascule.hub import Hub
from bascule.store.errors import WrongKey

log = logging.getLogger(__name__)

OLDEST = 5.0  # seconds that a secret is believed without looking
PAUSE = 0.25  # seconds between two looks, however many wrong signatures come
NO_SECRET = b"compared with where there is no secret, so that it takes as long"

IsSigned = Callable[[bytes], bool]  # whether a secret made the signature; in constant time


@dataclass(frozen=True, slots=True)
class Endpoint:
    connection_id: UUID
    token: str
    secrets: tuple[bytes, ...]  # the newest first


class Endpoints:
    """`read` gives all that there are; it is called again and again, by one at a time."""

    def __init__(self, read: Callable[[], Awaitable[list[Endpoint]]]) -> None:
        self._read_all = read
        self._endpoints: list[Endpoint] = []
        self._read_at = float("-inf")  # when the look began whose answer is here
        self._looking: asyncio.Task[None] | None = None

    async def signer(
        self, token: str | None, is_signed: IsSigned, *, signed: bool = True
    ) -> UUID | None:
        """The connection of the endpoint with a secret that made this signature; None: there is
        none. Without `token` all endpoints are tried. `signed`: there is a signature at all, so
        that a secret of this moment might have made it.
        """
        asked_at = time.monotonic()
        if self._read_at < asked_at - OLDEST:
            await self._look(asked_at - OLDEST)
        found = self._match(token, is_signed)
        if found is None and signed:
            await self._look(asked_at)
            found = self._match(token, is_signed)
        return found

    def forget(self) -> None:
        """The endpoints were changed in this process."""
        self._read_at = float("-inf")

    def _match(self, token: str | None, is_signed: IsSigned) -> UUID | None:
        endpoints = [one for one in self._endpoints if token in (None, one.token)]
        for endpoint in endpoints:
            for secret in endpoint.secrets:
                if is_signed(secret):
                    return endpoint.connection_id
        if not endpoints:
            is_signed(NO_SECRET)
        return None

    async def _look(self, since: float) -> None:
        """Returns when what is here was asked for after that moment; all who wait share a look."""
        while self._read_at < since:
            if self._looking is None:
                self._looking = asyncio.create_task(self._read())
            # The caller may hang up; the others still wait for this look.
            await asyncio.shield(self._looking)

    async def _read(self) -> None:
        try:
            await asyncio.sleep(max(0.0, self._read_at + PAUSE - time.monotonic()))
            began = time.monotonic()
            self._endpoints = await self._read_all()
            self._read_at = began
        finally:
            self._looking = None


def open_secrets(hub: Hub, connection_id: UUID, *sealed: str | None) -> tuple[bytes, ...]:
    """Those that the hub's key opens; what it does not open is told in the log."""
    secrets = []
    for text in filter(None, sealed):
        try:
            secrets.append(hub.vault.decrypt(text).encode())
        except WrongKey as error:
            log.warning("The webhooks' secret of connection %s: %s", connection_id, error)
    return tuple(secrets)
