"""Workers as processes: what they do, and what is left when one is killed."""

import asyncio
import signal
import time
from typing import Any

import pytest

from bascule.jobs import run_worker
from bascule.store.session import JOBS_SCHEMA
from tests.jobs.crew import Workers
from tests.kit.waiting import until_async


async def test_a_job_is_done_at_once_and_forgotten(workers: Workers) -> None:
    await workers.start()
    await workers.hub.jobs.defer("work", key="a")
    await workers.happened("a", "begin", "end")

    async def forgotten() -> bool:
        return not await workers.rows("SELECT 1 FROM procrastinate_jobs WHERE task_name = 'work'")

    await until_async(forgotten)


@pytest.mark.heavy
async def test_a_killed_workers_job_is_taken_over_by_another(workers: Workers) -> None:
    first = await workers.start()
    second = await workers.start()
    await workers.hub.jobs.defer("work", lock="stream:1", key="a", first=600)
    await workers.happened("a", "begin")
    [(_, began)] = await workers.traces("a")
    victim, other = (first, second) if first.pid == began else (second, first)
    victim.kill()
    killed = time.monotonic()
    await workers.happened("a", "begin", "begin", "end")
    print(f"taken over after {time.monotonic() - killed:.1f} s")
    assert (await workers.traces("a"))[-1] == ("end", other.pid)


@pytest.mark.heavy
async def test_a_killed_workers_job_is_taken_over_by_one_that_starts_later(
    workers: Workers,
) -> None:
    first = await workers.start()
    await workers.hub.jobs.defer("work", lock="stream:1", key="a", first=600)
    await workers.happened("a", "begin")
    first.kill()
    killed = time.monotonic()
    later = await workers.start()
    await workers.happened("a", "begin", "begin", "end")
    print(f"taken over after {time.monotonic() - killed:.1f} s")
    assert (await workers.traces("a"))[-1] == ("end", later.pid)


@pytest.mark.heavy
async def test_a_killed_workers_job_gives_way_to_its_successor_that_waits_already(
    workers: Workers,
) -> None:
    """Two cannot wait under one queueing lock, and the successor does all that there is to do."""
    victim = await workers.start()
    one: dict[str, Any] = {"lock": "record:1", "queueing_lock": "record:1"}
    await workers.hub.jobs.defer("work", key="first", first=600, **one)
    await workers.happened("first", "begin")
    assert await workers.hub.jobs.defer("work", key="successor", **one)
    victim.kill()
    await workers.start()
    await workers.happened("successor", "begin", "end")
    await workers.hub.jobs.defer("work", key="other")
    await workers.happened("other", "begin", "end")
    assert [what for what, _ in await workers.traces("first")] == ["begin"]

    async def forgotten() -> bool:
        return not await workers.rows("SELECT 1 FROM procrastinate_jobs")

    await until_async(forgotten)


@pytest.mark.heavy
async def test_takeover_does_not_wait_for_a_free_place(workers: Workers) -> None:
    """Both survivors are full; the dead worker's job waits in the queue again all the same."""
    victim = await workers.start(concurrency=1)
    await workers.hub.jobs.defer("work", key="lost", first=600)
    await workers.happened("lost", "begin")
    await workers.start(concurrency=1)
    await workers.hub.jobs.defer("work", key="long", seconds=600)
    await workers.happened("long", "begin")
    victim.kill()

    async def queued_again() -> bool:
        return bool(
            await workers.rows(
                "SELECT 1 FROM procrastinate_jobs WHERE args ->> 'key' = 'lost' AND status = 'todo'"
            )
        )

    await until_async(queued_again)


@pytest.mark.heavy
async def test_a_worker_that_hung_leaves_its_job_to_the_one_that_took_it_over(
    workers: Workers,
) -> None:
    hung = await workers.start()
    await workers.hub.jobs.defer("work", key="a", first=5, held=True)
    await workers.happened("a", "begin")
    hung.send_signal(signal.SIGSTOP)
    other = await workers.start()
    await workers.happened("a", "begin", "begin")
    hung.send_signal(signal.SIGCONT)
    await workers.happened("a", "begin", "begin", "end")
    [(status, attempts)] = await workers.rows("SELECT status, attempts FROM procrastinate_jobs")
    assert (status, attempts) == ("doing", 1)
    await workers.let_go_on("a")
    await workers.happened("a", "begin", "begin", "end", "end")
    assert [pid for what, pid in await workers.traces("a") if what == "end"] == [
        hung.pid,
        other.pid,
    ]

    async def forgotten() -> bool:
        return not await workers.rows("SELECT 1 FROM procrastinate_jobs")

    async def said_so() -> bool:
        return "was given to another worker" in workers.said()

    await until_async(forgotten)
    await until_async(said_so)
    assert "never retrieved" not in workers.said()


@pytest.mark.heavy
async def test_a_clock_fires_once_however_many_workers(workers: Workers) -> None:
    for _ in range(3):
        await workers.start(mode="ticking")

    async def several() -> bool:
        return len(await workers.traces()) >= 5

    await until_async(several)
    moments = await workers.rows("SELECT floor(extract(epoch FROM at) / 2) FROM traces ORDER BY id")
    spread = moments[-1][0] - moments[0][0]
    assert len(moments) <= spread + 2  # not three times as many


