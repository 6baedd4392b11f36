"""Connectors over HTTP: set up, listed, changed, tested, deleted; and their secrets never seen."""

import socket
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from tests.kit.api import Api
from tests.kit.connecting import NOWHERE, SETUP, try_to_connect, way_in
from tests.kit.hub import RunningHub

Connect = Callable[..., Any]


def test_a_site_is_connected_and_says_who_the_hub_is_there(connect: Connect) -> None:
    made = connect(name="Acme Trading B.V.")
    assert made["slug"].startswith("acme_trading_b_v")
    assert made["health"] == "ok"
    assert made["check"]["ok"] is True
    assert "@" in made["site_user"]
    assert made["versions"]["erpnext"].startswith("15.")
    assert made["time_zone"]
    assert made["check"]["readable"]["Item"] is True
    assert made["api_secret_set"] is True


def test_a_new_connection_is_minutes_old_at_most_unless_told_otherwise(
    api: Api, connect: Connect, erpnext_sandbox: Any
) -> None:
    answer = api.post(SETUP, way_in(erpnext_sandbox) | {"start_sync": False})
    assert answer.status == 201, answer.body
    try:
        assert answer.json["schedule"] == "every 15 minutes"
    finally:
        assert api.delete(f"/api/connectors/{answer.json['slug']}").status == 200
    other = connect(schedule="monthly at 6:30 europe/amsterdam")
    assert other["schedule"] == "monthly at 06:30 Europe/Amsterdam"


def test_a_test_asks_for_what_is_mirrored(api: Api, connect: Connect, erpnext_sandbox: Any) -> None:
    reader = erpnext_sandbox.users["readonly"]
    made = connect(
        api_key=reader.api_key, api_secret=reader.api_secret, streams=["orders", "inventory"]
    )
    path = f"/api/connectors/{made['slug']}"
    assert made["left_off"] == ["Item Price", "Warehouse"]
    assert api.post(f"{path}/test").json["missing"] == []
    assert api.post(f"{path}/streams", {"doctype": "inventory"}).status == 201
    assert api.post(f"{path}/test").json["missing"] == ["Item Price", "Warehouse"]
    for doctype in ("Item Price", "Warehouse"):
        assert api.patch(f"{path}/streams/{doctype}", {"enabled": False}).status == 200
    said = api.post(f"{path}/test").json
    assert (said["ok"], sorted(said["readable"])) == (True, ["Bin", "Item", "Sales Order"])
    assert api.get(path).json["health_detail"] is None


def test_doctypes_are_streams_by_their_own_names_also_those_of_a_preset(
    api: Api, connect: Connect
) -> None:
    made = connect(streams=["Warehouse", "suppliers", "Brand"])
    streams = api.get(f"/api/connectors/{made['slug']}/streams").json["streams"]
    assert {stream["doctype"] for stream in streams} == {"Warehouse", "Supplier", "Brand"}


def test_the_name_may_be_left_out(api: Api, connect: Connect) -> None:
    made = connect(name=None)
    assert made["name"].startswith("127.0.0.1")
    assert api.get(f"/api/connectors/{made['slug']}").json["id"] == made["id"]


def test_no_answer_holds_a_secret(
    api: Api, connect: Connect, erpnext_sandbox: Any, running_hub: RunningHub
) -> None:
    made = connect()
    wrong = try_to_connect(api, erpnext_sandbox, api_secret="wr0ng-s3cret-value")
    paths = ["", f"/{made['id']}", "/status", f"/{made['slug']}/streams", f"/{made['id']}/runs"]
    said = b"".join(api.get(f"/api/connectors{path}").body for path in paths) + wrong.body
    assert erpnext_sandbox.api_secret.encode() not in said
    assert erpnext_sandbox.api_key.encode() not in said
    assert b"wr0ng-s3cret-value" not in said

    async def stored() -> str:
        async with running_hub.hub.db.connection() as conn:
            rows = await (await conn.execute("SELECT * FROM bascule.connections")).fetchall()
            return str(rows)

    assert erpnext_sandbox.api_secret not in running_hub.run(stored())


def test_wrong_credentials_are_told_and_nothing_is_saved(api: Api, erpnext_sandbox: Any) -> None:
    name = f"Wrong {uuid4().hex[:8]}"
    answer = try_to_connect(api, erpnext_sandbox, api_secret="not-the-secret", name=name)
    assert answer.status == 400
    assert answer.json["check"]["health"] == "refused"
    assert answer.json["next_step"]
    assert name not in api.get("/api/connectors").body.decode()


