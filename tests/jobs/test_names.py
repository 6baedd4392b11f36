"""What a hub that is upgraded has in its queue is found and done by the next version."""

import json
from pathlib import Path

import pytest

from bascule.inbox.subscribers import SUBSCRIPTIONS
from bascule.job_modules import JOB_MODULES
from bascule.jobs import every, load
from bascule.jobs.registry import PERIODIC, SWEEP, TASKS
from tests.jobs.crew import Workers

NOTED_BY_0_1 = (("mirror", "fetch_what_changed"), ("twoway", "refetch"))
QUEUED_BY_0_1 = Path(__file__).with_name("queued_by_0_1.json")


def test_every_job_that_0_1_can_have_queued_is_known_still() -> None:
    load(JOB_MODULES)
    known = {*TASKS, *(one.task_name for one in PERIODIC.values()), SWEEP}
    assert set(json.loads(QUEUED_BY_0_1.read_text())) <= known


def test_subscribers_that_0_1_can_have_noted_at_a_delivery_are_known_still() -> None:
    load(JOB_MODULES)
    noted = {f"bascule.{room}.jobs.{what}" for room, what in NOTED_BY_0_1}
    assert noted <= set(SUBSCRIPTIONS)


def test_name_of_a_periodic_does_not_follow_its_module() -> None:
    async def somewhere(hub: object) -> None: ...

    assert every("0 0 1 1 *", "here.somewhere")(somewhere) is somewhere
    try:
        assert PERIODIC["here.somewhere"].task_name == "bascule.here.jobs.somewhere"
    finally:
        del PERIODIC["here.somewhere"]


def test_periodic_without_a_room_in_its_name_is_refused() -> None:
    async def somewhere(hub: object) -> None: ...

    with pytest.raises(ValueError, match=r"room\.what"):
        every("0 0 1 1 *", "somewhere")(somewhere)


async def test_tick_queued_before_an_upgrade_is_done_after_it(workers: Workers) -> None:
    """As 0.1 left it: named by its module of then, with its locks and Procrastinate's time."""
    name = "bascule.test.jobs.yearly"
    await workers.hub.jobs.defer(name, lock=name, queueing_lock=name, timestamp=1_700_000_000)
    await workers.start(mode="yearly")
    await workers.happened("", "tick")
    assert await workers.rows("SELECT 1 FROM procrastinate_jobs WHERE status = 'failed'") == []