async def test_jobs_with_one_lock_run_one_after_another(workers: Workers) -> None:
    await workers.start(concurrency=4)
    await workers.start(concurrency=4)
    for _ in range(5):
        await workers.hub.jobs.defer("work", lock="stream:1", key="a", seconds=0.2)
    await workers.happened("a", *["begin", "end"] * 5)


async def test_a_job_that_fails_says_why_and_sets_its_lock_free(workers: Workers) -> None:
    await workers.start()
    await workers.hub.jobs.defer("fail", lock="stream:1", key="bad")
    await workers.hub.jobs.defer("work", lock="stream:1", key="good")
    await workers.happened("good", "begin", "end")
    assert await workers.traces("bad") != []
    assert await workers.rows("SELECT task_name FROM procrastinate_jobs WHERE status = 'failed'")
    said = workers.said()
    assert "Traceback" in said
    assert "ValueError: the reason" in said


async def test_a_job_of_an_unknown_name_sets_its_lock_free(workers: Workers) -> None:
    await workers.start()
    await workers.hub.jobs.defer("from the future", lock="stream:1")
    await workers.hub.jobs.defer("work", lock="stream:1", key="good")
    await workers.happened("good", "begin", "end")


async def test_a_worker_that_stops_lets_a_short_job_end(workers: Workers) -> None:
    process = await workers.start()
    await workers.hub.jobs.defer("work", key="short", seconds=3)
    await workers.begun("short")
    process.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(process.wait) == 0
    await workers.happened("short", "begin", "end")
    assert await workers.alive() == 0


@pytest.mark.heavy
async def test_a_worker_that_stops_hands_a_long_job_back(workers: Workers) -> None:
    process = await workers.start()
    await workers.hub.jobs.defer("work", lock="stream:1", key="long", first=600)
    await workers.happened("long", "begin")
    process.send_signal(signal.SIGTERM)
    asked = time.monotonic()
    assert await asyncio.to_thread(process.wait) == 0
    print(f"stopped after {time.monotonic() - asked:.1f} s")
    [(status,)] = await workers.rows("SELECT status FROM procrastinate_jobs")
    assert status == "todo"
    await workers.start()
    await workers.happened("long", "begin", "begin", "end")


@pytest.mark.heavy
async def test_a_worker_outlives_its_connections(workers: Workers) -> None:
    """As when the server is restarted: everybody is cut off, and comes back."""
    process = await workers.start()
    for key in ("a", "b", "c"):
        await workers.rows(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        await workers.hub.jobs.defer("work", key=key)
        await workers.happened(key, "begin", "end")
    assert process.poll() is None


async def test_a_job_whose_end_could_not_be_said_is_said_to_have_ended_later(
    workers: Workers,
) -> None:
    """The database takes that one connection away; the worker lives on, so nobody takes over."""
    cut = """
        CREATE SEQUENCE public.ends;
        CREATE FUNCTION public.cut() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF OLD.task_name = 'work' AND nextval('public.ends') = 1 THEN
                PERFORM pg_terminate_backend(pg_backend_pid()), pg_sleep(10);
            END IF;
            RETURN OLD;
        END $$;
        CREATE TRIGGER cut BEFORE DELETE ON bascule_jobs.procrastinate_jobs
            FOR EACH ROW EXECUTE FUNCTION public.cut();
    """
    async with workers.hub.db.connection() as connection:
        await connection.execute(cut.replace("bascule_jobs", JOBS_SCHEMA).encode())
    await workers.start()
    await workers.hub.jobs.defer("work", lock="record:1", key="first")
    await workers.hub.jobs.defer("work", lock="record:1", key="second")
    await workers.happened("second", "begin", "end")
    await workers.happened("first", "begin", "end")


async def test_a_worker_in_this_process_ends_when_it_is_told(workers: Workers) -> None:
    until = asyncio.Event()
    working = asyncio.create_task(run_worker(workers.hub, 2, until))

    async def registered() -> bool:
        return await workers.alive() == 1

    await until_async(registered)
    until.set()
    await working
    assert await workers.alive() == 0


async def test_jobs_that_failed_are_swept_after_a_week(workers: Workers) -> None:
    await workers.start()
    for key in ("old", "new"):
        await workers.hub.jobs.defer("fail", key=key)

    async def failed() -> list[str]:
        rows = await workers.rows(
            "SELECT args ->> 'key' FROM procrastinate_jobs WHERE status = 'failed' ORDER BY id"
        )
        return [row[0] for row in rows]

    async def both_failed() -> bool:
        return await failed() == ["old", "new"]

    async def one_is_left() -> bool:
        return await failed() == ["new"]

    await until_async(both_failed)
    await workers.rows(
        "UPDATE procrastinate_events SET at = at - interval '8 days' WHERE job_id ="
        " (SELECT id FROM procrastinate_jobs WHERE args ->> 'key' = 'old') RETURNING id"
    )
    await workers.hub.jobs.defer("jobs.sweep")
    await until_async(one_is_left)
