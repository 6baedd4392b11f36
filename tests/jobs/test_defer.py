"""Putting work into the queue."""

import pytest
from sqlalchemy import text

from bascule.hub import Hub


async def queued(hub: Hub) -> list[str]:
    async with hub.db.connection() as connection:
        found = await connection.execute("SELECT task_name FROM procrastinate_jobs ORDER BY id")
        return [row[0] for row in await found.fetchall()]


async def test_a_job_is_queued(hub: Hub) -> None:
    assert await hub.jobs.defer("mirror.run", lock="stream:7", run_id=5)
    assert await queued(hub) == ["mirror.run"]


class Off(Exception):
    """What ends the caller's transaction."""


def fail() -> None:
    raise Off


@pytest.mark.parametrize("queueing_lock", [None, "a"])
async def test_a_job_goes_away_with_the_transaction_that_it_was_queued_in(
    hub: Hub, queueing_lock: str | None
) -> None:
    with pytest.raises(Off):
        async with hub.db.connection() as connection:
            await hub.jobs.defer("x", queueing_lock=queueing_lock, connection=connection)
            fail()
    with pytest.raises(Off):
        async with hub.db.session() as session:
            await hub.jobs.defer("x", queueing_lock=queueing_lock, connection=session)
            fail()
    assert await queued(hub) == []


async def test_a_job_appears_with_the_commit_of_its_transaction(hub: Hub) -> None:
    async with hub.db.session() as session:
        await hub.jobs.defer("of a session", connection=session)
        assert await queued(hub) == []
    async with hub.db.connection() as connection:
        await hub.jobs.defer("of a connection", queueing_lock="a", connection=connection)
        assert await queued(hub) == ["of a session"]
    assert await queued(hub) == ["of a session", "of a connection"]


async def test_a_job_that_waits_already_is_no_error_and_spares_the_transaction(hub: Hub) -> None:
    assert await hub.jobs.defer("x", queueing_lock="a") is not None
    assert await hub.jobs.defer("x", queueing_lock="a") is None
    async with hub.db.connection() as connection:
        await connection.execute("CREATE TABLE public.kept (id int)")
        assert await hub.jobs.defer("x", queueing_lock="a", connection=connection) is None
        assert await hub.jobs.defer("y", queueing_lock="b", connection=connection)
    async with hub.db.session() as session:
        assert await hub.jobs.defer("x", queueing_lock="a", connection=session) is None
        assert await session.scalar(text("SELECT count(*) FROM public.kept")) == 0
    assert await queued(hub) == ["x", "y"]


async def test_many_are_queued_at_once_each_once_and_in_order(hub: Hub) -> None:
    assert await hub.jobs.defer("x", lock="a:2", queueing_lock="a:2", number=2)
    wanted = {f"a:{number}": {"number": number} for number in (3, 2, 1)}
    async with hub.db.session() as session:
        assert await hub.jobs.defer_each("x", wanted, connection=session, priority=-1) == 2
        assert await hub.jobs.defer_each("x", {}, connection=session) == 0
        assert await queued(hub) == ["x"]
    async with hub.db.connection() as connection:
        found = await connection.execute(
            "SELECT (args ->> 'number')::int, lock, queueing_lock, priority"
            " FROM procrastinate_jobs ORDER BY id"
        )
        assert await found.fetchall() == [
            (2, "a:2", "a:2", 0),
            (3, "a:3", "a:3", -1),
            (1, "a:1", "a:1", -1),
        ]
    with pytest.raises(Off):
        async with hub.db.session() as session:
            await hub.jobs.defer_each("x", {"b": {}}, connection=session)
            fail()
    assert len(await queued(hub)) == 3
