"""Pulls that are killed, raced and written under, and a mirror that is equal in the end."""

import asyncio
import os
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bascule.mirror.runs.execution import carry_out, run_of
from bascule.mirror.runs.start import start_runs

ROUNDS = 50
ATTEMPT = [sys.executable, str(Path(__file__).with_name("one_run.py"))]


def environment(hub: Any) -> dict[str, str]:
    return {
        **os.environ,
        "BASCULE_DATABASE_URL": hub.db.url,
        "BASCULE_DATA_DIR": str(hub.settings.data_dir),
        **(
            {"BASCULE_SECRET_KEY": hub.settings.secret_key.get_secret_value()}
            if hub.settings.secret_key
            else {}
        ),
    }


@pytest.mark.heavy
async def test_a_pull_killed_fifty_times_ends_equal_to_the_site(
    mirrored: Callable[..., Any],
) -> None:
    mirror = await mirrored(lookback_days=400)
    chance = random.Random(7)
    mirror.site.faults.add("latency", seconds=0.03)
    names = ["Stock Ledger Entry", "Sales Order", "Contact"]
    runs: list[int] = []
    killed = 0
    while killed < ROUNDS:
        if not runs:
            runs = await start_runs(
                mirror.hub, mirror.connection, names=names, kind="full", trigger="cli"
            )
        process = await asyncio.create_subprocess_exec(
            *ATTEMPT, str(runs[0]), env=environment(mirror.hub)
        )
        try:
            await asyncio.wait_for(process.wait(), chance.uniform(0.55, 1.6))
        except TimeoutError:
            process.kill()
            await process.wait()
            killed += 1
        async with mirror.hub.db.session() as session:
            if (await run_of(session, runs[0], None)).outcome in ("done", "failed"):
                runs.pop(0)
    mirror.site.faults.clear()
    finished = await mirror.sync(*names)
    assert {run.outcome for run in finished} == {"done"}, [run.error for run in finished]
    proofs = await mirror.sync(*names, kind="verify")
    assert all(run.report["equal"] for run in proofs), [run.report for run in proofs]


async def test_of_two_workers_at_one_run_the_first_writes_no_more(
    mirrored: Callable[..., Any],
) -> None:
    mirror = await mirrored(lookback_days=400)
    mirror.site.faults.add("latency", seconds=0.1)
    [run_id] = await start_runs(
        mirror.hub, mirror.connection, names=["Stock Ledger Entry"], trigger="cli"
    )
    first = asyncio.create_task(carry_out(mirror.hub, run_id))
    await asyncio.sleep(0.5)
    second = asyncio.create_task(carry_out(mirror.hub, run_id))
    await asyncio.gather(first, second)
    async with mirror.hub.db.session() as session:
        run = await run_of(session, run_id, None)
    assert (run.outcome, run.attempts, run.fence) == ("done", 2, 2)
    mirror.site.faults.clear()
    [proof] = await mirror.sync("Stock Ledger Entry", kind="verify")
    assert proof.report["equal"], str(proof.report)


@pytest.mark.heavy
async def test_twenty_writers_while_pulls_run_and_equal_in_the_end(
    mirrored: Callable[..., Any],
) -> None:
    mirror = await mirrored(lookback_days=400)
    await mirror.sync("suppliers", "orders")
    stop = asyncio.Event()
    orders = [name for (name,) in await mirror.rows("sales_order", "name", where="docstatus = 0")]
    writers = [asyncio.create_task(write(mirror, number, orders, stop)) for number in range(20)]
    for _ in range(8):
        await mirror.sync("suppliers", "orders")
    stop.set()
    written = sum(await asyncio.gather(*writers))
    assert written > 100
    finished = await mirror.sync("suppliers", "orders")
    assert {run.outcome for run in finished} == {"done"}, [run.error for run in finished]
    for doctype, table in (("Supplier", "supplier"), ("Sales Order", "sales_order")):
        there = {name for (name,) in await mirror.site_rows(doctype, "name")}
        assert {name for (name,) in await mirror.rows(table, "name")} == there
    proofs = await mirror.sync("suppliers", "orders", kind="verify")
    assert all(run.report["equal"] for run in proofs), [run.report for run in proofs]


async def write(mirror: Any, number: int, drafts: list[str], stop: asyncio.Event) -> int:
    """Insert, update, rename and delete suppliers of one's own, and submit a draft order."""
    count = 0
    if number < len(drafts):
        await mirror.ask("PUT", f"/api/resource/Sales Order/{drafts[number]}", {"docstatus": 1})
        count += 1
    while not stop.is_set():
        name = f"Writer {number} - {count}"
        await mirror.ask("POST", "/api/resource/Supplier", {"supplier_name": name})
        await mirror.ask("PUT", f"/api/resource/Supplier/{name}", {"website": "https://w.example"})
        if count % 3 == 0:
            renamed = {"doctype": "Supplier", "old_name": name, "new_name": f"{name} renamed"}
            await mirror.ask("POST", "/api/method/frappe.client.rename_doc", renamed)
            name = f"{name} renamed"
        if count % 2 == 0:
            await mirror.ask("DELETE", f"/api/resource/Supplier/{name}")
        count += 4
    return count
