"""One cause is one alarm, the same in every face; and a worker that is missing is the first."""

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from bascule.connections.frequency import DEFAULT
from bascule.sandbox import SandboxThread
from tests.kit import connecting
from tests.kit.api import Api
from tests.kit.database import FreshSettings
from tests.kit.hub import RunningHub
from tests.kit.waiting import until

ALL = ["Item", "Bin", "Item Price", "Warehouse", "Sales Order", "Supplier", "Customer"]
Finished = Callable[[list[int]], list[Any]]
NEVER = 3600.0  # seconds


@pytest.fixture
def a_hub(fresh_settings: FreshSettings) -> Iterator[RunningHub]:
    """Of this test alone, with a worker of four places."""
    with fresh_settings() as settings, RunningHub(settings) as running:
        yield running


@pytest.fixture
def without_worker(fresh_settings: FreshSettings) -> Iterator[RunningHub]:
    with fresh_settings() as settings, RunningHub(settings, worker=False) as running:
        yield running


def connect(api: Api, site: Any, name: str = "Acme", **values: Any) -> str:
    """By the schedule that a connection has which is told of none."""
    made = connecting.connect(api, site, **{"name": name, "schedule": DEFAULT, **values})
    return str(made["slug"])


def needs(api: Api) -> list[Any]:
    return list(api.get("/api/needs").json["needs"])


def status(api: Api) -> Any:
    return api.get("/api/connectors/status").json["connectors"][0]


def ended(api: Api, run_ids: list[int]) -> list[Any]:
    def all_over() -> list[Any]:
        runs = [api.get(f"/api/runs/{number}").json for number in run_ids]
        return runs if all(run["outcome"] in ("done", "failed") for run in runs) else []

    return until(all_over, patience=120)


def sync(api: Api) -> list[Any]:
    return ended(api, api.post("/api/connectors/sync").json["run_ids"])


def execute(running: RunningHub, statement: str) -> None:
    url = running.settings.database_url
    assert url is not None
    with psycopg.connect(url.get_secret_value(), autocommit=True) as conn:
        conn.execute("SET search_path = bascule_jobs")
        conn.execute(statement.encode())


def test_a_worker_that_is_missing_is_told_first_and_nothing_says_that_it_syncs(
    without_worker: RunningHub, erpnext_sandbox: Any
) -> None:
    api = Api(without_worker.url, without_worker.token)
    assert needs(api) == []  # nothing is there for it to do
    connect(api, erpnext_sandbox)
    assert [need["kind"] for need in needs(api)] == ["worker"]
    api.post("/api/connectors/sync")
    execute(without_worker, "UPDATE bascule.connections SET next_sync_at = now() - interval '1 h'")
    [need] = needs(api)  # not that its schedule is late, which is the same
    assert need["kind"] == "worker"
    assert need["what"].startswith("No worker is running, so nothing is synced and nothing is sent")
    assert "'bascule worker'" in need["next_step"]
    assert status(api)["status"] == "queued"
    assert api.get("/health").json["status"] == "degraded"


def test_a_queue_that_stands_is_told_with_who_holds_the_places(
    a_hub: RunningHub, erpnext_sandbox: Any
) -> None:
    api = Api(a_hub.url, a_hub.token)
    names = ("Hangs", "Hangs too", "Waits")
    connect(api, erpnext_sandbox, names[0])
    connect(api, erpnext_sandbox, names[1])
    connect(api, erpnext_sandbox, names[2])
    erpnext_sandbox.faults.add("latency", seconds=NEVER)
    api.post("/api/connectors/sync")
    until(lambda: api.get("/health").json["queue"]["waiting"])
    assert [need["kind"] for need in needs(api)] == []
    assert api.get("/health").json["status"] == "ok"

    execute(a_hub, "UPDATE procrastinate_events SET at = at - interval '20 min'")
    health = api.get("/health").json
    assert health["status"] == "degraded"
    assert health["queue"]["oldest_seconds"] > 19 * 60
    assert health["queue"]["running"] >= 3  # besides what upkeep does at that moment
    [need] = needs(api)
    assert need["kind"] == "queue"
    assert "the first for 20 minutes" in need["what"]
    assert any(f"{name} (2)" in need["what"] for name in names)
    execute(a_hub, "UPDATE bascule.connections SET shared = false")
    [need] = needs(a_hub.somebody("viewer"))
    assert "The places are held by others (3)" in need["what"]
    assert not any(name in need["what"] for name in names)
    execute(a_hub, "UPDATE bascule.connections SET shared = true")
    for one in api.get("/api/connectors").json["connectors"]:
        assert api.post(f"/api/connectors/{one['slug']}/cancel").status == 200
    erpnext_sandbox.faults.clear()
    until(lambda: api.get("/health").json["queue"]["running"] == 0)
    assert needs(api) == []