def test_a_site_that_is_not_there_is_told(api: Api) -> None:
    answer = api.post(SETUP, NOWHERE)
    assert answer.status == 400
    assert answer.json["check"]["health"] == "down"


def test_a_site_may_be_connected_unseen(connect: Connect) -> None:
    made = connect(api_url="http://127.0.0.1:1", test_connection=False)
    assert made["health"] == "unknown"
    assert made["check"] is None


def test_a_user_of_few_rights_is_connected_and_told_what_is_missing(
    connect: Connect, erpnext_sandbox: Any
) -> None:
    reader = erpnext_sandbox.users["readonly"]
    made = connect(api_key=reader.api_key, api_secret=reader.api_secret)
    assert made["health"] == "ok"
    assert made["check"]["ok"] is False
    assert made["check"]["readable"]["Sales Order"] is True
    assert "Item Price" in made["check"]["missing"]
    assert all(problem["next_step"] for problem in made["check"]["problems"])


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"api_url": "http://erp.example.com"}, "api_url"),
        ({"api_url": ""}, "api_url"),
        ({"api_key": "  "}, "api_key"),
        ({"api_secret": ""}, "api_secret"),
        ({"lookback_days": 0}, "lookback_days"),
        ({"lookback_days": 10**30}, "lookback_days"),
        ({"schedule": "yearly"}, "schedule"),
        ({"slug": "pg_mine"}, "slug"),
        ({"slug": "a\x00b"}, "slug"),
        ({"name": "a\x00b"}, "name"),
        ({"warehouse_filter": ["a\x00b"]}, "warehouse_filter"),
        ({"ca_bundle": "/nowhere/at/all.pem"}, "ca_bundle"),
        ({"unknown_setting": 1}, "unknown_setting"),
        ({"sync_orders": "perhaps"}, "sync_orders"),
        ({"api_url": None}, "api_url"),
    ],
)
def test_what_cannot_be_taken_is_named(
    api: Api, erpnext_sandbox: Any, wrong: dict[str, Any], field: str
) -> None:
    answer = try_to_connect(api, erpnext_sandbox, **wrong)
    assert answer.status == 422, answer.body
    assert field in answer.json["fields"]
    assert isinstance(answer.json["detail"], str)
    assert answer.json["next_step"]


def test_a_slug_is_made_of_the_name_and_never_twice(connect: Connect) -> None:
    name = f"Twin {uuid4().hex[:6]}"
    first, second = connect(name=name), connect(name=name)
    assert second["slug"] == f"{first['slug']}_2"


@pytest.mark.parametrize("slug", ["select", "bascule"])
def test_a_slug_that_is_spoken_for_is_refused(api: Api, erpnext_sandbox: Any, slug: str) -> None:
    assert try_to_connect(api, erpnext_sandbox, slug=slug).status in (409, 422)


def test_a_schema_that_is_somebody_s_is_never_taken(
    api: Api, connect: Connect, erpnext_sandbox: Any, running_hub: RunningHub
) -> None:
    theirs = f"theirs_{uuid4().hex[:8]}"

    async def make() -> None:
        async with running_hub.hub.db.connection() as conn:
            await conn.execute(f"CREATE SCHEMA {theirs}")

    running_hub.run(make())
    taken = try_to_connect(api, erpnext_sandbox, slug=theirs)
    assert taken.status == 409
    assert connect(name=theirs)["slug"] == f"{theirs}_2"


def test_a_change_leaves_the_rest_and_the_secret(api: Api, connect: Connect) -> None:
    made = connect()
    answer = api.patch(f"/api/connectors/{made['id']}", {"lookback_days": 180, "name": "Renamed"})
    assert answer.status == 200, answer.body
    same = made.keys() - {"lookback_days", "name", "updated_at", "check", "run_ids"}
    assert {key: answer.json[key] for key in same} == {key: made[key] for key in same}
    assert (answer.json["lookback_days"], answer.json["name"]) == (180, "Renamed")
    assert api.post(f"/api/connectors/{made['id']}/test").json["ok"] is True


def test_a_change_of_the_schedule_plans_anew(api: Api, connect: Connect) -> None:
    made = connect()
    assert made["next_sync_at"] is None
    hourly = api.patch(f"/api/connectors/{made['id']}", {"frequency": "hourly"}).json
    assert ":00:00" in hourly["next_sync_at"]
    assert hourly["next_verify_at"] is not None
    manual = api.patch(f"/api/connectors/{made['id']}", {"schedule": "manual"}).json
    assert (manual["next_sync_at"], manual["next_verify_at"]) == (None, None)


