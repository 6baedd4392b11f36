"""What changes in ERPNext without moving a time of change, and a site restored from an older state:
the one is found, and nothing of the other is taken in silence.
"""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from bascule.sandbox import SandboxThread
from tests.kit.api import Api
from tests.kit.site import Erp
from tests.kit.waiting import until
from tests.sync.conftest import sync_now

SHOP = {"name": "Shop & Sons", "customerGroup": "Consumers", "email": "shop@example.com"}
AT = {"address": "Markt 1", "city": "Delft", "country": "Netherlands"}


class Database:
    """The site's own database, for what reaches it past the application."""

    def __init__(self, thread: SandboxThread, running: Any) -> None:
        self.thread, self.tables = thread, running.site.tables

    def run(self, statement: str, *values: Any) -> list[Any]:
        async def ran() -> list[Any]:
            return list(self.tables.run(statement, values).fetchall())

        loop = self.thread._loop
        assert loop is not None
        return asyncio.run_coroutine_threadsafe(ran(), loop).result(60)

    def rows(self, doctypes: tuple[str, ...]) -> dict[str, tuple[list[str], list[Any]]]:
        """All of these tables, as a backup has them."""
        return {
            doctype: (
                [row[1] for row in self.run(f"PRAGMA table_info(`tab{doctype}`)")],
                self.run(f"SELECT * FROM `tab{doctype}`"),
            )
            for doctype in doctypes
        }

    def restore(self, backup: dict[str, tuple[list[str], list[Any]]]) -> None:
        for doctype, (columns, rows) in backup.items():
            self.run(f"DELETE FROM `tab{doctype}`")
            places = ", ".join("?" * len(columns))
            for row in rows:
                self.run(f"INSERT INTO `tab{doctype}` VALUES ({places})", *row)


@pytest.fixture
def roles() -> list[str] | None:
    """Of the hub's user; None: it may do all."""
    return None


@pytest.fixture
def thread(erpnext_snapshot: Any, roles: list[str] | None) -> SandboxThread:
    users = dict(erpnext_snapshot.users)
    if roles is not None:
        users["hub"] = {**users["hub"], "roles": roles}
    return SandboxThread(replace(erpnext_snapshot, users=users))


@pytest.fixture
def site(thread: SandboxThread) -> Iterator[Any]:
    with thread as running:
        yield running


@pytest.fixture
def database(thread: SandboxThread, site: Any) -> Database:
    return Database(thread, site)


@pytest.fixture
def made(api: Api, synced: Callable[..., Any]) -> Callable[..., Any]:
    def made(**values: Any) -> Any:
        answer = api.post("/api/customers", {**SHOP, **values})
        assert answer.status == 201, answer.body
        return synced(answer.json["id"])

    return made


def whole(api: Api) -> Any:
    told = api.post("/api/customers/sync/enhanced?wait=60&whole=true").json
    assert told["finished"] and not told["errors"], told
    return told["summary"]


def test_a_look_at_the_whole_finds_values_whose_time_of_change_did_not_move(
    api: Api, erp: Erp, database: Database, turn_on: Callable[..., str], made: Any
) -> None:
    turn_on()
    record = made(**AT)
    at = f"/api/customers/{record['id']}"
    there = erp.read("Customer", record["erpnextId"])
    group = erp.create("Customer Group", customer_group_name="Private", is_group=0)["name"]
    database.run("UPDATE `tabCustomer` SET customer_group = ?, tax_id = 'NL 9' WHERE name = ?",
                 group, there["name"])  # fmt: skip
    database.run("UPDATE `tabAddress` SET city = 'Gouda' WHERE name = ?",
                 there["customer_primary_address"])  # fmt: skip
    sync_now(api)
    summary = whole(api)
    assert (summary["updated"], summary["fetched"]) == (1, 1), "only what differs is taken in"
    record = api.get(at).json
    assert (record["customerGroup"], record["taxNumber"], record["city"]) == (
        "Private",
        "NL 9",
        "Gouda",
    )
    assert record["sync"]["state"] == "in_sync"
    assert whole(api)["fetched"] == 0


@pytest.mark.parametrize("roles", [["Sales User", "Sales Master Manager"]])
def test_the_daily_look_is_at_the_whole(
    api: Api, erp: Erp, database: Database, running_hub: Any, turn_on: Callable[..., str], made: Any
) -> None:
    """Also for a user who may not read what was deleted, so that names are compared more often."""
    turn_on(own_field=False)
    record = made()
    database.run("UPDATE `tabCustomer` SET tax_id = 'NL 9' WHERE name = ?", record["erpnextId"])
    with psycopg.connect(running_hub.settings.database_url.get_secret_value()) as conn:
        swept = "SELECT cursor->>'swept_at' FROM bascule.two_ways WHERE status = 'on'"
        [before] = conn.execute(swept).fetchall()
        conn.commit()
        sync_now(api)
        assert conn.execute(swept).fetchall() == [before], "it was no look at the whole"
        assert api.get(f"/api/customers/{record['id']}").json["taxNumber"] is None
        conn.execute(
            "UPDATE bascule.two_ways SET cursor = jsonb_set(cursor, '{swept_at}',"
            " to_jsonb((now() - interval '25 hours')::text))"
        )
    sync_now(api)
    assert api.get(f"/api/customers/{record['id']}").json["taxNumber"] == "NL 9"


