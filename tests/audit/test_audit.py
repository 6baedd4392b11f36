"""Who did what, when, from where: for admins, without others' private connections."""

import csv
import io
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import update

from bascule.accounts.tables import User
from bascule.accounts.tokens import issue_token
from bascule.audit import entries
from bascule.connections.tables import Connection
from bascule.events import live
from tests.api.listener import Listener, Told
from tests.kit.api import Api
from tests.kit.hub import RunningHub


@pytest.fixture
def somebody(running_hub: RunningHub) -> Callable[[str], tuple[Api, int]]:
    """A new user with this role: who asks, and their id."""

    def make(role: str) -> tuple[Api, int]:
        async def make_user() -> tuple[str, int]:
            async with running_hub.hub.db.session() as session:
                user = User(username=f"{role}-{uuid4().hex[:8]}", role=role)
                session.add(user)
                await session.flush()
                return await issue_token(session, "tests", user), user.id

        token, number = running_hub.run(make_user())
        return Api(running_hub.url, token), number

    return make


def make_private(running_hub: RunningHub, connector: str, owner: int) -> None:
    async def change() -> None:
        async with running_hub.hub.db.session() as session:
            await session.execute(
                update(Connection)
                .where(Connection.id == connector)
                .values(shared=False, owner_id=owner)
            )

    running_hub.run(change())


def test_what_changes_something_is_in_the_journal_before_its_answer(
    api: Api, connect: Callable[..., Any]
) -> None:
    shop = connect()
    changed = api.patch(f"/api/connectors/{shop['slug']}", {"lookback_days": 12})
    assert changed.status == 200
    entry = api.get("/api/audit", limit=1).json["entries"][0]
    assert entry["action"] == "change_connector"
    assert entry["object"] == shop["slug"]
    assert entry["connection_id"] == shop["id"]
    assert entry["via"] == "token"
    assert entry["address"] == "127.0.0.1"
    assert entry["username"] == "admin"
    assert entry["detail"] == {
        "method": "PATCH",
        "route": "/api/connectors/{connector}",
        "status": 200,
        "changed": {"lookback_days": [90, 12]},
    }


def test_values_are_told_as_they_were_and_are_and_secrets_only_that_they_are_others(
    api: Api, connect: Callable[..., Any], erpnext_sandbox: Any
) -> None:
    shop = connect()
    slug = shop["slug"]

    def changed() -> Any:
        return api.get("/api/audit", limit=1).json["entries"][0]["detail"].get("changed")

    secret = {"api_secret": erpnext_sandbox.api_secret, "schedule": "weekly", "name": "Shop 2"}
    assert api.patch(f"/api/connectors/{slug}", secret).status == 200
    told = changed()
    assert told["schedule"][1] == "weekly"
    assert told["name"][1] == "Shop 2"
    assert erpnext_sandbox.api_secret not in json.dumps(told)
    assert told["api_secret_encrypted"] == "is another one now"
    filters = [["disabled", "=", 0]]
    assert api.patch(f"/api/connectors/{slug}/streams/Item", {"filters": filters}).status == 200
    assert changed() == {"Item filters": [[], filters]}
    assert api.patch(f"/api/connectors/{slug}", {"lookback_days": -1}).status == 422
    assert changed() is None


def test_a_run_tells_who_asked_for_it(
    api: Api, running_hub: RunningHub, connect: Callable[..., Any]
) -> None:
    shop = connect()
    asked = {"connector_id": shop["slug"], "streams": ["Warehouse"], "wait": 60}
    [run] = api.post("/api/connectors/sync", asked).json["runs"]
    assert (run["trigger"], run["asked_by"]) == ("api", "admin")


def test_every_route_that_may_change_something_leaves_a_row(
    api: Api, connect: Callable[..., Any]
) -> None:
    """Whatever it is asked and however it ends; the journal is no route's own business."""
    shop = connect()
    paths = api.get("/openapi.json").json["paths"]
    unsafe = [
        (method.upper(), path)
        for path, methods in paths.items()
        for method in methods
        if method not in ("get", "head") and "/auth/" not in path and "/api/connectors" in path
    ]
    assert len(unsafe) >= 8
    for method, path in unsafe:
        filled = path.replace("{connector}", shop["slug"]).replace("{stream}", "No Such DocType")
        answer = api.ask(method, filled, {"not": "taken"})
        newest = api.get("/api/audit", limit=1).json["entries"][0]
        assert newest["detail"]["method"] == method, path
        assert newest["detail"]["status"] == answer.status
        assert newest["detail"]["route"] == path