def test_a_changed_way_in_is_tried_before_it_is_kept(api: Api, connect: Connect) -> None:
    made = connect()
    path = f"/api/connectors/{made['id']}"
    assert api.patch(path, {"api_secret": "not-the-secret"}).status == 400
    assert api.post(f"{path}/test").json["ok"] is True
    assert api.patch(path, {"api_secret": ""}).status == 422
    elsewhere = {"api_url": "http://127.0.0.1:1", "api_key": "k", "api_secret": "s"}
    assert api.patch(path, elsewhere).status == 400
    assert api.get(path).json["api_url"] == made["api_url"]
    unseen = {"api_secret": "not-the-secret", "test_connection": False}
    assert api.patch(path, unseen).status == 200
    tried = api.post(f"{path}/test")
    assert (tried.status, tried.json["health"]) == (200, "refused")
    assert api.get(path).json["health"] == "refused"
    assert api.get(path).json["health_detail"]


def test_another_address_never_gets_the_secret_of_the_one_before(
    api: Api, connect: Connect, erpnext_sandbox: Any
) -> None:
    made = connect()
    path = f"/api/connectors/{made['id']}"
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(1)
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        for more in ({}, {"api_key": "k"}, {"api_secret": "s"}, {"test_connection": False}):
            answer = api.patch(path, {"api_url": address, **more})
            assert answer.status == 422
            wanted = {"api_key", "api_secret"} - more.keys()
            assert answer.json["fields"].keys() == wanted
            assert "API key and the API secret" in answer.json["next_step"]
        with pytest.raises(TimeoutError):
            listening.accept()
    assert api.get(path).json["api_url"] == made["api_url"]
    again = {"api_url": f"{erpnext_sandbox.url}/app/item"}  # the same address, as it was copied
    assert api.patch(path, again).status == 200


def test_a_connection_moves_to_another_address_with_credentials_for_it(
    api: Api, connect: Connect, erpnext_sandbox: Any
) -> None:
    made = connect()
    address = erpnext_sandbox.url.replace("127.0.0.1", "localhost")
    moved = way_in(erpnext_sandbox) | {"api_url": address}
    answer = api.patch(f"/api/connectors/{made['id']}", moved)
    assert (answer.status, answer.json["api_url"]) == (200, address)


def test_the_slug_stays(api: Api, connect: Connect) -> None:
    made = connect()
    answer = api.patch(f"/api/connectors/{made['id']}", {"slug": "another"})
    assert answer.status == 422
    assert "slug" in answer.json["fields"]


def test_a_switch_turns_its_streams_on_and_off(api: Api, connect: Connect) -> None:
    made = connect(sync_suppliers=False)
    path = f"/api/connectors/{made['id']}"

    def on() -> dict[str, bool]:
        streams = api.get(f"{path}/streams").json["streams"]
        return {stream["doctype"]: stream["enabled"] for stream in streams}

    assert "Supplier" not in on() or on()["Supplier"] is False
    api.patch(path, {"sync_suppliers": True, "sync_orders": False})
    assert on()["Supplier"] is True
    assert on()["Sales Order"] is False


def test_types_tell_a_form_what_to_ask_for(api: Api) -> None:
    answer = api.get("/api/connectors/types").json
    [erpnext] = [kind for kind in answer["types"] if kind["available"]]
    assert erpnext["id"] == "erpnext"
    assert all(kind["coming"] for kind in answer["types"] if not kind["available"])
    assert {kind["category"] for kind in answer["types"]} <= answer["categories"].keys()
    assert any("Generate Keys" in step for step in erpnext["steps"])
    schema = api.get("/openapi.json").json["components"]["schemas"]["Setup"]
    assert {field["name"] for field in erpnext["fields"]} <= schema["properties"].keys()
    assert {f["name"] for f in erpnext["fields"] if f["required"]} == set(schema["required"])
    assert all(field["help"] for field in erpnext["fields"])


@pytest.mark.parametrize(
    "name",
    [
        "0b7c2a5e-3f1d-4e58-9a53-6b1f0c9d2e47",
        "nobody",
        "a" * 100,
        "a" * 101,
        "'; drop table x",
        "%00",
        "%ff",
        "..",
        "-1",
        "1e999",
    ],
)
def test_a_connector_that_is_not_there_is_told(api: Api, name: str) -> None:
    for method in ("GET", "DELETE"):
        answer = api.ask(method, f"/api/connectors/{name}/".rstrip("/"))
        assert 400 <= answer.status < 500, (method, answer.body)
        assert set(answer.json) >= {"detail", "next_step"}
