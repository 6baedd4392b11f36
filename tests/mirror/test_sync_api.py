"""Sync, status, streams, runs, logs, verify, and the end of a connector, over HTTP."""

from collections.abc import Callable
from typing import Any

from tests.kit.api import Api
from tests.kit.hub import RunningHub

Connect = Callable[..., Any]


def test_a_site_is_set_up_synced_and_seen(
    api: Api, connect: Connect, finished: Callable[[list[int]], list[Any]]
) -> None:
    made = connect(start_sync=True)
    runs = finished(made["run_ids"])
    assert {run["outcome"] for run in runs} == {"done"}, runs
    assert {"Item", "Bin", "Sales Order", "Supplier"} <= {run["doctype"] for run in runs}
    [status] = [
        one
        for one in api.get("/api/connectors/status").json["connectors"]
        if one["connector_id"] == made["id"]
    ]
    assert status["status"] == "ok"
    assert status["last_sync_at"]
    assert status["record_counts"]["Item"] > 0
    assert status["records"] == sum(status["record_counts"].values())
    assert status["problems"] == []


def test_a_sync_may_be_waited_for_and_be_of_some_streams(api: Api, connect: Connect) -> None:
    made = connect()
    body = {"connector_id": made["slug"], "streams": ["suppliers", "Item"], "wait": 120}
    answer = api.post("/api/connectors/sync", body)
    assert answer.status == 202
    assert answer.json["finished"] is True
    assert {run["doctype"] for run in answer.json["runs"]} == {"Supplier", "Item"}
    assert {run["trigger"] for run in answer.json["runs"]} == {"api"}


def test_the_log_of_a_run_tells_the_sites_sql_where_that_was_asked_for(
    api: Api, connect: Connect
) -> None:
    slug = connect()["slug"]

    def said(path: str, **body: Any) -> list[str]:
        answer = api.post(path, {"streams": ["Supplier", "Customer"], "wait": 120, **body}).json
        assert {run["outcome"] for run in answer["runs"]} == {"done"}, answer
        logs = [api.get(f"/api/runs/{one}/logs").json["lines"] for one in answer["run_ids"]]
        return [line["message"] for lines in logs for line in lines]

    sync, verify = "/api/connectors/sync", f"/api/connectors/{slug}/verify"
    told = said(sync, connector_id=slug, debug=True)  # the first pull
    assert any(
        line.startswith("The site ran in ") and "`tabSupplier`" in line and "select" in line
        for line in told
    ), told
    assert any("`tabCustomer`" in line for line in told)
    for quiet in (said(sync, connector_id=slug), said(verify)):
        assert quiet and not any(line.startswith("The site ran") for line in quiet)
    # What is looked at together is, for this, looked at one by one.
    assert any("`tabSupplier`" in line for line in said(sync, connector_id=slug, debug=True))
    assert any("`tabSupplier`" in line for line in said(verify, debug=True))


def test_a_sync_of_nothing_in_particular_is_of_every_connector(api: Api, connect: Connect) -> None:
    made = [connect(), connect()]
    answer = api.ask("POST", "/api/connectors/sync")
    assert answer.status == 202
    assert {one["id"] for one in made} <= {run["connection_id"] for run in answer.json["runs"]}


def test_runs_are_paged_and_tell_what_they_did(api: Api, connect: Connect) -> None:
    made = connect()
    path = f"/api/connectors/{made['id']}/runs"
    for _ in range(3):
        body = {"connector_id": made["id"], "streams": ["Supplier"], "wait": 120}
        assert api.post("/api/connectors/sync", body).json["finished"] is True
    everything = [run["id"] for run in api.get(path).json["runs"]]
    assert len(everything) == 3
    assert everything == sorted(everything, reverse=True)
    first = api.get(path, limit=2).json
    rest = api.get(path, limit=2, before=first["next"]).json
    assert [run["id"] for run in first["runs"] + rest["runs"]] == everything
    assert rest["next"] is None

    logs = api.get(f"/api/runs/{everything[0]}/logs").json
    assert logs["finished"] is True
    assert logs["lines"]
    again = api.get(f"/api/runs/{everything[0]}/logs", after=logs["after"]).json
    assert again["lines"] == []
    assert again["after"] == logs["after"]


