"""A site that takes connections and says nothing, or a byte at a time, holds nobody up for long."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bascule.connections.tables import Circuit, Connection
from bascule.jobs import run_worker
from bascule.mirror.runs.cancel import cancel_run, cancel_runs
from bascule.mirror.runs.start import start_runs
from bascule.mirror.setup import change
from bascule.mirror.tables import OVER, Run
from tests.kit.waiting import until_async

NEVER = 3600.0  # seconds
PATIENCE = 3  # seconds, of the hub of these tests
HANGS = [("latency", "says nothing"), ("slow_body", "a byte at a time")]


@asynccontextmanager
async def worker(mirror: Any, concurrency: int = 8) -> AsyncIterator[None]:
    until = asyncio.Event()
    working = asyncio.create_task(run_worker(mirror.hub, concurrency=concurrency, until=until))
    try:
        yield
    finally:
        until.set()
        await working


async def ended(mirror: Any, run_ids: list[int]) -> list[Run]:
    async def all_over() -> list[Run]:
        runs = [await mirror.run(run_id) for run_id in run_ids]
        return runs if all(run.outcome in OVER for run in runs) else []

    return await until_async(all_over)


async def is_running(mirror: Any, run_id: int) -> None:
    async def asked_and_unanswered() -> bool:
        return bool((await mirror.run(run_id)).outcome == "running")

    await until_async(asked_and_unanswered)
    await asyncio.sleep(0.5)  # its request is at the site


async def circuit_of(mirror: Any) -> Circuit | None:
    async with mirror.hub.db.session() as session:
        return await session.get(Circuit, mirror.connection.id)


async def time_is_over(mirror: Any) -> None:
    await mirror.execute("UPDATE bascule.circuits SET open_until = now()")


async def connection(mirror: Any) -> Connection:
    async with mirror.hub.db.session() as session:
        return await session.get_one(Connection, mirror.connection.id)


@pytest.fixture(params=HANGS, ids=[words for _, words in HANGS])
def fault(request: pytest.FixtureRequest) -> str:
    return request.param[0]


@pytest.mark.usefixtures("retried_by_hand")
async def test_runs_at_a_site_that_hangs_are_ended_and_go_on_by_themselves_once_it_answers(
    mirrored: Callable[..., Any], fault: str
) -> None:
    mirror = await mirrored()
    mirror.hub.settings.owed_seconds = PATIENCE
    mirror.site.faults.add(fault, seconds=NEVER)
    ids = await start_runs(mirror.hub, mirror.connection, trigger="schedule")
    assert len(ids) > 6

    async def nothing_goes() -> bool:
        query = "SELECT 1 FROM bascule.runs WHERE outcome IN ('queued', 'running')"
        return not await mirror.execute_rows(query)

    async with worker(mirror):
        runs = await ended(mirror, ids)
        assert {run.outcome for run in runs} == {"failed"}
        assert {run.error for run in runs} == {
            f"The site has given no answer for {PATIENCE} seconds, so the sync was ended."
        }
        left_alone = [run for run in runs if "The site is left alone until" in str(run.next_step)]
        assert len(left_alone) >= len(runs) - 3  # who was not there yet asks nothing
        assert (await connection(mirror)).health == "down"

        # While it is left alone nothing is asked of it; then one run tries, and one alone.
        await mirror.execute(
            "UPDATE bascule.circuits SET open_until = now() + interval '1 hour', failures = 9"
        )
        await until_async(nothing_goes)
        again = await start_runs(mirror.hub, mirror.connection, trigger="schedule")
        assert all(run.seconds == 0 for run in await ended(mirror, again))
        await time_is_over(mirror)

        async def tried() -> bool:
            now = await circuit_of(mirror)
            return bool(now and now.failures == 10)

        await until_async(tried)
        query = "SELECT count(*) FROM bascule.runs WHERE id > %s"
        [(many,)] = await mirror.execute_rows(query, max(again))
        assert many == 1
        circuit = await circuit_of(mirror)
        assert circuit is not None
        left = circuit.open_until - datetime.now(UTC)
        assert left > timedelta(minutes=7)  # longer each time

        mirror.site.faults.clear()
        await time_is_over(mirror)

        async def all_here() -> bool:
            query = "SELECT bool_and(last_success_at IS NOT NULL) FROM bascule.streams"
            [(all_,)] = await mirror.execute_rows(query)
            return bool(all_)

        await until_async(all_here)
    assert await circuit_of(mirror) is None
    assert (await connection(mirror)).health == "ok"
    assert await mirror.rows("customer", "name") == await mirror.site_rows("Customer", "name")


@pytest.mark.usefixtures("retried_by_hand")
async def test_a_look_at_many_streams_does_not_wait_for_a_site_that_hangs(
    mirrored: Callable[..., Any], fault: str
) -> None:
    mirror = await mirrored()
    await mirror.sync()
    mirror.hub.settings.owed_seconds = PATIENCE
    mirror.site.faults.add(fault, seconds=NEVER)
    ids = await start_runs(mirror.hub, mirror.connection, trigger="schedule")
    async with worker(mirror):
        runs = await ended(mirror, ids)
    assert all("The site is left alone until" in str(run.next_step) for run in runs)


async def test_a_stream_that_alone_is_not_answered_says_nothing_of_the_site(
    mirrored: Callable[..., Any],
) -> None:
    mirror = await mirrored()
    mirror.hub.settings.owed_seconds = PATIENCE
    mirror.site.faults.add("latency", seconds=NEVER, doctype="Customer")
    [hangs] = await start_runs(mirror.hub, mirror.connection, names=["Customer"], trigger="cli")
    async with worker(mirror):
        await is_running(mirror, hangs)
        while (await mirror.run(hangs)).outcome == "running":
            others = await start_runs(
                mirror.hub, mirror.connection, names=["Supplier"], trigger="schedule"
            )
            assert [run.outcome for run in await ended(mirror, others)] == ["done"]
    assert "given no answer" in (await mirror.run(hangs)).error
    assert await circuit_of(mirror) is None
    assert (await connection(mirror)).health == "ok"


async def test_somebody_who_syncs_tries_the_site_at_once(mirrored: Callable[..., Any]) -> None:
    mirror = await mirrored()
    mirror.site.faults.add("bad_gateway")
    [down] = await mirror.sync("Customer", trigger="schedule")
    await mirror.execute("UPDATE bascule.circuits SET open_until = now() + interval '1 hour'")
    mirror.site.faults.clear()
    [left] = await mirror.sync("Customer", trigger="schedule")
    assert (left.outcome, left.error) == ("failed", down.error)
    ids = await start_runs(mirror.hub, mirror.connection, trigger="page")
    async with worker(mirror):  # those that begin meanwhile wait for the first, and are not failed
        assert {run.outcome for run in await ended(mirror, ids)} == {"done"}
    assert await circuit_of(mirror) is None


async def test_a_run_is_cancelled_within_seconds_while_it_waits_for_a_site_that_hangs(
    mirrored: Callable[..., Any], fault: str
) -> None:
    mirror = await mirrored()
    await mirror.sync("Customer")
    # But for what the run had begun to ask for.
    cursor = "SELECT cursor - 'since' FROM bascule.streams WHERE doctype = 'Customer'"
    before = await mirror.execute_rows(cursor)
    rule = mirror.site.faults.add(fault, seconds=NEVER)
    ids = await start_runs(
        mirror.hub, mirror.connection, names=["Customer", "Supplier"], kind="verify", trigger="cli"
    )
    async with worker(mirror, concurrency=1):
        await is_running(mirror, ids[0])
        for run_id in ids:  # one goes, one waits for its place
            cancelled = await cancel_run(mirror.hub, await mirror.run(run_id), by=None)
            assert (cancelled.outcome, cancelled.error) == ("cancelled", None)
        mirror.site.faults.rules.remove(rule)
        began = time.monotonic()
        [after] = await start_runs(mirror.hub, mirror.connection, names=["Supplier"], trigger="cli")
        [run] = await ended(mirror, [after])
        assert (run.outcome, run.error) == ("done", None)
        assert time.monotonic() - began < 30  # the place came free; a request would have a minute
    assert [(await mirror.run(run_id)).outcome for run_id in ids] == ["cancelled", "cancelled"]
    assert await mirror.execute_rows(cursor) == before
    log = await mirror.execute_rows(
        "SELECT message FROM bascule.run_logs WHERE run_id = %s", ids[0]
    )
    assert log[-1][0].startswith("Cancelled by the owner of this machine.")
    await mirror.sync("Customer")
    assert await mirror.rows("customer", "name") == await mirror.site_rows("Customer", "name")


async def test_runs_that_are_looked_at_together_are_cancelled_too(
    mirrored: Callable[..., Any],
) -> None:
    mirror = await mirrored()
    await mirror.sync()
    mirror.site.faults.add("latency", seconds=NEVER)
    ids = await start_runs(mirror.hub, mirror.connection, trigger="schedule")
    async with worker(mirror, concurrency=1):
        await is_running(mirror, ids[0])
        assert len(await cancel_runs(mirror.hub, mirror.connection, by=None)) == len(ids)
        mirror.site.faults.clear()
        [after] = await start_runs(
            mirror.hub, mirror.connection, names=["Supplier"], kind="full", trigger="cli"
        )
        assert [run.outcome for run in await ended(mirror, [after])] == ["done"]
    assert {(await mirror.run(run_id)).outcome for run_id in ids} == {"cancelled"}


async def test_other_credentials_end_what_ran_under_the_old(
    mirrored: Callable[..., Any], erpnext_sandbox_factory: Any
) -> None:
    """It waits for a site that hangs, and begins again at the other address."""
    mirror = await mirrored()
    mirror.site.faults.add("latency", seconds=NEVER)
    [run_id] = await start_runs(mirror.hub, mirror.connection, names=["Customer"], trigger="cli")
    async with worker(mirror):
        await is_running(mirror, run_id)
        other = erpnext_sandbox_factory()
        user = other.users["hub"]
        await change(
            mirror.hub,
            mirror.connection,
            {"api_url": other.url, "api_key": user.api_key, "api_secret": user.api_secret},
            by=None,
        )
        [run] = await ended(mirror, [run_id])
    assert (run.outcome, run.attempts) == ("done", 2), run.error
