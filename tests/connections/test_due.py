"""Schedules fire once however many ask, what was missed is done once, and a worker that ends in
the middle of a round loses none of it.
"""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select, text, update

from bascule.connections.schedules import PROOFS, SYNCS, Timetable, all_due, phase_of, take_due
from bascule.connections.tables import Connection
from bascule.mirror.jobs import start_due
from bascule.mirror.tables import Run, Stream
from tests.kit.connecting import connect
from tests.kit.database import FreshSettings
from tests.kit.hub import RunningHub
from tests.kit.waiting import until_async


@pytest.fixture
def quiet_hub(fresh_settings: FreshSettings) -> Iterator[RunningHub]:
    """Nobody works in it but the test."""
    with fresh_settings() as settings, RunningHub(settings, worker=False) as running:
        yield running


def test_many_workers_take_what_is_due_once(quiet_hub: RunningHub) -> None:
    made = [connect(quiet_hub.api, name=name) for name in ("One", "Two", "Three")]
    ids = [UUID(one["id"]) for one in made]
    now = datetime(2001, 1, 1, 12, 0, tzinfo=UTC)  # earlier than anything else is planned for

    async def plan(schedule: str, when: datetime) -> None:
        async with quiet_hub.hub.db.session() as session:
            for number in ids:
                connection = await session.get_one(Connection, number)
                connection.schedule = schedule
                connection.next_sync_at = connection.next_verify_at = when

    async def worker(table: Timetable) -> list[UUID]:
        taken = []
        async with quiet_hub.hub.db.session() as session:
            for number in await all_due(session, table, now):
                if await take_due(session, table, number, now):
                    taken.append(number)
            await asyncio.sleep(0.05)
            return taken

    async def workers(table: Timetable) -> list[UUID]:
        taken = await asyncio.gather(*(worker(table) for _ in range(5)))
        return [number for some in taken for number in some]

    async def planned() -> set[tuple[datetime | None, datetime | None]]:
        async with quiet_hub.hub.db.session() as session:
            found = [await session.get_one(Connection, number) for number in ids]
            return {(one.next_sync_at, one.next_verify_at) for one in found}

    quiet_hub.run(plan("every 15 minutes", now - timedelta(minutes=5)))
    assert sorted(quiet_hub.run(workers(SYNCS))) == sorted(ids)
    assert quiet_hub.run(workers(SYNCS)) == []
    assert sorted(quiet_hub.run(workers(PROOFS))) == sorted(ids)
    at_three = datetime(2001, 1, 2, 3, 0, tzinfo=UTC)
    assert quiet_hub.run(planned()) == {
        (now + timedelta(minutes=10), at_three + phase_of(number)) for number in ids
    }

    quiet_hub.run(plan("every 15 minutes", now - timedelta(days=3, minutes=4)))
    assert sorted(quiet_hub.run(workers(SYNCS))) == sorted(ids)
    in_step = now + timedelta(minutes=11)
    assert {due for due, _ in quiet_hub.run(planned())} == {in_step}

    quiet_hub.run(plan("weekly", now - timedelta(days=30)))
    quiet_hub.run(workers(SYNCS))
    on_sunday = datetime(2001, 1, 7, 2, 0, tzinfo=UTC)
    assert {due for due, _ in quiet_hub.run(planned())} == {
        on_sunday + phase_of(number) for number in ids
    }

    quiet_hub.run(plan("manual", now - timedelta(days=3)))
    quiet_hub.run(workers(SYNCS))
    quiet_hub.run(workers(PROOFS))
    assert quiet_hub.run(planned()) == {(None, None)}


ROUND = """
import asyncio
from bascule.hub import open_hub
from bascule.mirror.jobs import start_due
from bascule.settings import Settings

async def go():
    async with open_hub(Settings()) as hub:
        await start_due(hub)

asyncio.run(go())
"""


