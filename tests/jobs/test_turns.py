"""Whose turn it is, and which places a worker keeps free for whom."""

from bascule.jobs import Work
from tests.jobs.crew import Workers
from tests.kit.waiting import until_async

LONG = 600.0  # seconds: it is there as long as the test


async def begun(workers: Workers) -> list[str]:
    """Keys, in the order in which their work began."""
    rows = await workers.rows("SELECT key FROM traces WHERE what = 'begin' ORDER BY id")
    return [key for (key,) in rows]


async def have_begun(workers: Workers, *keys: str) -> None:
    async def there() -> bool:
        return set(keys) <= set(await begun(workers))

    await until_async(there)


async def test_an_edit_goes_before_what_somebody_asked_for_and_that_before_the_round(
    workers: Workers,
) -> None:
    jobs = workers.hub.jobs
    for key in ("round 1", "round 2"):
        await jobs.defer("work", key=key)
    await jobs.defer("work", key="asked for", work=Work.SOON)
    await jobs.defer("edit", key="edit")
    await workers.start(concurrency=1)
    await have_begun(workers, "round 2")
    assert await begun(workers) == ["edit", "asked for", "round 1", "round 2"]


async def test_a_round_never_takes_the_place_that_is_kept_for_an_edit(workers: Workers) -> None:
    jobs = workers.hub.jobs
    await workers.start(concurrency=4)
    for number in range(6):
        await jobs.defer("work", key=f"round {number}", seconds=LONG)
    await have_begun(workers, "round 0", "round 1", "round 2")
    for number in range(3):
        await jobs.defer("edit", key=f"edit {number}")
    await have_begun(workers, "edit 0", "edit 1", "edit 2")
    assert len(await begun(workers)) == 6  # three of the round, as many as there are places for


async def test_the_runs_of_one_site_hold_few_places_in_all_workers_together(
    workers: Workers,
) -> None:
    jobs = workers.hub.jobs
    for number in range(8):
        await jobs.defer("work", key=f"hangs {number}", seconds=LONG, connection_id="a")
    await jobs.defer("work", key="other", connection_id="b")
    await workers.start(concurrency=8)
    await have_begun(workers, "hangs 2")
    await workers.start(concurrency=8)
    await workers.happened("other", "begin", "end")
    await jobs.defer("work", key="another", connection_id="b")
    await workers.happened("another", "begin", "end")
    hang = [key for key in await begun(workers) if key.startswith("hangs")]
    assert sorted(hang) == ["hangs 0", "hangs 1", "hangs 2"]


async def test_a_place_that_comes_free_is_taken_at_once(workers: Workers) -> None:
    """Though the worker sleeps, as it has places left that the round may not take."""
    jobs = workers.hub.jobs
    await workers.start(concurrency=4)
    for number in range(40):
        await jobs.defer("work", key=f"round {number}", connection_id=str(number))
    await have_begun(workers, *(f"round {number}" for number in range(40)))
