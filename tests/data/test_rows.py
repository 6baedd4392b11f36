"""The mirror's rows over HTTP: pages, filters, order, files."""

import csv
import io
import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.kit.api import Api


@pytest.fixture
def mirrored(api: Api, connect: Callable[..., Any]) -> str:
    """The address of a connector whose items and suppliers are here."""
    made = connect()
    body = {"connector_id": made["id"], "streams": ["inventory", "suppliers"], "wait": 120}
    answer = api.post("/api/connectors/sync", body).json
    assert {run["outcome"] for run in answer["runs"]} == {"done"}, answer
    return f"/api/connectors/{made['slug']}"


def all_rows(api: Api, path: str, **query: Any) -> list[Any]:
    rows, after = [], None
    while True:
        page = api.get(path, **query, **({"after": after} if after else {})).json
        rows += page["rows"]
        after = page["next"]
        if after is None:
            return rows


def test_pages_follow_each_other_without_a_gap(api: Api, mirrored: str) -> None:
    whole = all_rows(api, f"{mirrored}/rows/supplier", limit=1000)
    assert len(whole) > 3
    assert all_rows(api, f"{mirrored}/rows/supplier", limit=3) == whole
    backwards = all_rows(api, f"{mirrored}/rows/supplier", limit=3, sort="-name")
    assert backwards == whole[::-1]


def test_a_view_has_a_short_address(api: Api, mirrored: str) -> None:
    short = api.get(f"{mirrored}/inventory", limit=5)
    assert short.status == 200, short.body
    assert short.json == api.get(f"{mirrored}/rows/inventory", limit=5).json
    assert short.json["rows"][0]["item_code"]


def test_rows_are_filtered_and_sorted(api: Api, mirrored: str) -> None:
    rows = all_rows(api, f"{mirrored}/inventory", sort="-stock_qty", stock_qty__gt="0")
    quantities = [row["stock_qty"] for row in rows]
    assert quantities
    assert quantities == sorted(quantities, reverse=True)
    assert min(quantities) > 0
    [one] = api.get(f"{mirrored}/inventory", item_code=rows[0]["item_code"]).json["rows"]
    assert one == rows[0]
    few = api.get(f"{mirrored}/inventory", columns="item_code,stock_qty").json
    assert few["columns"] == ["item_code", "stock_qty"]


def test_files_hold_the_same_rows(api: Api, mirrored: str) -> None:
    whole = all_rows(api, f"{mirrored}/suppliers", limit=1000)
    as_csv = api.get(f"{mirrored}/suppliers.csv", sort="supplier_id")
    assert as_csv.headers["content-type"].startswith("text/csv")
    assert "suppliers.csv" in as_csv.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(as_csv.body.decode())))
    assert [row["supplier_id"] for row in rows] == [row["supplier_id"] for row in whole]
    lines = api.get(f"{mirrored}/suppliers.jsonl", sort="supplier_id").body.splitlines()
    assert [json.loads(line)["supplier_id"] for line in lines] == [r["supplier_id"] for r in rows]
    parquet = api.get(f"{mirrored}/rows/suppliers.parquet")
    assert parquet.body[:4] == parquet.body[-4:] == b"PAR1"


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("/rows/nothing_here", {}, 404),
        ("/rows/nothing_here.csv", {}, 404),
        ("/rows/pg_class", {}, 404),
        ("/rows/%00", {}, 404),
        ("/inventory", {"no_such_column": "1"}, 422),
        ("/inventory", {"sort": "no_such_column"}, 422),
        ("/inventory", {"stock_qty__gt": "many"}, 422),
        ("/inventory", {"stock_qty__gt": "1e99999"}, 422),
        ("/inventory", {"stock_qty__gt": "NaN"}, 422),
        ("/inventory", {"item_name": "a\x00b"}, 422),
        ("/inventory", {"after": "garbage"}, 422),
        ("/inventory", {"limit": "0"}, 422),
        ("/inventory", {"limit": "1001"}, 422),
        ("/inventory", {"limit": "9" * 5000}, 422),
        ("/inventory", {"columns": "no_such_column"}, 422),
        ("/inventory.xlsx", {}, 422),
        ("/inventory.csv", {"no_such_column": "1"}, 422),
    ],
)
def test_what_cannot_be_asked_is_told_and_never_a_failure(
    api: Api, mirrored: str, path: str, query: dict[str, Any], status: int
) -> None:
    answer = api.get(f"{mirrored}{path}", **query)
    assert answer.status == status, answer.body
    assert answer.json["next_step"]


def test_a_filter_said_twice_is_not_half_heard(api: Api, mirrored: str) -> None:
    answer = api.get(f"{mirrored}/inventory?item_group=a&item_group=b")
    assert answer.status == 422
    assert "item_group__in" in answer.json["next_step"]
