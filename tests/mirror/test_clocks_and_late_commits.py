"""A site's clock that goes back, and transactions that show up after newer ones: nothing is lost.

A late document carries the time at which its transaction began, and is not there before its end:
pulls in between have moved the cursor past it.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.mirror.following import is_equal, log_of, together
from tests.mirror.odd import by_sql


async def add(mirror: Any, name: str) -> str:
    made = await mirror.ask("POST", "/api/resource/Supplier", {"supplier_name": name})
    return str(made["data"]["modified"])


async def names(mirror: Any) -> set[str]:
    return {name for (name,) in await mirror.rows("supplier", "name")}


async def pulled(mirror: Any) -> set[str]:
    """What is here after an incremental pull."""
    [run] = await together(mirror, "Supplier")
    assert run.outcome == "done", run.error
    # The pull itself has to catch it: comparing name by name would find anything.
    assert not [line for line in await log_of(mirror, run) if "name by name" in line]
    return await names(mirror)


@pytest.mark.parametrize("back_while_it_is_open", [True, False])
async def test_a_clock_set_back_and_a_late_commit_are_both_caught(
    mirrored: Callable[..., Any], back_while_it_is_open: bool
) -> None:
    mirror = await mirrored()
    await together(mirror, "Supplier")
    before = await names(mirror)

    if not back_while_it_is_open:
        mirror.site.faults.add("clock_back")
    late_fault = mirror.site.faults.add("late_commit", seconds=100, method="POST", times=1)
    late = asyncio.create_task(add(mirror, "Late"))
    while late_fault in mirror.site.faults.rules:
        await asyncio.sleep(0.01)
    early = await add(mirror, "Early")
    assert await pulled(mirror) == before | {"Early"}
    assert not late.done()
    if back_while_it_is_open:
        mirror.site.faults.add("clock_back")
    late_fault.seconds = 0  # it may end now
    assert await late < early

    await add(mirror, "An hour ago")
    assert await pulled(mirror) == before | {"Early", "Late", "An hour ago"}

    mirror.site.faults.clear()
    await add(mirror, "Now again")
    assert await pulled(mirror) == before | {"Early", "Late", "An hour ago", "Now again"}
    await is_equal(mirror, "Supplier")


async def test_what_was_deleted_after_the_clock_went_back_leaves_the_mirror(
    mirrored: Callable[..., Any],
) -> None:
    mirror = await mirrored()
    await add(mirror, "Doomed")
    await together(mirror, "Supplier")
    mirror.site.faults.add("clock_back")
    await mirror.ask("DELETE", "/api/resource/Supplier/Doomed")
    assert "Doomed" not in await pulled(mirror)
    await is_equal(mirror, "Supplier")


async def test_a_time_zone_that_is_corrected_on_the_site_is_followed_at_the_next_sync(
    mirrored: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bascule.frappe._site.REMEMBERED", 0.0)
    mirror = await mirrored()
    await together(mirror, "Supplier")
    was = mirror.site.site.time_zone
    mirror.site.site.set_time_zone("America/Los_Angeles")  # edits look nine hours older from now on
    await add(mirror, "After the correction")
    [run] = await together(mirror, "Supplier")
    assert "After the correction" in await names(mirror)
    assert any(
        f"America/Los_Angeles now; it was {was}" in line for line in await log_of(mirror, run)
    )
    [proof] = await together(mirror, "Supplier", kind="verify")
    assert proof.report["equal"], proof.report


async def test_a_commit_an_hour_late_is_found_without_checksums_and_without_a_look_at_all_values(
    mirrored: Callable[..., Any], erpnext_snapshot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on version 16. A run that a webhook starts compares neither counts nor values."""
    mirror = await mirrored(snapshot=replace(erpnext_snapshot, major=16))
    monkeypatch.setattr("bascule.mirror.pull.incremental.LATE_EVERY", timedelta(days=1))
    await together(mirror, "Supplier")
    await add(mirror, "Busy")
    await pulled_by_webhook(mirror)
    began = (mirror.site.site.clock.now() - timedelta(minutes=55)).isoformat(" ")
    by_sql(
        mirror, "UPDATE tabSupplier SET website = 'late', modified = ? WHERE name = 'Busy'", began
    )

    await pulled_by_webhook(mirror)
    assert await mirror.rows("supplier", "name", where="website = 'late'") == []
    monkeypatch.setattr("bascule.mirror.pull.incremental.LATE_EVERY", timedelta(0))
    await pulled_by_webhook(mirror)
    assert await mirror.rows("supplier", "name", where="website = 'late'") == [("Busy",)]


async def pulled_by_webhook(mirror: Any) -> None:
    [run] = await mirror.sync("Supplier", trigger="webhook")
    assert run.outcome == "done", run.error
