"""Late is not lost: what waits in the site's queue is told as that, and what nobody had to be told
of is not missed.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from tests.inbox.conftest import site_asks
from tests.inbox.test_site_webhooks import Connected, connected, shop  # noqa: F401
from tests.kit.waiting import until


@contextmanager
def later(site: Any, **by: float) -> Iterator[None]:
    """Some time later on the site."""
    rule = site.faults.add("latency", seconds=0.0)  # a rule, so that Date tells the clock too
    site.site.clock.shift = timedelta(**by)
    try:
        yield
    finally:
        site.faults.clear(rule)


@pytest.fixture
def held(connected: Connected) -> Iterator[Any]:  # noqa: F811
    """The site's worker is busy with other things."""
    connected.set_up(doctypes=["Customer"])
    deliveries = connected.site.deliveries
    until(lambda: not connected.site.site.jobs)
    deliveries.held = True
    yield deliveries
    deliveries.held = False
    until(lambda: not connected.site.site.jobs)


def test_what_waits_in_the_sites_queue_is_late_and_after_half_an_hour_it_stands_still(
    connected: Connected,  # noqa: F811
    held: Any,
) -> None:
    site = connected.site
    names = [connected.customer() for _ in range(6)]
    with later(site, minutes=6, seconds=20):
        told = connected.do("check")
        assert (told["state"], told["troubles"]) == ("late", [])
        assert told["queued"] >= 6
        assert "for 6 minutes" in told["late"]
        assert "not lost" in told["late"]
    with later(site, minutes=45):
        told = connected.do("check")
        assert told["state"] == "trouble"
        [trouble] = told["troubles"]
        assert "stands still" in trouble["what"]
        assert "workers" in trouble["next_step"]
    held.held = False
    until(lambda: set(names) <= set(dict(connected.heard())))
    with later(site, minutes=6, seconds=20):
        told = connected.do("check")
    assert (told["state"], told["late"], told["queued"]) == ("arriving", None, 0)


def test_where_the_queue_may_not_be_read_patience_follows_what_was_seen(
    connected: Connected,  # noqa: F811
    held: Any,
) -> None:
    """The worker delivers in order: what it has not come to is late while others still arrive."""
    site = connected.site
    rule = site.faults.add("forbidden", doctype="RQ Job")
    try:
        held.held = False
        first = connected.customer()
        until(lambda: first in dict(connected.heard()))
        held.held = True
        names = [connected.customer() for _ in range(6)]
        with later(site, minutes=5):
            told = connected.do("check")
            assert told["queued"] is None
            assert told["troubles"] == []
            assert told["state"] == "late"
            assert names[-1] in told["late"]
        with later(site, hours=2):
            told = connected.do("check")
            assert told["state"] == "trouble"
            assert "no webhook told of it" in told["troubles"][0]["what"]
    finally:
        site.faults.clear(rule)


def test_what_erpnext_changes_by_sql_is_not_missed(connected: Connected) -> None:  # noqa: F811
    connected.set_up(doctypes=["Sales Order", "Customer"])
    site = connected.site
    orders = site_asks(site, "GET", "/api/resource/Sales Order?limit_page_length=6")["data"]
    for order in orders:
        now = site.site.now()
        moved = {"per_delivered": 50, "modified": now, "modified_by": "Administrator"}
        site.site.tables.update("Sales Order", order["name"], moved)
    for readable in (True, False):
        rule = None if readable else site.faults.add("forbidden", doctype="RQ Job")
        with later(site, minutes=2):
            assert connected.do("check")["troubles"] == []
        if rule is not None:
            site.faults.clear(rule)


def test_a_document_that_was_made_and_is_not_waiting_is_lost(
    connected: Connected,  # noqa: F811
) -> None:
    connected.set_up(doctypes=["Customer"])
    site = connected.site
    silent = site.deliveries.add
    site.deliveries.add = lambda due: None  # the queue lost its jobs
    try:
        names = [connected.customer(f"Lost {uuid4().hex[:6]}") for _ in range(6)]
        with later(site, minutes=2):
            [trouble] = connected.do("check")["troubles"]
    finally:
        site.deliveries.add = silent
    assert names[-1] in trouble["what"]
    assert "told of it" in trouble["what"]
