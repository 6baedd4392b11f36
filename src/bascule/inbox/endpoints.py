"""Whose a delivery is: the ends that there are, remembered in this process with their secrets.

Never looked up for each request. What does not match is compared again with what the database says
by then, so a new secret counts at once, in every process; a taken away one counts no more after
`OLDEST` seconds.
"""

import asyncio
import logging
import time
from dataclasses import dataclass
from uuid import UUID

from bascule.hub import Hub
from bascule.inbox.frappe.signatures import is_signed
from bascule.store.errors import WrongKey

log = logging.getLogger(__name__)

OLDEST = 5.0  # seconds that a secret is believed without looking
PAUSE = 0.25  # seconds between two looks, however many wrong signatures come
NOBODYS = b"compared with where there is no secret, so that it takes as long"


@dataclass(frozen=True, slots=True)
class Endpoint:
    connection_id: UUID
    token: str
    secrets: tuple[bytes, ...]  # the newest first


class Endpoints:
    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._ends: list[Endpoint] = []
        self._read_at = float("-inf")  # when the look began whose answer is here
        self._looking: asyncio.Task[None] | None = None

    async def whose(self, token: str | None, body: bytes, signature: str) -> UUID | None:
        """The connection whose secret made this signature; None: nobody's."""
        asked_at = time.monotonic()
        if self._read_at < asked_at - OLDEST:
            await self._look(asked_at - OLDEST)
        found = self._signer(token, body, signature)
        if found is None and signature:
            await self._look(asked_at)
            found = self._signer(token, body, signature)
        return found

    def forget(self) -> None:
        """The ends were changed in this process."""
        self._read_at = float("-inf")

    def _signer(self, token: str | None, body: bytes, signature: str) -> UUID | None:
        ends = [end for end in self._ends if token in (None, end.token)]
        for end in ends:
            for secret in end.secrets:
                if is_signed(secret, body, signature):
                    return end.connection_id
        if not ends:
            is_signed(NOBODYS, body, signature)
        return None

    async def _look(self, since: float) -> None:
        """Returns when what is here was asked for after that moment; all who wait share a look."""
        while self._read_at < since:
            if self._looking is None:
                self._looking = asyncio.create_task(self._read())
            # Whoever asked may hang up; the others still wait.
            await asyncio.shield(self._looking)

    async def _read(self) -> None:
        try:
            await asyncio.sleep(max(0.0, self._read_at + PAUSE - time.monotonic()))
            began = time.monotonic()
            async with self._hub.db.connection() as conn:
                found = await conn.execute(
                    "SELECT connection_id, token, secret_encrypted,"
                    " CASE WHEN previous_until > now() THEN previous_encrypted END"
                    " FROM bascule.webhook_ends w WHERE NOT EXISTS ("  # at rest: see `resting`
                    "SELECT FROM bascule.connections c JOIN bascule.users u ON u.id = c.owner_id"
                    " WHERE c.id = w.connection_id AND NOT c.shared AND NOT u.active)"
                )
                rows = await found.fetchall()
            self._ends = [
                Endpoint(connection_id, token, self._opened(connection_id, *sealed))
                for connection_id, token, *sealed in rows
            ]
            self._read_at = began
        finally:
            self._looking = None

    def _opened(self, connection_id: UUID, *sealed: str | None) -> tuple[bytes, ...]:
        secrets = []
        for text in filter(None, sealed):
            try:
                secrets.append(self._hub.vault.decrypt(text).encode())
            except WrongKey as error:
                log.warning("The webhooks' secret of connection %s: %s", connection_id, error)
        return tuple(secrets)


def endpoints_of(hub: Hub) -> Endpoints:
    ends: Endpoints | None = hub.shared.get(Endpoints)
    if ends is None:
        ends = hub.shared[Endpoints] = Endpoints(hub)
    return ends
