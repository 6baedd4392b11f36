"""Schedules fire once however many ask, and what was missed is done once."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from bascule.connections.schedules import take_due, take_due_verify
from bascule.connections.tables import Connection

from .conftest import RunningHub


def test_many_workers_take_what_is_due_once(
    connect: Callable[..., Any], running_hub: RunningHub
) -> None:
    made = [connect(api_url="http://127.0.0.1:1", test_connection=False) for _ in range(3)]
    ids = [UUID(one["id"]) for one in made]
    now = datetime(2001, 1, 1, 12, 0, tzinfo=UTC)  # earlier than anything else is planned for

    async def plan(schedule: str, when: datetime) -> None:
        async with running_hub.hub.db.session() as session:
            for number in ids:
                connection = await session.get_one(Connection, number)
                connection.schedule = schedule
                connection.next_sync_at = connection.next_verify_at = when

    async def worker(take: Callable[..., Any]) -> list[UUID]:
        async with running_hub.hub.db.session() as session:
            taken = [connection.id for connection in await take(session, now)]
            await asyncio.sleep(0.05)
            return taken

    async def workers(take: Callable[..., Any]) -> list[UUID]:
        taken = await asyncio.gather(*(worker(take) for _ in range(5)))
        return [number for some in taken for number in some]

    async def planned() -> set[tuple[datetime | None, datetime | None]]:
        async with running_hub.hub.db.session() as session:
            found = [await session.get_one(Connection, number) for number in ids]
            return {(one.next_sync_at, one.next_verify_at) for one in found}

    running_hub.run(plan("every 15 minutes", now - timedelta(minutes=5)))
    assert sorted(running_hub.run(workers(take_due))) == sorted(ids)
    assert running_hub.run(workers(take_due)) == []
    assert sorted(running_hub.run(workers(take_due_verify))) == sorted(ids)
    on_time = (now + timedelta(minutes=10), datetime(2001, 1, 2, 3, 0, tzinfo=UTC))
    assert running_hub.run(planned()) == {on_time}

    running_hub.run(plan("every 15 minutes", now - timedelta(days=3)))
    assert sorted(running_hub.run(workers(take_due))) == sorted(ids)
    assert {due for due, _ in running_hub.run(planned())} == {now + timedelta(minutes=15)}

    running_hub.run(plan("manual", now - timedelta(days=3)))
    running_hub.run(workers(take_due))
    running_hub.run(workers(take_due_verify))
    assert running_hub.run(planned()) == {(None, None)}
