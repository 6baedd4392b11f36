"""Filters that mean something else than they say, by what a real ERPNext 15.90 answered."""

from typing import Any

import pytest

from tests.sandbox.conftest import Client, MakeSite, doctype, field

THING = doctype(
    "Thing",
    field("title"),
    field("kind", "Select", "A\nB"),
    field("size", "Int"),
    field("rate", "Float"),
    field("day", "Date"),
    field("stamp", "Datetime"),
    field("at", "Time"),
    autoname="Prompt",
)
ROWS: list[dict[str, Any]] = [
    {"name": "A", "title": "x", "size": 1, "rate": 31.91, "day": "2026-05-01", "at": "9:30:00"},
    {"name": "B", "title": "", "size": 0, "rate": 0, "stamp": "2026-05-01 10:00:00"},
    {"name": "C", "size": 0, "rate": 2.5, "day": "2026-07-01"},
]
# filters and the names that a list of them has
LISTED: list[tuple[list[list[Any]], str]] = [
    ([["size", "in", [0]]], "BC"),
    ([["size", "in", []]], ""),
    ([["size", "not in", []]], "ABC"),
    ([["rate", "in", [31.91]]], "A"),
    ([["rate", "not in", [31.91]]], "ABC"),
    ([["rate", "not in", ["31.910000000"]]], "BC"),
    ([["rate", "like", "%.910000000"]], "A"),
    ([["size", "is", "not set"]], ""),
    ([["size", "is", "set"]], "A"),
    ([["title", "is", "not set"]], "BC"),
    ([["title", "=", 0]], ""),
    ([["title", "=", ""]], "BC"),
    ([["day", "not in", ["", 0]]], "AC"),
    ([["day", ">", "2026-06-01"]], "C"),
    # a bound alone, and what follows is the other
    ([["size", "between", ["0", "0"]], ["rate", "<=", 0]], ""),
    ([["size", "between", ["0", "0"]], ["rate", ">", 0]], "ABC"),
    ([["title", "between", ["", "x"]], ["size", "!=", 0]], "ABC"),
    ([["size", "between", ["0", "1"]], ["title", "like", "x%"]], "AB"),
]
# filters and how many `get_count` tells of
COUNTED: list[tuple[list[list[Any]], int]] = [
    ([["title", "!=", "y"]], 2),
    ([["title", "is", "set"]], 2),
    ([["title", "is", "not set"]], 1),
    ([["title", "between", ["a", "z"]]], 1),
    ([["size", "is", "not set"]], 0),
    ([["size", "in", [0]]], 2),
    ([["title", "not like", "x%"]], 1),
    ([["day", "between", ["2026-05-01", "2026-06-01"]]], 1),
]
REFUSED: list[tuple[list[Any], int, str]] = [
    (["day", "like", "%%"], 417, "ValidationError"),
    (["day", "between", ["", "0"]], 417, "ValidationError"),
    (["day", "=", 5], 500, "AttributeError"),
    (["day", "=", "0000-00-00"], 500, "AttributeError"),
    (["stamp", "=", "x"], 500, "ParserError"),
    (["at", "like", "_3:5%"], 500, "ParserError"),
    (["at", "=", 0], 500, "TypeError"),
    (["size", "in", 5], 500, "TypeError"),
    (["size", "between", ["0", "1"]], 500, "ProgrammingError"),
]


@pytest.fixture
async def site(make_site: MakeSite) -> Client:
    site = await make_site(THING)
    for row in ROWS:
        await site.inserted("Thing", **row)
    return site


async def test_a_list_reads_its_filters_as_mariadb_does(site: Client) -> None:
    found = []
    for filters, _ in LISTED:
        rows = await site.list("Thing", filters=filters, order_by="name asc")
        found.append((filters, "".join(row["name"] for row in rows)))
    assert found == LISTED


async def test_a_count_takes_another_way_than_a_list(site: Client) -> None:
    found = []
    for filters, _ in COUNTED:
        path = "/api/method/frappe.client.get_count"
        status, body = await site.get(path, doctype="Thing", filters=filters)
        assert status == 200, body
        found.append((filters, body["message"]))
    assert found == COUNTED


async def test_a_filter_that_cannot_be_read_is_refused_by_its_kind(site: Client) -> None:
    answers = []
    for given, *_ in REFUSED:
        status, body = await site.get("/api/resource/Thing", filters=[given])
        answers.append((given, status, body.get("exc_type")))
    assert answers == REFUSED


async def test_a_date_that_is_nothing_means_today(site: Client) -> None:
    today = str(site.running.site.clock.now().date())
    await site.inserted("Thing", name="Today", day=today)
    for nothing in ("", 0):
        rows = await site.list("Thing", filters=[["day", "=", nothing]])
        assert [row["name"] for row in rows] == ["Today"]
