"""A site that makes rows up for ever: nothing of the hub goes on beyond what the site counts."""

from collections.abc import Callable
from typing import Any

import pytest

from bascule.frappe import NeverEnds, Site

BEYOND = 1_000  # rows that a walk may come to beyond its count, and 1 % of it


async def test_a_stream_without_end_stops_with_a_question(mirrored: Callable[..., Any]) -> None:
    mirror = await mirrored()
    site = mirror.site
    counted = len(await mirror.site_rows("Customer", "name"))
    site.faults.add("endless", doctype="Customer")
    customers, suppliers = await mirror.sync("Customer", "Supplier")
    assert (customers.outcome, suppliers.outcome) == ("failed", "done")
    assert f"The site counts {counted} rows of Customer, gave " in customers.error
    assert "and goes on. Are they real?" in customers.error
    assert "sync it by hand" in customers.next_step
    most = counted * 1.01 + BEYOND

    # What nobody asked for comes seldom, and brings no more of them.
    for trigger in ("schedule", "webhook"):
        assert await mirror.sync("Customer", trigger=trigger) == []
        await mirror.execute("UPDATE bascule.streams SET retry_at = NULL")
        [run] = await mirror.sync("Customer", trigger=trigger)
        assert run.outcome == "failed"
        assert len(await mirror.rows("customer", "name")) <= most
    [run] = await mirror.sync("Customer", trigger="page")
    assert run.outcome == "failed"
    assert len(await mirror.rows("customer", "name")) <= 2 * most

    site.faults.clear()
    [run] = await mirror.sync("Customer")
    assert run.outcome == "done", run.error
    assert await mirror.rows("customer", "name") == await mirror.site_rows("Customer", "name")


async def test_changes_and_proofs_without_end_stop_too(mirrored: Callable[..., Any]) -> None:
    mirror = await mirrored()
    [run] = await mirror.sync("Customer")
    assert run.outcome == "done", run.error
    mirror.site.faults.add("endless", doctype="Customer")
    await mirror.ask("POST", "/api/resource/Customer", {"customer_name": "Added"})
    for kind in ("sync", "verify"):
        [run] = await mirror.sync("Customer", kind=kind)
        assert run.outcome == "failed"
        assert "and goes on. Are they real?" in run.error
    async with Site(mirror.site.url, mirror.site.api_key, mirror.site.api_secret) as site:
        with pytest.raises(NeverEnds, match="rows of Customer"):
            await site.documents("Customer").all()
