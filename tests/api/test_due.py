"""Schedules fire once however many ask, and what was missed is done once."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from bascule.connections.schedules import take_due, take_due_verify
from bascule.connections.tables import Connection
from databases import FreshSettings

from .conftest import Api, RunningHub


@pytest.fixture
def quiet_hub(fresh_settings: FreshSettings) -> Iterator[RunningHub]:
    """Nobody works in it but the test."""
    with fresh_settings() as settings, RunningHub(settings, worker=False) as running:
        yield running


def connect(hub: RunningHub, name: str) -> Any:
    body = {"name": name, "api_url": "http://127.0.0.1:1", "api_key": "k", "api_secret": "s"}
    body |= {"schedule": "manual", "start_sync": False, "test_connection": False}
    answer = Api(hub.url, hub.token).post("/api/connectors/erpnext/setup", body)
    assert answer.status == 201, answer.body
    return answer.json


def test_many_workers_take_what_is_due_once(quiet_hub: RunningHub) -> None:
    made = [connect(quiet_hub, name) for name in ("One", "Two", "Three")]
    ids = [UUID(one["id"]) for one in made]
    now = datetime(2001, 1, 1, 12, 0, tzinfo=UTC)  # earlier than anything else is planned for

    async def plan(schedule: str, when: datetime) -> None:
        async with quiet_hub.hub.db.session() as session:
            for number in ids:
                connection = await session.get_one(Connection, number)
                connection.schedule = schedule
                connection.next_sync_at = connection.next_verify_at = when

    async def worker(take: Callable[..., Any]) -> list[UUID]:
        async with quiet_hub.hub.db.session() as session:
            taken = [connection.id for connection in await take(session, now)]
            await asyncio.sleep(0.05)
            return taken

    async def workers(take: Callable[..., Any]) -> list[UUID]:
        taken = await asyncio.gather(*(worker(take) for _ in range(5)))
        return [number for some in taken for number in some]

    async def planned() -> set[tuple[datetime | None, datetime | None]]:
        async with quiet_hub.hub.db.session() as session:
            found = [await session.get_one(Connection, number) for number in ids]
            return {(one.next_sync_at, one.next_verify_at) for one in found}

    quiet_hub.run(plan("every 15 minutes", now - timedelta(minutes=5)))
    assert sorted(quiet_hub.run(workers(take_due))) == sorted(ids)
    assert quiet_hub.run(workers(take_due)) == []
    assert sorted(quiet_hub.run(workers(take_due_verify))) == sorted(ids)
    on_time = (now + timedelta(minutes=10), datetime(2001, 1, 2, 3, 0, tzinfo=UTC))
    assert quiet_hub.run(planned()) == {on_time}

    quiet_hub.run(plan("every 15 minutes", now - timedelta(days=3)))
    assert sorted(quiet_hub.run(workers(take_due))) == sorted(ids)
    assert {due for due, _ in quiet_hub.run(planned())} == {now + timedelta(minutes=15)}

    quiet_hub.run(plan("manual", now - timedelta(days=3)))
    quiet_hub.run(workers(take_due))
    quiet_hub.run(workers(take_due_verify))
    assert quiet_hub.run(planned()) == {(None, None)}
