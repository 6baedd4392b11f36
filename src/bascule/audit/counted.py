"""What strangers do, counted: refused tokens, unsigned webhooks, sign-ins that were not looked at.

A row for each would let anybody fill the journal; none would hide that somebody tries. So one row
tells how many there were from an address within the hour, written within 15 seconds. What a killed
process had not written yet is lost.
"""

import asyncio
import logging
from collections import Counter
from contextlib import suppress
from typing import Any

from bascule.audit.entries import UNWRITTEN, record
from bascule.hub import Hub
from bascule.store.database import driver_connection

log = logging.getLogger(__name__)
EVERY = 15.0  # seconds
ADDRESSES = 50  # told apart at one writing; all others are one row
ELSEWHERE = ""

_ADD = """
    UPDATE bascule.audit
       SET detail = detail || jsonb_build_object('times', (detail->>'times')::bigint + %(times)s,
                                                 'last', now()::timestamptz(0)::text)
     WHERE id = (SELECT id FROM bascule.audit
                  WHERE action = %(action)s AND address = %(address)s AND user_id IS NULL
                    AND at > now() - interval '1 hour'
                  ORDER BY id DESC LIMIT 1)
    RETURNING id
"""


class CountedEvents:
    """What this process has counted and not written yet, by action and address."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.seen: Counter[tuple[str, str]] = Counter()
        self.writing: asyncio.Task[None] | None = None

    def add(self, action: str, address: str) -> None:
        known = (action, address) in self.seen or len(self.seen) < ADDRESSES
        self.seen[action, address if known else ELSEWHERE] += 1
        if self.writing is None or self.writing.done():
            self.writing = asyncio.create_task(self._soon())

    async def _soon(self) -> None:
        await asyncio.sleep(EVERY)
        try:
            await self.write()
        except UNWRITTEN as error:
            log.error("What strangers tried is not in the journal: %s", type(error).__name__)  # noqa: TRY400

    async def write(self) -> None:
        seen, self.seen = self.seen, Counter()
        async with self.hub.db.session() as session:
            raw = await driver_connection(session)
            for (action, address), times in seen.items():
                values: dict[str, Any] = {"action": action, "address": address, "times": times}
                if await (await raw.execute(_ADD, values)).fetchone() is None:
                    await record(session, action=action, address=address, detail={"times": times})

    async def close(self) -> None:
        if self.writing is not None:
            self.writing.cancel()
            with suppress(asyncio.CancelledError):
                await self.writing
        if self.seen:
            await self.write()


def count(hub: Hub, action: str, address: str) -> None:
    """One more of these from there."""
    counted: CountedEvents | None = hub.shared.get(CountedEvents)
    if counted is None:
        counted = hub.shared[CountedEvents] = CountedEvents(hub)
        hub.closing.push_async_callback(counted.close)
    counted.add(action, address)
