"""Creates whose fate nobody knows, and that are given up or deleted before it is known."""

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from tests.kit.api import Api
from tests.kit.database import FreshSettings
from tests.kit.hub import RunningHub
from tests.kit.site import Erp
from tests.kit.waiting import until
from tests.sync.both_sides import There, Workers
from tests.sync.conftest import sync_now

NEW = {"name": "Late & Later BV", "customerGroup": "Consumers", "website": "https://a.example"}
THAT_ONE = [["customer_name", "=", NEW["name"]]]
CREATES = {"method": "POST", "path": "/api/resource/Customer"}
HELD = {"seconds": 100, "times": 1}  # by the site, until a test lets go of it
SETTLED = {"BASCULE_SETTLE_SECONDS": "200"}

Shop = Callable[..., tuple[Api, There, Workers]]


def sync_of(api: Api, number: int) -> Any:
    return api.get(f"/api/customers/{number}").json["sync"]


def of_that_name(api: Api) -> list[Any]:
    found = api.get("/api/customers", limit=500).json["records"]
    return [one for one in found if one["name"] == NEW["name"]]


def retry_until_settled(api: Api, number: int) -> str:
    """What becomes of it when the site answers again."""

    def settled() -> Any:
        api.post("/api/customers/retry")
        state = sync_of(api, number)["state"]
        return state if state not in ("sending", "waiting") else None

    return str(until(settled))


@pytest.fixture
def running_hub(fresh_settings: FreshSettings) -> Iterator[RunningHub]:
    with fresh_settings(settle_seconds=2) as settings, RunningHub(settings) as running:
        yield running


@pytest.fixture
def refused_while_the_first_is_under_way(shop: Shop) -> tuple[Api, There, int, Any]:
    """A create whose worker was killed while the site had it, and whose second try was refused; the
    fault that holds it.
    """
    api, there, workers = shop(own_field=True, **SETTLED)
    held = there.running.faults.add("late_commit", **HELD, **CREATES)
    number = int(api.post("/api/customers", NEW).json["id"])
    begun = "SELECT 1 FROM exchanges WHERE what = 'create' AND record_id = %s"
    until(lambda: workers.sql(begun, [number]))
    until(lambda: not there.running.faults.rules)  # the site has the request
    workers.kill()
    there.running.faults.add("forbidden", doctype="Customer", **CREATES)
    workers.start()
    until(lambda: sync_of(api, number)["state"] == "attention")
    assert there.list("Customer", THAT_ONE) == []
    return api, there, number, held


def test_one_that_arrives_after_it_was_given_up_is_that_records(
    refused_while_the_first_is_under_way: tuple[Api, There, int, Any],
) -> None:
    api, there, number, held = refused_while_the_first_is_under_way
    assert api.post(f"/api/customers/{number}/do/give_up").status == 200
    assert sync_of(api, number)["state"] == "local"
    assert there.list("Customer", THAT_ONE) == []
    there.running.faults.clear()
    held.seconds = 0
    until(lambda: there.list("Customer", THAT_ONE))
    sync_now(api)
    [record] = of_that_name(api)
    assert (record["id"], record["sync"]["state"]) == (number, "in_sync")
    assert [{"name": record["erpnextId"]}] == there.list("Customer", THAT_ONE)


def test_one_that_arrives_after_it_was_given_up_and_sent_anew_is_the_only_one(
    refused_while_the_first_is_under_way: tuple[Api, There, int, Any],
) -> None:
    api, there, number, held = refused_while_the_first_is_under_way
    assert api.post(f"/api/customers/{number}/do/give_up").status == 200
    there.running.faults.clear()
    held.seconds = 0
    until(lambda: there.list("Customer", THAT_ONE))
    assert api.post(f"/api/customers/{number}/do/send").status == 200
    assert retry_until_settled(api, number) == "in_sync"
    [record] = of_that_name(api)
    assert [{"name": record["erpnextId"]}] == there.list("Customer", THAT_ONE)


def test_one_that_arrives_after_it_was_deleted_here_is_deleted_there(
    refused_while_the_first_is_under_way: tuple[Api, There, int, Any],
) -> None:
    api, there, number, held = refused_while_the_first_is_under_way
    there.running.faults.clear()
    assert api.ask("DELETE", f"/api/customers/{number}?there=delete").status == 200
    until(lambda: sync_of(api, number)["state"] == "waiting")
    assert there.list("Customer", THAT_ONE) == []
    held.seconds = 0
    until(lambda: there.list("Customer", THAT_ONE))
    assert retry_until_settled(api, number) == "in_sync"
    assert there.list("Customer", THAT_ONE) == []


