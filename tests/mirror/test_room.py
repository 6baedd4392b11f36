"""A site that never ends fills neither a mirror beyond its quota nor the disk."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

import bascule.rooms  # noqa: F401 - all of them tell what needs somebody
from bascule.attention.items import attention_items_of
from bascule.hub import Hub, open_hub
from bascule.job_modules import JOB_MODULES
from bascule.jobs import load, run_worker
from bascule.mirror.attention import attention_of
from bascule.mirror.runs import execution
from bascule.mirror.runs.start import start_runs
from bascule.mirror.setup import set_up
from bascule.mirror.streams.settings import streams_of
from bascule.settings import Settings
from bascule.sites.fields import NewConnection
from tests.kit.mirrored import Mirrored
from tests.kit.waiting import until_async

SIZE = """
    SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class c
      JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = %s AND c.relkind = 'r'
"""


async def test_a_mirror_ends_at_its_quota_and_goes_on_when_that_is_raised(
    mirrored: Callable[..., Any], hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    there: Mirrored = await mirrored()
    assert {run.outcome for run in await there.sync("Item", "Sales Order")} == {"done"}
    [(size,)] = await there.execute_rows(SIZE, there.connection.slug)
    assert size > 1_000_000
    monkeypatch.setattr(hub.settings, "mirror_megabytes", 1)
    [refused] = await there.sync("Supplier")
    assert refused.outcome == "failed"
    assert "may have 1." in str(refused.error)
    assert "BASCULE_MIRROR_MEGABYTES" in str(refused.next_step)
    assert await there.rows("supplier", "name") == []
    [unchanged] = await there.sync("Item")  # what is there is still looked at
    assert unchanged.outcome == "done"
    async with hub.db.session() as session:
        streams = await streams_of(session, there.connection)
        told = [one for one in attention_of(there.connection, streams) if one.kind == "failed"]
        assert any("may have 1." in one.what for one in told)
        assert any(stream.retry_at is not None for stream in streams)  # the schedule rests
    monkeypatch.setattr(hub.settings, "mirror_megabytes", 500)
    assert {run.outcome for run in await there.sync("Supplier")} == {"done"}
    assert await there.rows("supplier", "name")


@pytest.fixture
async def own_hub(open_folder: Path) -> AsyncIterator[Hub]:
    """With the embedded server, whose disk the hub looks at."""
    async with open_hub(Settings.model_validate({"data_dir": open_folder})) as opened:
        yield opened


async def outcome(hub: Hub, run_id: int) -> str:
    async with hub.db.session() as session:
        return str((await execution.run_of(session, run_id, None)).outcome)


async def test_pulls_wait_while_the_disk_is_nearly_full_and_go_on_by_themselves(
    own_hub: Hub, erpnext_sandbox: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(JOB_MODULES)
    a_second = execution.ROOM_AGAIN / 120
    monkeypatch.setattr("bascule.mirror.runs.execution.ROOM_AGAIN", a_second)
    new = NewConnection(
        name="Spaak",
        api_url=erpnext_sandbox.url,
        api_key=erpnext_sandbox.api_key,
        api_secret=erpnext_sandbox.api_secret,
    )
    connection, _, _ = await set_up(own_hub, new, by=None, start=False, trigger="cli")
    monkeypatch.setattr(own_hub.settings, "least_free_percent", 99.99)
    stop = asyncio.Event()
    working = asyncio.create_task(run_worker(own_hub, concurrency=2, until=stop))
    try:
        [run_id] = await start_runs(own_hub, connection, names=["Item"], trigger="cli")
        async with asyncio.timeout(60):
            lines: list[str] = []
            while sum("It waits." in line for line in lines) < 2:  # tried, and tried again
                await asyncio.sleep(0.1)
                async with own_hub.db.session() as session:
                    lines = [line.message for line in await execution.logs_of(session, run_id)]
        assert await outcome(own_hub, run_id) in ("queued", "running")
        async with own_hub.db.session() as session:
            [first, *_] = await attention_items_of(own_hub, session, None)
        assert (first.kind, first.name) == ("full", "The hub's disk")
        assert "nothing is pulled" in first.what
        assert "by themselves" in first.next_step
        async with own_hub.db.connection() as conn:
            found = await conn.execute(f"SELECT count(*) FROM {connection.slug}.item")
            assert await found.fetchone() == (0,)
        monkeypatch.setattr(own_hub.settings, "least_free_percent", 0)

        async def done() -> bool:
            return await outcome(own_hub, run_id) == "done"

        await until_async(done)
        async with own_hub.db.session() as session:
            assert all(
                need.kind != "full" for need in await attention_items_of(own_hub, session, None)
            )
    finally:
        stop.set()
        await working