def test_refused_credentials_are_one_alarm_and_mended_ones_start_what_failed(
    a_hub: RunningHub, erpnext_sandbox: Any
) -> None:
    api = Api(a_hub.url, a_hub.token)
    slug = connect(api, erpnext_sandbox)
    erpnext_sandbox.faults.add("revoked")
    runs = sync(api)
    assert len(runs) > 6
    assert {run["outcome"] for run in runs} == {"failed"}
    [need] = needs(api)
    assert (need["kind"], need["mend"]) == ("refused", "Mend the credentials")
    assert need["command"] == f"bascule change {slug} --credentials"

    def refused() -> Any:  # and not in the moment in which the hub tries it again
        told = status(api)
        return told if told["status"] == "refused" else None

    told = until(refused)
    assert len(told["attention"]) == 1
    assert told["paused_until"]  # what is next is not the schedule's next

    erpnext_sandbox.faults.clear()
    mended = {"api_key": erpnext_sandbox.api_key, "api_secret": erpnext_sandbox.api_secret}
    assert api.patch(f"/api/connectors/{slug}", mended).status == 200
    told = status(api)
    assert (told["health"], told["attention"], told["paused_until"]) == ("ok", [], None)
    assert needs(api) == []
    until(lambda: status(api)["status"] == "ok")
    assert all(count > 0 for count in status(api)["record_counts"].values())


def test_a_site_that_lets_the_hub_in_again_starts_what_failed(
    a_hub: RunningHub, erpnext_sandbox: Any
) -> None:
    """Whoever finds that out: here somebody who tests it."""
    api = Api(a_hub.url, a_hub.token)
    slug = connect(api, erpnext_sandbox)
    erpnext_sandbox.faults.add("maintenance")
    sync(api)
    assert [(need["kind"], need["mend"]) for need in needs(api)] == [("down", "Try now")]
    execute(a_hub, "UPDATE bascule.circuits SET open_until = now() + interval '1 hour'")
    erpnext_sandbox.faults.clear()
    assert api.post(f"/api/connectors/{slug}/test").json["health"] == "ok"
    until(lambda: status(api)["status"] == "ok" and status(api)["records"])


def test_missing_rights_are_one_alarm_whose_button_helps(
    a_hub: RunningHub, erpnext_sandbox: Any
) -> None:
    api = Api(a_hub.url, a_hub.token)
    connect(api, erpnext_sandbox)
    for doctype in ALL:
        erpnext_sandbox.faults.add("forbidden", doctype=doctype)
    runs = sync(api)
    assert sum(run["outcome"] == "failed" for run in runs) == len(ALL)
    [need] = needs(api)
    assert f"may not read {len(ALL)} of the DocTypes: " in need["what"]
    assert "Give the user " in need["next_step"]
    assert need["mend"] == "Try again"
    erpnext_sandbox.faults.clear()
    assert {run["outcome"] for run in sync(api)} == {"done"}
    assert needs(api) == []


def test_every_way_out_is_told_for_the_command_line_too(
    a_hub: RunningHub, erpnext_sandbox: Any
) -> None:
    api = Api(a_hub.url, a_hub.token)
    connect(api, erpnext_sandbox)
    erpnext_sandbox.faults.add("bad_gateway")
    sync(api)
    assert all(need["command"].startswith("bascule ") for need in needs(api))


def test_a_run_that_has_ended_cannot_be_cancelled_and_a_viewer_cancels_none(
    a_hub: RunningHub, erpnext_sandbox: Any
) -> None:
    api = Api(a_hub.url, a_hub.token)
    slug = connect(api, erpnext_sandbox, streams=["suppliers"])
    [run] = sync(api)
    refused = api.post(f"/api/runs/{run['id']}/cancel")
    assert (refused.status, refused.json["detail"]) == (409, f"Run {run['id']} has ended already.")
    erpnext_sandbox.faults.add("latency", seconds=NEVER)
    [number] = api.post("/api/connectors/sync").json["run_ids"]
    viewer, editor = a_hub.somebody("viewer"), a_hub.somebody("editor")
    assert viewer.post(f"/api/runs/{number}/cancel").status == 403
    assert viewer.post(f"/api/connectors/{slug}/cancel").status == 403
    cancelled = editor.post(f"/api/runs/{number}/cancel")
    assert (cancelled.status, cancelled.json["outcome"]) == (200, "cancelled")
    [row] = api.get("/api/audit", action="cancel_one_run", limit=1).json["entries"]
    assert row["username"].startswith("editor-")
    assert (row["object"], row["detail"]["run"]) == (slug, f"{number}, Supplier")
    lines = api.get(f"/api/runs/{number}/logs").json
    assert lines["finished"]
    assert lines["lines"][-1]["message"].startswith("Cancelled by editor-")


@pytest.fixture
def erpnext_sandbox(erpnext_snapshot: Any) -> Iterator[Any]:
    with SandboxThread(erpnext_snapshot) as running:
        yield running