@pytest.mark.parametrize(
    ("doctype", "edit"),
    [("Address", {"address": "Markt 1", "city": "Delft"}), ("Contact", {"contactPerson": "Ann"})],
)
def test_an_address_or_a_contact_that_arrives_after_its_worker_was_killed_is_the_only_one(
    shop: Shop, doctype: str, edit: dict[str, str]
) -> None:
    api, there, workers = shop(own_field=True, **SETTLED)
    number = int(api.post("/api/customers", NEW).json["id"])
    until(lambda: sync_of(api, number)["state"] == "in_sync")
    faults = there.running.faults
    held = faults.add("late_commit", **HELD, method="POST", path=f"/api/resource/{doctype}")
    assert api.ask("PUT", f"/api/customers/{number}", edit).status == 200
    until(lambda: not faults.rules)  # the site has the request
    workers.kill()
    workers.start()
    until(lambda: sync_of(api, number)["state"] == "waiting")
    linked = [["Dynamic Link", "link_name", "=", NEW["name"]]]
    assert there.list(doctype, linked) == []
    held.seconds = 0
    until(lambda: there.list(doctype, linked))
    assert retry_until_settled(api, number) == "in_sync"
    [part] = there.list(doctype, linked)
    customer = there.read("Customer", str(NEW["name"]))
    assert customer[f"customer_primary_{doctype.lower()}"] == part["name"]


def test_what_was_sent_with_a_contact_before_its_worker_was_killed_is_no_edit_of_theirs(
    shop: Shop,
) -> None:
    """ERPNext has both, nobody here had written so down, and both are changed here again."""
    api, there, workers = shop(own_field=True)
    number = int(api.post("/api/customers", NEW).json["id"])
    until(lambda: sync_of(api, number)["state"] == "in_sync")
    faults = there.running.faults
    held = faults.add("latency", **HELD, method="GET", path="/api/resource/Customer/")
    path = f"/api/customers/{number}"
    first = {"website": "https://one.example", "contactPerson": "Ann One"}
    assert api.ask("PUT", path, first).status == 200
    until(lambda: not faults.rules)  # it looks at the document that has a Contact now
    workers.kill()
    held.seconds = 0
    then = {"website": "https://two.example", "contactPerson": "Ann Two"}
    assert api.ask("PUT", path, then).status == 200
    workers.start()
    until(lambda: sync_of(api, number)["state"] not in ("sending", "waiting"))
    assert api.get(f"{path}/conflicts").json["conflicts"] == []
    customer = there.read("Customer", str(NEW["name"]))
    assert customer["website"] == then["website"]
    [contact] = there.list("Contact", [["Dynamic Link", "link_name", "=", NEW["name"]]])
    assert there.read("Contact", contact["name"])["last_name"] == "Two"


@pytest.mark.parametrize("how", ["disable", "delete", "keep"])
def test_a_record_that_is_deleted_before_it_was_sent_is_not_made_there(
    api: Api, erp: Erp, site: Any, turn_on: Callable[..., str], how: str
) -> None:
    turn_on()
    site.faults.add("maintenance", **CREATES)
    number = int(api.post("/api/customers", NEW).json["id"])
    until(lambda: sync_of(api, number)["state"] == "waiting")
    assert api.ask("DELETE", f"/api/customers/{number}?there={how}").status == 200
    site.faults.clear()
    assert retry_until_settled(api, number) == "in_sync"
    assert erp.list("Customer", THAT_ONE) == []
    assert api.post(f"/api/customers/{number}/restore").status == 200
    assert retry_until_settled(api, number) == "in_sync"
    assert erp.list("Customer", THAT_ONE), "what was restored goes on as if nothing had been"


@pytest.mark.parametrize("own_field", [True, False], ids=["own field", "no own field"])
@pytest.mark.parametrize(
    ("how", "left"), [("disable", [{"disabled": 1}]), ("delete", []), ("keep", [{"disabled": 0}])]
)
def test_a_record_that_is_deleted_when_its_create_was_lost_leaves_what_was_asked_for(
    api: Api,
    erp: Erp,
    site: Any,
    turn_on: Callable[..., str],
    own_field: bool,
    how: str,
    left: Any,
) -> None:
    turn_on(own_field=own_field)
    site.faults.add("lost_answer", times=1, **CREATES)
    site.faults.add("maintenance", method="GET", path="/api/resource/Customer")
    site.faults.add("maintenance", path="frappe.client.get_list")
    number = int(api.post("/api/customers", NEW).json["id"])
    until(lambda: sync_of(api, number)["state"] == "waiting")
    assert api.ask("DELETE", f"/api/customers/{number}?there={how}").status == 200
    site.faults.clear()
    assert retry_until_settled(api, number) == "in_sync"
    assert erp.list("Customer", THAT_ONE, ["disabled"]) == left
    sync_now(api)
    assert of_that_name(api) == []