@pytest.mark.kills
def test_a_worker_killed_in_a_round_leaves_the_rest_of_it_due(quiet_hub: RunningHub) -> None:
    """What a round has begun with is queued whole, what it has not is due still."""
    round_ = Round(quiet_hub, 6)
    settings = quiet_hub.settings
    assert settings.database_url is not None
    environment = {
        **os.environ,
        "BASCULE_DATABASE_URL": settings.database_url.get_secret_value(),
        "BASCULE_DATA_DIR": str(settings.data_dir),
    }
    with round_.held_at(3):
        worker = subprocess.Popen([sys.executable, "-c", ROUND], env=environment)
        try:
            quiet_hub.run(round_.is_waited_for())
        finally:
            worker.kill()
            worker.wait(60)
    queued, due = quiet_hub.run(round_.stands())
    assert queued == dict.fromkeys(round_.numbers[:3], 2)
    assert due == set(round_.numbers[3:])

    quiet_hub.run(start_due(quiet_hub.hub))
    assert quiet_hub.run(round_.stands()) == (dict.fromkeys(round_.numbers, 2), set())


def test_one_connection_that_fails_keeps_no_other_from_its_round(quiet_hub: RunningHub) -> None:
    round_ = Round(quiet_hub, 3)
    quiet_hub.run(round_.refuse_runs_of(1))
    quiet_hub.run(start_due(quiet_hub.hub))
    first, second, third = round_.numbers
    assert quiet_hub.run(round_.stands()) == ({first: 2, third: 2}, {second})


class Round:
    """Connections of two streams each whose daily sync is due, one after the other."""

    def __init__(self, hub: RunningHub, many: int) -> None:
        self.hub = hub
        self.numbers = [
            UUID(connect(hub.api, name=f"Site {number}")["id"]) for number in range(many)
        ]
        hub.run(self._plan())

    async def _plan(self) -> None:
        long_ago = datetime(2001, 1, 1, tzinfo=UTC)
        async with self.hub.hub.db.session() as session:
            for at, number in enumerate(self.numbers):
                connection = await session.get_one(Connection, number)
                connection.schedule = "daily"
                connection.next_sync_at = long_ago + timedelta(minutes=at)
                few = select(Stream.id).where(Stream.connection_id == number).limit(2)
                await session.execute(
                    update(Stream)
                    .where(Stream.connection_id == number)
                    .values(enabled=Stream.id.in_(few))
                )

    def held_at(self, place: int) -> Any:
        """Somebody has a stream of this connection for themselves meanwhile."""
        return _Held(self.hub, self.numbers[place])

    async def is_waited_for(self) -> None:
        async def waiting() -> int | None:
            async with self.hub.hub.db.session() as session:
                return await session.scalar(
                    text(
                        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                        " AND cardinality(pg_blocking_pids(pid)) > 0"
                    )
                )

        await until_async(waiting, "Nobody waits for the stream.")

    async def refuse_runs_of(self, place: int) -> None:
        async with self.hub.hub.db.session() as session:
            await session.execute(
                text(
                    "ALTER TABLE bascule.runs ADD CONSTRAINT none_of_it"
                    f" CHECK (connection_id <> '{self.numbers[place]}')"
                )
            )

    async def stands(self) -> tuple[dict[UUID, int], set[UUID]]:
        """By connection, how many runs are queued; and the connections that are due."""
        async with self.hub.hub.db.session() as session:
            queued = await session.execute(
                select(Run.connection_id, func.count())
                .where(Run.outcome == "queued", Run.kind == "sync")
                .group_by(Run.connection_id)
            )
            due = await all_due(session, SYNCS, datetime.now(UTC))
            return dict(queued.all()), set(due)


class _Held:
    def __init__(self, hub: RunningHub, number: UUID) -> None:
        self.hub, self.number, self.stack = hub, number, AsyncExitStack()

    def __enter__(self) -> None:
        self.hub.run(self._take())

    def __exit__(self, *_: object) -> None:
        self.hub.run(self.stack.aclose())

    async def _take(self) -> None:
        session = await self.stack.enter_async_context(self.hub.hub.db.session())
        rows = select(Stream.id).where(Stream.connection_id == self.number)
        await session.execute(rows.with_for_update())
