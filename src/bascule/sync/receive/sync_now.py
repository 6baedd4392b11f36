"""Sync now: each site is asked for what changed, and what that brought is waited for and told."""

import asyncio
import time
from typing import Any
from uuid import uuid4

from bascule.accounts.tables import User
from bascule.hub import Hub
from bascule.sync.fields import RecordType
from bascule.sync.receive.pull import start_poll, told_by
from bascule.sync.schemas import Enhanced
from bascule.sync.setup.settings import two_ways
from bascule.sync.tables import TwoWay


async def sync_now(
    hub: Hub, kind: RecordType, user: User | None, *, whole: bool, wait: int
) -> Enhanced:
    """A poll of each connection that this person may see, waited for."""
    ticket = uuid4().hex
    async with hub.db.session() as session:
        mine = [
            (two_way.id, connection.slug)
            for two_way, connection in await two_ways(session, user)
            if two_way.record_type == kind.name and two_way.status == "on"
        ]
        for number, _ in mine:
            two_way = await session.get(TwoWay, number)
            assert two_way is not None  # noqa: S101
            await start_poll(hub, session, two_way, whole=whole, ticket=ticket)
    give_up = time.monotonic() + wait
    while True:
        told = await _told(hub, mine, ticket)
        if len(told) == len(mine) or time.monotonic() >= give_up:
            break
        await asyncio.sleep(0.1)
    errors = {slug: str(one["error"]) for slug, one in told.items() if "error" in one}
    sums = {
        slug: {k: v for k, v in one.items() if isinstance(v, int)} for slug, one in told.items()
    }
    total: dict[str, int] = {}
    for one in sums.values():
        for name, count in one.items():
            total[name] = total.get(name, 0) + count
    return Enhanced(
        success=not errors,
        finished=len(told) == len(mine),
        summary=total,
        connectors=sums,
        errors=errors,
    )


async def _told(hub: Hub, mine: list[tuple[int, str]], ticket: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    async with hub.db.session() as session:
        for number, slug in mine:
            two_way = await session.get(TwoWay, number)
            if two_way is None:
                found[slug] = {"error": "The connection was deleted meanwhile."}
            elif two_way.status != "on":
                found[slug] = {"error": "Two-way sync was turned off meanwhile."}
            elif (told := told_by(two_way, ticket)) is not None:
                found[slug] = told
    return found