def test_a_stream_is_added_changed_and_taken_away(api: Api, connect: Connect) -> None:
    made = connect()
    path = f"/api/connectors/{made['id']}/streams"
    added = api.post(path, {"doctype": "Warehouse"})
    assert added.status == 201, added.body
    assert [stream["table_name"] for stream in added.json["streams"]] == ["warehouse"]

    change = {"enabled": False, "filters": [["disabled", "=", 0]], "omit": ["email_id"]}
    changed = api.patch(f"{path}/Warehouse", change)
    assert changed.status == 200, changed.body
    assert {key: changed.json[key] for key in change} == change
    assert api.patch(f"{path}/warehouse", {"enabled": True}).json["filters"] == change["filters"]

    assert api.delete(f"{path}/Warehouse").status == 200
    assert api.delete(f"{path}/Warehouse").status == 404
    assert api.patch(f"{path}/Sales Order", {"rename": {"status": "state"}}).status == 200


def test_a_doctype_that_the_site_does_not_have_is_told(api: Api, connect: Connect) -> None:
    made = connect()
    path = f"/api/connectors/{made['id']}"
    answer = api.post(f"{path}/streams", {"doctype": "No Such Thing"})
    assert answer.status == 422
    assert "No Such Thing" in answer.json["fields"]["doctype"]
    assert answer.json["next_step"]
    names = [stream["doctype"] for stream in api.get(f"{path}/streams").json["streams"]]
    assert "No Such Thing" not in names


def test_verify_proves_the_mirror_equal(api: Api, connect: Connect) -> None:
    made = connect()
    body = {"connector_id": made["id"], "streams": ["Supplier"], "wait": 120}
    api.post("/api/connectors/sync", body)
    answer = api.post(
        f"/api/connectors/{made['id']}/verify", {"streams": ["Supplier"], "wait": 120}
    )
    assert answer.status == 202
    [run] = answer.json["runs"]
    assert (run["kind"], run["outcome"]) == ("verify", "done")
    mended = api.post(
        f"/api/connectors/{made['id']}/verify",
        {"streams": ["Supplier"], "repair": True, "wait": 120},
    )
    assert [run["kind"] for run in mended.json["runs"]] == ["repair"]


def tables_of(running_hub: RunningHub, schema: str) -> set[str]:
    async def look() -> set[str]:
        async with running_hub.hub.db.connection() as conn:
            found = await conn.execute(
                "SELECT table_name FROM information_schema.tables WHERE table_schema = %s"
                " AND table_type = 'BASE TABLE'",
                [schema],
            )
            return {name for (name,) in await found.fetchall()}

    found: set[str] = running_hub.run(look())
    return found


def test_a_deleted_connector_takes_its_mirror_along_and_says_so(
    api: Api, connect: Connect, running_hub: RunningHub
) -> None:
    made = connect()
    body = {"connector_id": made["id"], "streams": ["Item", "Supplier"], "wait": 120}
    run_ids = api.post("/api/connectors/sync", body).json["run_ids"]
    assert tables_of(running_hub, made["slug"])
    gone = api.delete(f"/api/connectors/{made['slug']}")
    assert gone.status == 200
    assert gone.json["schema_dropped"] is True
    assert {"item", "supplier"} <= set(gone.json["tables"])
    assert tables_of(running_hub, made["slug"]) == set()
    assert api.get(f"/api/connectors/{made['id']}").status == 404
    assert api.get(f"/api/runs/{run_ids[0]}").status == 404


def test_a_mirror_may_be_kept_and_is_never_taken_over(
    api: Api, connect: Connect, running_hub: RunningHub
) -> None:
    made = connect()
    body = {"connector_id": made["id"], "streams": ["Supplier"], "wait": 120}
    api.post("/api/connectors/sync", body)
    gone = api.delete(f"/api/connectors/{made['id']}", drop_mirror="false").json
    assert gone["schema_dropped"] is False
    assert "supplier" in tables_of(running_hub, made["slug"])
    assert connect(name=made["name"])["slug"] != made["slug"]


def test_a_connector_is_deleted_while_it_is_pulled(
    api: Api, connect: Connect, running_hub: RunningHub
) -> None:
    for _ in range(5):
        made = connect(start_sync=True)
        gone = api.delete(f"/api/connectors/{made['id']}")
        assert gone.status == 200, gone.body
        assert tables_of(running_hub, made["slug"]) == set()
    assert api.get("/health").json["status"] == "ok"