def test_a_contact_that_was_renamed_is_heard_of_when_it_is_edited(
    api: Api, erp: Erp, turn_on: Callable[..., str], made: Any
) -> None:
    turn_on()
    record = made()
    old = erp.read("Customer", record["erpnextId"])["customer_primary_contact"]
    new = erp.rename("Contact", old, "Somebody Else")
    erp.change("Contact", new, email_ids=[{"email_id": "new@example.com", "is_primary": 1}])
    sync_now(api)
    record = api.get(f"/api/customers/{record['id']}").json
    assert (record["email"], record["sync"]["state"]) == ("new@example.com", "in_sync")
    edited = {"email": "ours@example.com"}
    assert api.ask("PUT", f"/api/customers/{record['id']}", edited).status == 200
    until(lambda: erp.read("Contact", new)["email_id"] == "ours@example.com")


@pytest.fixture
def restored(
    api: Api, erp: Erp, database: Database, turn_on: Callable[..., str], made: Any, synced: Any
) -> tuple[str, Any, Any]:
    """A site in the state that it had before the hub's last edit and its last create."""
    slug = turn_on()
    old = made(**AT)
    backup = database.rows(("Customer", "Address", "Contact", "Dynamic Link", "Contact Email"))
    edits = {"website": "https://new.example", "city": "Gouda"}
    assert api.ask("PUT", f"/api/customers/{old['id']}", edits).status == 200
    old = synced(old["id"])
    new = made(name="Later")
    sync_now(api)
    database.restore(backup)
    sync_now(api)
    return slug, old, new


def test_nothing_that_a_restored_site_has_is_taken_in_silence(
    api: Api, restored: tuple[str, Any, Any]
) -> None:
    slug, old, new = restored
    record = api.get(f"/api/customers/{old['id']}").json
    assert (record["website"], record["city"]) == ("https://new.example", "Gouda")
    assert record["sync"]["state"] == "conflict"
    conflicts = api.get(f"/api/customers/{old['id']}/conflicts").json["conflicts"]
    assert {one["field"]: (one["there"], one["restored"]) for one in conflicts} == {
        "website": (None, True),
        "city": ("Delft", True),
    }
    record = api.get(f"/api/customers/{new['id']}").json
    assert record["active"] is True
    assert (record["sync"]["state"], record["sync"]["remedy"]) == ("attention", "lost_there")
    answer = api.get(f"/connectors/{slug}/two-way/customers")
    page = answer.body.decode()
    assert answer.status == 200, page[-3000:]
    assert "older state" in page and "Send ours again" in page and "Take theirs" in page


def test_after_a_restore_ours_is_sent_again_for_all_at_once(
    api: Api, erp: Erp, synced: Callable[..., Any], restored: tuple[str, Any, Any]
) -> None:
    slug, old, new = restored
    at = f"/api/connectors/{slug}/two-way/customers/restored"
    assert api.post(at, {"choice": "here"}).json == {"decided": 2}
    record = synced(old["id"])
    there = erp.read("Customer", record["erpnextId"])
    assert there["website"] == "https://new.example"
    assert erp.read("Address", there["customer_primary_address"])["city"] == "Gouda"
    assert synced(new["id"])["erpnextId"] == "Later"
    assert len(erp.list("Customer", [["customer_name", "=", "Later"]])) == 1
    sync_now(api)
    assert api.post(at, {"choice": "here"}).json == {"decided": 0}


def test_after_a_restore_theirs_is_taken_for_all_at_once(
    api: Api, erp: Erp, synced: Callable[..., Any], restored: tuple[str, Any, Any]
) -> None:
    slug, old, new = restored
    at = f"/api/connectors/{slug}/two-way/customers/restored"
    assert api.post(at, {"choice": "there"}).json == {"decided": 2}
    record = synced(old["id"])
    assert (record["website"], record["city"]) == (None, "Delft")
    assert api.get(f"/api/customers/{new['id']}").json["active"] is False
    assert erp.list("Customer", [["customer_name", "=", "Later"]]) == []


def test_a_clock_that_was_set_back_is_no_restored_site(
    api: Api, erp: Erp, site: Any, turn_on: Callable[..., str], made: Any
) -> None:
    turn_on()
    record = made()
    site.faults.add("clock_back", seconds=3600)
    erp.change("Customer", record["erpnextId"], website="https://theirs.example")
    sync_now(api)
    record = api.get(f"/api/customers/{record['id']}").json
    assert (record["website"], record["sync"]["state"]) == ("https://theirs.example", "in_sync")
