"""What needs somebody is told with the status, together with what mends it."""

import base64
import hashlib
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from cryptography.fernet import Fernet

from bascule.connections.tables import Connection
from bascule.mirror.attention import attention_of
from tests.kit.api import Api
from tests.kit.hub import RunningHub
from tests.kit.waiting import until

Connect = Callable[..., Any]


def needs(api: Api, made: Any) -> list[tuple[str, str]]:
    return [(need["kind"], need["mend"]) for need in status_of(api, made)["attention"]]


def status_of(api: Api, made: Any) -> Any:
    return next(
        one
        for one in api.get("/api/connectors/status").json["connectors"]
        if one["connector_id"] == made["id"]
    )


def stands(api: Api, made: Any, as_: str) -> None:
    """In the end: the hub tries by itself now and then whether a site lets it in again."""
    until(lambda: status_of(api, made)["status"] == as_, lambda: status_of(api, made), patience=120)


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
    stands(api, made, "refused")
    assert needs(api, made) == [("refused", "credentials")]
    erpnext_sandbox.faults.clear()
    finished(api.post("/api/connectors/sync", {"connector_id": made["id"]}).json["run_ids"])
    stands(api, made, "ok")
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


def told(api: Api, made: Any) -> list[tuple[str, str | None]]:
    """What /api/needs says of a connector."""
    at = f"/connectors/{made['slug']}"
    return [
        (need["kind"], need["mend"])
        for need in api.get("/api/needs").json["needs"]
        if need["page"].startswith(at)
    ]


def test_what_needs_attention_is_listed_with_what_each_person_can_do_about_it(
    api: Api,
    connect: Connect,
    erpnext_sandbox: Any,
    finished: Callable[[list[int]], list[Any]],
    running_hub: RunningHub,
) -> None:
    made = connect()
    assert told(api, made) == []
    erpnext_sandbox.faults.add("revoked")
    try:
        finished(api.post("/api/connectors/sync", {"connector_id": made["id"]}).json["run_ids"])
    finally:
        erpnext_sandbox.faults.clear()
    assert told(api, made) == [("refused", "Mend the credentials")]
    assert told(running_hub.somebody("editor"), made) == [("refused", None)]


def test_an_api_secret_that_is_old_is_recalled_to_who_may_renew_it_until_it_is_renewed(
    api: Api,
    connect: Connect,
    erpnext_sandbox: Any,
    running_hub: RunningHub,
) -> None:
    made = connect()
    age(running_hub, made, days=364)
    assert told(api, made) == []
    age(running_hub, made, days=366)
    assert told(api, made) == [("expiring", "Renew the secret")]
    assert told(running_hub.somebody("editor"), made) == []
    at = f"/api/connectors/{made['slug']}"
    assert api.patch(at, {"lookback_days": 90}).status == 200
    assert told(api, made) == [("expiring", "Renew the secret")]
    renewed = {"api_key": erpnext_sandbox.api_key, "api_secret": erpnext_sandbox.api_secret}
    assert api.patch(at, renewed).status == 200
    assert told(api, made) == []


def age(running_hub: RunningHub, made: Any, days: int) -> None:
    """As if the API secret had been given so long ago."""
    vault = running_hub.hub.vault
    key = base64.urlsafe_b64encode(hashlib.sha256(vault.newest.encode()).digest())
    given = int(time.time()) - days * 86_400
    old = Fernet(key).encrypt_at_time(b"a secret", given).decode()
    change(
        running_hub,
        f"UPDATE bascule.connections SET api_secret_encrypted = '{old}' WHERE id = '{made['id']}'",
    )


def test_only_a_schedule_that_stood_still_is_late() -> None:
    def told(minutes: int) -> list[str]:
        due = datetime.now(UTC) - timedelta(minutes=minutes)
        return [need.kind for need in attention_of(Connection(health="ok", next_sync_at=due), [])]

    assert told(11) == ["late"]
    assert told(5) == told(-5) == []
