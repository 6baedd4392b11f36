"""What needs somebody is told with the status, together with what mends it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from bascule.connections.tables import Connection
from bascule.mirror.attention import attention_of

from .conftest import Api, RunningHub

Connect = Callable[..., Any]


def needs(api: Api, made: Any) -> list[tuple[str, str]]:
    return [(need["kind"], need["mend"]) for need in status_of(api, made)["attention"]]


def status_of(api: Api, made: Any) -> Any:
    return next(
        one
        for one in api.get("/api/connectors/status").json["connectors"]
        if one["connector_id"] == made["id"]
    )


def change(running_hub: RunningHub, statement: str) -> None:
    url = running_hub.settings.database_url
    assert url is not None
    with psycopg.connect(url.get_secret_value(), autocommit=True) as conn:
        conn.execute(statement.encode())


def test_refused_credentials_need_others(
    api: Api, connect: Connect, erpnext_sandbox: Any, finished: Callable[[list[int]], list[Any]]
) -> None:
    made = connect()
    assert needs(api, made) == []
    erpnext_sandbox.faults.add("revoked")
    finished(api.post("/api/connectors/sync", {"connector_id": made["id"]}).json["run_ids"])
    assert status_of(api, made)["status"] == "refused"
    assert needs(api, made) == [("refused", "credentials")]
    erpnext_sandbox.faults.clear()
    finished(api.post("/api/connectors/sync", {"connector_id": made["id"]}).json["run_ids"])
    assert status_of(api, made)["status"] == "ok"
    assert needs(api, made) == []


def test_a_mirror_that_differs_needs_a_repair(
    api: Api, connect: Connect, running_hub: RunningHub, finished: Callable[[list[int]], list[Any]]
) -> None:
    made = connect()
    asked = {"connector_id": made["id"], "streams": ["Supplier"]}
    finished(api.post("/api/connectors/sync", asked).json["run_ids"])
    table = f"{made['slug']}.supplier"
    change(running_hub, f"DELETE FROM {table} WHERE name IN (SELECT name FROM {table} LIMIT 1)")
    verify = f"/api/connectors/{made['id']}/verify"
    finished(api.post(verify, {"streams": ["Supplier"]}).json["run_ids"])
    status = status_of(api, made)
    assert (status["status"], status["verified_equal"]) == ("differs", False)
    assert status["verified_at"]
    [need] = status["attention"]
    assert (need["kind"], need["mend"], need["streams"]) == ("differs", "repair", ["Supplier"])
    finished(api.post(verify, {"streams": ["Supplier"], "repair": True}).json["run_ids"])
    assert status_of(api, made)["verified_equal"] is True
    assert needs(api, made) == []


def test_only_a_schedule_that_stood_still_is_late() -> None:
    def told(minutes: int) -> list[str]:
        due = datetime.now(UTC) - timedelta(minutes=minutes)
        return [need.kind for need in attention_of(Connection(health="ok", next_sync_at=due), [])]

    assert told(11) == ["late"]
    assert told(5) == told(-5) == []