def test_reading_leaves_no_row_and_taking_a_file_does(
    api: Api, connect: Callable[..., Any], finished: Callable[[list[int]], list[Any]]
) -> None:
    made = connect()
    sync = {"connector_id": made["id"], "streams": ["Supplier"]}
    finished(api.post("/api/connectors/sync", sync).json["run_ids"])
    before = api.get("/api/audit", limit=1).json["entries"][0]["id"]
    rows = f"/api/connectors/{made['slug']}/rows/supplier"
    assert api.get(rows).status == api.get("/api/connectors").status == 200
    assert api.get("/api/audit", limit=1).json["entries"][0]["id"] == before
    assert api.get("/api/audit.csv", action="nothing").status == 200
    newest = api.get("/api/audit", limit=1).json["entries"][0]
    assert newest["action"] == "audit_csv"
    assert api.get(f"{rows}.csv").status == 200
    newest = api.get("/api/audit", limit=1).json["entries"][0]
    assert (newest["action"], newest["object"]) == ("file_of_rows", made["slug"])


def test_no_secret_and_no_body_gets_into_the_journal(
    api: Api, connect: Callable[..., Any], erpnext_sandbox: Any
) -> None:
    connect()
    every = api.get("/api/audit.csv").body.decode()
    assert "set_up_erpnext" in every
    assert erpnext_sandbox.api_secret not in every
    assert erpnext_sandbox.api_key not in every


def test_the_journal_is_read_page_by_page_and_filtered(
    api: Api, connect: Callable[..., Any]
) -> None:
    shop = connect()
    for days in (3, 4, 5):
        api.patch(f"/api/connectors/{shop['slug']}", {"lookback_days": days})
    mine = {"connection": shop["slug"], "action": "change_connector"}
    first = api.get("/api/audit", limit=2, **mine).json
    assert len(first["entries"]) == 2
    second = api.get("/api/audit", limit=2, before=first["next"], **mine).json
    assert len(second["entries"]) == 1
    assert second["next"] is None
    ids = [entry["id"] for page in (first, second) for entry in page["entries"]]
    assert ids == sorted(ids, reverse=True)
    by_id = api.get("/api/audit", connection=shop["id"], action="change_connector").json
    assert [entry["id"] for entry in by_id["entries"]] == ids
    nothings: list[dict[str, Any]] = [
        {"user": "nobody"},
        {"until": "2020-01-01T00:00:00Z"},
        {"since": (datetime.now(UTC) + timedelta(hours=1)).isoformat()},
        {"action": "change"},
        {"connection": "no_such"},
        {"user": "\0"},
    ]
    for nothing in nothings:
        assert api.get("/api/audit", **nothing).json["entries"] == [], nothing
    assert api.get("/api/audit", since="yesterday").status == 422
    assert api.get("/api/audit", since="2020-01-01T00:00:00").status == 422


def test_the_file_says_what_the_pages_say(api: Api, connect: Callable[..., Any]) -> None:
    shop = connect()
    api.patch(f"/api/connectors/{shop['slug']}", {"lookback_days": 3})
    page = api.get("/api/audit", connection=shop["slug"]).json["entries"]
    file = api.get("/api/audit.csv", connection=shop["slug"])
    assert file.headers["content-type"].startswith("text/csv")
    assert "attachment" in file.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(file.body.decode())))
    assert [int(row["id"]) for row in rows] == [entry["id"] for entry in page]
    assert [json.loads(row["detail"]) for row in rows] == [entry["detail"] for entry in page]


def test_a_cell_that_a_spreadsheet_would_run_is_only_text(
    running_hub: RunningHub, api: Api
) -> None:
    objects = ['=HYPERLINK("http://evil")', "\n=1", "＝1+1", "+1-800-555-0199", "-5", "a-b"]

    async def done() -> None:
        async with running_hub.hub.db.session() as session:
            for one in objects:
                await entries.record(session, action="odd", object=one)

    running_hub.run(done())
    file = io.StringIO(api.get("/api/audit.csv", action="odd").body.decode(), newline="")
    cells = [row["object"] for row in csv.DictReader(file)]
    assert sorted(cells) == sorted([f"'{one}" for one in objects[:4]] + objects[4:])


def test_only_admins_read_the_journal(somebody: Callable[[str], tuple[Api, int]]) -> None:
    for role in ("viewer", "editor"):
        asking, _ = somebody(role)
        for path in ("/api/audit", "/api/audit.csv"):
            assert asking.get(path).status == 403
    assert somebody("admin")[0].get("/api/audit").status == 200


