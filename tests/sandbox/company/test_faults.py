"""Each fault as a client meets it over HTTP, asked for from Python and over HTTP."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
import pytest

from bascule.sandbox import Running
from bascule.sandbox.faults import KINDS


@asynccontextmanager
async def client(site: Running) -> AsyncIterator[aiohttp.ClientSession]:
    token = f"token {site.api_key}:{site.api_secret}"
    async with aiohttp.ClientSession(site.url, headers={"Authorization": token}) as session:
        yield session


async def get(session: Any, path: str = "/api/resource/Item", **query: Any) -> Any:
    async with session.get(path, params=query) as response:
        return response, await response.text()


async def insert_uom(session: Any, name: str) -> Any:
    async with session.post("/api/resource/UOM", json={"uom_name": name}) as response:
        return response.status, await response.json()


async def test_latency_delays_the_answer_and_is_spent_after_its_times(site: Running) -> None:
    site.faults.add("latency", seconds=0.3, times=1)
    async with client(site) as session:
        started = time.monotonic()
        response, _ = await get(session)
        assert time.monotonic() - started >= 0.3
        assert response.status == 200
    assert site.faults.rules == []


async def test_a_rate_limit_says_when_to_come_back(site: Running) -> None:
    site.faults.add("rate_limited", seconds=7, times=1)
    async with client(site) as session:
        response, text = await get(session)
        assert (response.status, response.headers["Retry-After"]) == (429, "7")
        assert "Too Many Requests" in text
        assert (await get(session))[0].status == 200


@pytest.mark.parametrize(
    ("kind", "status", "content_type"),
    [
        ("server_error", 500, "application/json"),
        ("bad_gateway", 502, "text/html"),
        ("maintenance", 503, "text/html"),
        ("revoked", 401, "application/json"),
    ],
)
async def test_refusals_come_in_the_shape_of_who_refuses(
    site: Running, kind: str, status: int, content_type: str
) -> None:
    site.faults.add(kind)
    async with client(site) as session:
        response, text = await get(session)
        assert (response.status, response.content_type) == (status, content_type)
        assert ("exc_type" in text) == (content_type == "application/json")


async def test_a_truncated_answer_promises_more_than_it_sends(site: Running) -> None:
    site.faults.add("truncated", times=1)
    async with client(site) as session:
        with pytest.raises(aiohttp.ClientPayloadError):
            await get(session, limit_page_length=200)
        assert (await get(session))[0].status == 200


async def test_a_dropped_request_was_never_done(site: Running) -> None:
    site.faults.add("dropped", method="POST", times=1)
    async with client(site) as session:
        with pytest.raises(aiohttp.ClientError):
            await insert_uom(session, "Dropped Dozen")
        response, _ = await get(session, "/api/resource/UOM/Dropped Dozen")
        assert response.status == 404


async def test_a_lost_answer_was_done_all_the_same(site: Running) -> None:
    site.faults.add("lost_answer", method="POST", times=1)
    async with client(site) as session:
        with pytest.raises(aiohttp.ClientError):
            await insert_uom(session, "Lost Litre")
        response, _ = await get(session, "/api/resource/UOM/Lost Litre")
        assert response.status == 200


async def test_a_slow_body_trickles_in_whole(site: Running) -> None:
    async with client(site) as session:
        _, quick = await get(session, order_by="name asc", limit_page_length=100)
        site.faults.add("slow_body", seconds=0.4, times=1)
        started = time.monotonic()
        _, slow = await get(session, order_by="name asc", limit_page_length=100)
        assert time.monotonic() - started >= 0.3
        assert slow == quick


async def test_a_lost_permission_concerns_one_doctype_by_whatever_route(site: Running) -> None:
    site.faults.add("forbidden", doctype="Supplier")
    async with client(site) as session:
        response, text = await get(session, "/api/resource/Supplier")
        assert response.status == 403
        assert "PermissionError" in text
        assert "hub@example.com" in text
        body = {"doctype": "Supplier", "fields": ["name"]}
        async with session.post("/api/method/frappe.client.get_list", json=body) as refused:
            assert refused.status == 403
        assert (await get(session, "/api/resource/Item"))[0].status == 200
        body["doctype"] = "Item"
        async with session.post("/api/method/frappe.client.get_list", json=body) as allowed:
            assert allowed.status == 200


async def test_a_late_commit_shows_up_after_newer_documents(site: Running) -> None:
    async with client(site) as session:
        rule = site.faults.add("late_commit", seconds=100, doctype="UOM", times=1)
        late = asyncio.create_task(insert_uom(session, "Late Load"))
        while rule in site.faults.rules:  # spent once the request is there
            await asyncio.sleep(0.01)
        _, newer = await insert_uom(session, "Early Ell")
        response, _ = await get(session, "/api/resource/UOM/Late Load")
        assert response.status == 404
        rule.seconds = 0
        _, older = await late
        assert older["data"]["modified"] < newer["data"]["modified"]
        response, _ = await get(session, "/api/resource/UOM/Late Load")
        assert response.status == 200


async def test_the_clock_goes_back_an_hour_and_comes_back_when_cleared(site: Running) -> None:
    async with client(site) as session:
        _, before = await insert_uom(session, "Summer Sack")
        site.faults.add("clock_back")
        response, _ = await get(session)
        _, during = await insert_uom(session, "Winter Wrap")
        site.faults.clear()
        _, after = await insert_uom(session, "Spring Sheaf")
    summer, winter, spring = (
        datetime.fromisoformat(made["data"]["modified"]) for made in (before, during, after)
    )
    assert timedelta(minutes=59) < summer - winter < timedelta(minutes=61)
    assert spring > summer
    told = parsedate_to_datetime(response.headers["Date"])
    assert told < datetime.now(told.tzinfo) - timedelta(minutes=59)


async def test_a_probability_strikes_some_requests(site: Running) -> None:
    site.faults.add("server_error", probability=0.5)
    async with client(site) as session:
        statuses = [(await get(session))[0].status for _ in range(40)]
    assert set(statuses) == {200, 500}


async def test_a_fault_is_bound_to_a_path_and_a_method(site: Running) -> None:
    site.faults.add("server_error", path="/Customer", method="get")
    async with client(site) as session:
        assert (await get(session))[0].status == 200
        assert (await get(session, "/api/resource/Customer"))[0].status == 500


async def test_faults_are_added_listed_and_taken_back_over_http(site: Running) -> None:
    async with client(site) as session:
        rule = {"kind": "latency", "seconds": 0.01, "doctype": "Item", "times": 2}
        async with session.post("/sandbox/faults", json=rule) as response:
            assert response.status == 201
        async with session.get("/sandbox/faults") as response:
            listed = await response.json()
        assert [fault["kind"] for fault in listed["faults"]] == ["latency"]
        assert set(listed["kinds"]) == set(KINDS)
        await get(session)
        assert site.faults.rules[0].times == 1
        async with session.delete("/sandbox/faults") as response:
            assert (await response.json()) == {"faults": []}
    assert site.faults.rules == []


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"kind": "gremlins"}, "latency"),
        ({"kind": "latency", "seconds": "soon"}, "seconds"),
        ({"kind": "latency", "when": "now"}, "when"),
        ({"kind": "forbidden"}, "DocType"),
        ({"kind": "dropped", "times": 0}, "times"),
        ({"kind": "dropped", "probability": 2}, "probability"),
        (["latency"], "latency"),
    ],
)
async def test_a_fault_that_cannot_be_understood_is_refused_with_the_reason(
    site: Running, rule: Any, said: Any
) -> None:
    async with client(site) as session, session.post("/sandbox/faults", json=rule) as response:
        assert response.status == 400
        assert said in (await response.json())["error"]
    assert site.faults.rules == []