@pytest.mark.usefixtures("retried_by_hand")
@pytest.mark.parametrize("fault", ["lost_answer", "dropped"])
def test_without_a_field_of_its_own_one_that_is_given_up_is_looked_for_first(
    api: Api, erp: Erp, site: Any, turn_on: Callable[..., str], fault: str
) -> None:
    turn_on(own_field=False)
    site.faults.add(fault, times=1, **CREATES)
    number = int(api.post("/api/customers", NEW).json["id"])
    until(lambda: sync_of(api, number)["state"] == "waiting")
    assert api.post(f"/api/customers/{number}/do/give_up").status == 200
    state = retry_until_settled(api, number)
    sync_now(api)
    there = erp.list("Customer", THAT_ONE)
    [record] = of_that_name(api)
    assert (state, len(there)) == (("in_sync", 1) if fault == "lost_answer" else ("local", 0))
    assert (record["id"], record["erpnextId"]) == (number, there[0]["name"] if there else None)


@pytest.mark.parametrize("own_field", [True, False], ids=["own field", "no own field"])
def test_one_that_is_made_again_though_it_was_only_renamed_goes_on_with_its_document(
    api: Api,
    erp: Erp,
    site: Any,
    turn_on: Callable[..., str],
    synced: Callable[..., Any],
    own_field: bool,
) -> None:
    turn_on(own_field=own_field)
    first = int(api.post("/api/customers", NEW).json["id"])
    synced(first)
    erp.rename("Customer", NEW["name"], "Later & Late BV")
    # Another takes the name before any look at the site; so it is thought that the first is gone.
    second = int(api.post("/api/customers", {**NEW, "website": "https://b.example"}).json["id"])
    synced(second)
    assert sync_of(api, first)["goneAt"]
    assert api.post(f"/api/customers/{first}/do/recreate").status == 200
    until(lambda: sync_of(api, first)["state"] != "sending")
    sync_now(api)
    assert api.get(f"/api/customers/{first}").json["erpnextId"] == "Later & Late BV"
    records = api.get("/api/customers", limit=500).json["records"]
    assert len(records) == len(erp.list("Customer"))


def test_an_old_answer_about_one_that_was_made_anew_since_makes_no_other_record(shop: Shop) -> None:
    api, there, workers = shop(own_field=True)
    first, again = [
        int(api.post("/api/customers", {**NEW, "name": name}).json["id"]) for name in ("Aa", "Zz")
    ]

    def state(number: int) -> str:
        return str(sync_of(api, number)["state"])

    until(lambda: state(first) == state(again) == "in_sync")
    for name in ("Aa", "Zz"):
        there.change("Customer", name, website="https://theirs.example")
    with psycopg.connect(workers.url) as lock:
        # A look has fetched both, and cannot go on with the first.
        lock.execute("SELECT 1 FROM bascule.records WHERE id = %s FOR UPDATE", [first])
        assert api.post("/api/customers/sync/enhanced?wait=0&whole=false").status == 200
        waits = "SELECT 1 FROM pg_stat_activity WHERE %s = ANY(pg_blocking_pids(pid))"
        until(lambda: workers.sql(waits, [lock.info.backend_pid]))
        there.delete("Customer", "Zz")
        assert api.ask("PUT", f"/api/customers/{again}", {"taxNumber": "NL 1"}).status == 200
        until(lambda: state(again) == "attention")
        # Another has the name for a while, so that it is called otherwise.
        there.create("Customer", customer_name="Zz", customer_type="Company")
        assert api.post(f"/api/customers/{again}/do/recreate").status == 200
        until(lambda: state(again) == "in_sync")
        there.delete("Customer", "Zz")
        lock.rollback()
    sync_now(api)
    records = api.get("/api/customers", limit=500).json["records"]
    known = [(one["id"], one["erpnextId"]) for one in records if one["name"] == "Zz"]
    assert known == [(again, "Zz - 1")]