def test_what_concerns_a_private_connection_is_its_owners_alone(
    running_hub: RunningHub,
    api: Api,
    connect: Callable[..., Any],
    somebody: Callable[[str], tuple[Api, int]],
) -> None:
    owner, owner_id = somebody("admin")
    shop = connect(name="Hidden treasure")
    make_private(running_hub, shop["id"], owner_id)
    assert owner.patch(f"/api/connectors/{shop['slug']}", {"lookback_days": 3}).status == 200
    told = json.dumps(owner.get("/api/audit").json)
    assert shop["id"] in told
    for other in (api, somebody("admin")[0]):
        assert shop["id"] not in json.dumps(other.get("/api/audit", limit=500).json)
        assert shop["slug"] not in other.get("/api/audit.csv").body.decode()
        assert other.get("/api/audit", connection=shop["slug"]).json["entries"] == []
    # Also when it is gone, and nothing tells any more whose it was.
    assert owner.delete(f"/api/connectors/{shop['slug']}").status == 200
    mine = owner.get("/api/audit", action="delete_connector", connection=shop["id"]).json
    assert len(mine["entries"]) == 1
    assert shop["id"] not in json.dumps(api.get("/api/audit", limit=500).json)


def test_events_of_a_private_connection_are_its_owners_alone(
    running_hub: RunningHub,
    api: Api,
    connect: Callable[..., Any],
    somebody: Callable[[str], tuple[Api, int]],
) -> None:
    owner, owner_id = somebody("editor")
    shop = connect()
    start = running_hub.run(_position(running_hub))
    make_private(running_hub, shop["id"], owner_id)
    with (
        Listener(running_hub.url, owner.token or "") as hers,
        Listener(running_hub.url, api.token or "") as others,
    ):
        assert owner.patch(f"/api/connectors/{shop['slug']}", {"lookback_days": 3}).status == 200
        visible = connect()
        for browser in (hers, others):
            browser.hears(lambda t: t.data.get("connection_id") == visible["id"])
        hers.hears(lambda t: t.data.get("connection_id") == shop["id"])
        assert all(t.data.get("connection_id") != shop["id"] for t in others.told)
    # Nor from the kept ones, by asking for what was missed.
    with Listener(running_hub.url, api.token or "", f"/api/events?after={start}") as late:
        late.hears(lambda t: t.data.get("connection_id") == visible["id"])
        assert all(t.data.get("connection_id") != shop["id"] for t in late.told)
    assert owner.delete(f"/api/connectors/{shop['slug']}").status == 200


async def _position(running_hub: RunningHub) -> int:
    async with running_hub.hub.db.connection() as conn:
        return await live.position(conn)


def test_only_admins_hear_of_the_journal_and_of_other_people(
    running_hub: RunningHub, api: Api, somebody: Callable[[str], tuple[Api, int]]
) -> None:
    viewer, viewer_id = somebody("viewer")

    async def tell() -> None:
        async with running_hub.hub.db.connection() as conn:
            await live.publish(conn, "user", user_id=viewer_id + 1000, change="role")
            await live.publish(conn, "audit", audit_id=1)
            await live.publish(conn, "user", user_id=viewer_id, change="name")

    with (
        Listener(running_hub.url, viewer.token or "") as theirs,
        Listener(running_hub.url, api.token or "") as admins,
    ):
        running_hub.run(tell())
        theirs.hears(lambda t: t.data.get("change") == "name")
        admins.hears(lambda t: t.data.get("change") == "name")
        assert [t.kind for t in news(theirs)] == ["user"]
        assert {"audit", "user"} <= {t.kind for t in admins.told}


def test_a_stream_ends_with_its_users_right_to_be_there(
    running_hub: RunningHub, somebody: Callable[[str], tuple[Api, int]]
) -> None:
    viewer, viewer_id = somebody("viewer")

    async def deactivate() -> None:
        async with running_hub.hub.db.session() as session:
            await session.execute(update(User).where(User.id == viewer_id).values(active=False))
            await live.publish(session, "user", user_id=viewer_id, change="deactivated")

    with Listener(running_hub.url, viewer.token or "") as browser:
        running_hub.run(deactivate())
        assert browser.ended.wait(30)
        assert news(browser) == []


def news(listener: Listener) -> list[Told]:
    """But for the token that the listener was given, which may be told late."""
    return [told for told in listener.told if told.data.get("change") != "tokens"]


async def test_what_is_old_is_forgotten(hub: Any) -> None:
    async with hub.db.session() as session:
        for _ in range(3):
            await entries.record(session, action="tried")
            await live.publish(session, "user", user_id=1)
    async with hub.db.connection() as conn:
        await conn.execute("UPDATE bascule.audit SET at = now() - interval '401 days' WHERE id > 1")
        await conn.execute("UPDATE bascule.events SET at = now() - interval '2 hours'")
        await entries.forget_old(conn)
        await live.forget_old(conn)
        for name in ("audit", "events"):
            left = await (await conn.execute(f"SELECT count(*) FROM bascule.{name}")).fetchone()
            assert left == (1,), name
