"""Every way in which a site can fail, while a create and an edit are sent: told on the way, over
when it is over, and never made twice.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bascule.backoff import Backoff
from tests.kit.api import Api
from tests.kit.hub import RunningHub
from tests.kit.site import Erp
from tests.kit.waiting import until
from tests.sync.conftest import sync_now

NAME = "Under Fire BV"
CUSTOMER = {
    "name": NAME,
    "contactPerson": "Ann de Vries",
    "email": "ann@example.com",
    "address": "Markt 1",
    "city": "Delft",
    "country": "Netherlands",
    "website": "https://before.example.com",
    "customerGroup": "Consumers",
}
# What answers, though late; and what does not, with the remedy that is told.
LATE = {"latency": 0.5, "slow_body": 0.5}
FAILING = {
    "rate_limited": "down",
    "server_error": "down",
    "bad_gateway": "down",
    "maintenance": "down",
    "truncated": "down",
    "dropped": "down",
    "lost_answer": "down",
    "revoked": "credentials",
}
# Of these the work was done, and its answer did not come.
DONE_UNHEARD = ("truncated", "lost_answer")


def told(api: Api, number: int) -> Any:
    return api.get(f"/api/customers/{number}").json["sync"]


def waiting(api: Api, number: int) -> Any:
    sync = told(api, number)
    assert sync["state"] in ("sending", "waiting"), sync
    return sync if sync["state"] == "waiting" else None


def is_in_sync(api: Api, number: int) -> bool:
    sync = told(api, number)
    assert sync["state"] not in ("attention", "conflict"), sync
    return bool(sync["state"] == "in_sync")


def check_one_of_each(erp: Erp, name: str = NAME) -> None:
    named = erp.list("Customer", [["customer_name", "=", name]])
    assert named == [{"name": name}]
    for doctype in ("Address", "Contact"):
        about = [["Dynamic Link", "link_name", "=", name]]
        assert len(erp.list(doctype, about)) == 1, doctype


@pytest.mark.parametrize("fault", LATE)
def test_a_site_that_is_slow_gets_it_all_and_nothing_is_said_to_be_wrong(
    fault: str, api: Api, erp: Erp, site: Any, turn_on: Callable[..., str]
) -> None:
    turn_on()
    site.faults.add(fault, seconds=LATE[fault], method="POST", path="/api/resource/")
    site.faults.add(fault, seconds=LATE[fault], method="PUT", path="/api/resource/")
    number = api.post("/api/customers", CUSTOMER).json["id"]
    seen = []

    def arrived() -> bool:
        sync = told(api, number)
        seen.append((sync["state"], sync["why"], sync["retryAt"]))
        assert sync["state"] in ("sending", "in_sync"), sync
        return bool(sync["state"] == "in_sync")

    until(arrived)
    changed = {"website": "https://after.example.com"}
    assert api.ask("PUT", f"/api/customers/{number}", changed).status == 200
    until(arrived)
    assert set(seen) == {("sending", None, None), ("in_sync", None, None)}
    site.faults.clear()
    check_one_of_each(erp)
    assert erp.read("Customer", NAME)["website"] == "https://after.example.com"


@pytest.mark.parametrize("fault", FAILING)
def test_what_a_site_does_not_take_waits_and_arrives_once(
    fault: str, api: Api, erp: Erp, site: Any, turn_on: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(
        "bascule.connections.circuit.RETRY", Backoff(8.0, longest=900.0, jitter=0.5)
    )  # so that it is seen to wait
    turn_on()
    site.faults.add(fault, method="POST", path="/api/resource/Customer", times=1)
    number = api.post("/api/customers", CUSTOMER).json["id"]
    sync = until(lambda: waiting(api, number), "nobody was told that it waits")
    check_told(sync, FAILING[fault])
    until(lambda: is_in_sync(api, number), "it did not go on by itself")
    check_one_of_each(erp)

    edit = site.faults.add(fault, method="PUT", path="/api/resource/Customer")
    changed = {"website": "https://after.example.com"}
    assert api.ask("PUT", f"/api/customers/{number}", changed).status == 200
    check_told(until(lambda: waiting(api, number)), FAILING[fault])
    site.faults.clear(edit)
    assert api.post("/api/customers/retry").status == 200
    until(lambda: is_in_sync(api, number))
    sync = told(api, number)
    assert (sync["why"], sync["retryAt"], sync["attempts"]) == (None, None, 0)
    assert erp.read("Customer", NAME)["website"] == "https://after.example.com"
    check_one_of_each(erp)
    check_journal(api, number, fault)
    assert api.get(f"/api/customers/{number}/conflicts").json["conflicts"] == []


def check_told(sync: Any, remedy: str) -> None:
    assert sync["remedy"] == remedy
    assert sync["why"] and sync["nextStep"]
    assert datetime.fromisoformat(sync["retryAt"]) > datetime.now(UTC) - timedelta(minutes=1)


def check_journal(api: Api, number: int, fault: str) -> None:
    """Each attempt is in the journal, and a create whose answer was lost was looked for and not
    sent again.
    """
    said = api.get(f"/api/customers/{number}/exchanges").json["exchanges"]
    creates = [one for one in said if one["what"] == "create"]
    failed = [one for one in said if one["error"]]
    assert {one["what"] for one in failed} >= {"create", "update"}
    assert len(creates) == (1 if fault in DONE_UNHEARD else 2)


def test_a_pause_that_the_site_asks_for_is_kept(
    api: Api, site: Any, turn_on: Callable[..., str]
) -> None:
    turn_on()
    site.faults.add("rate_limited", seconds=600, times=1, method="POST", path="/api/resource/")
    number = api.post("/api/customers", CUSTOMER).json["id"]
    sync = until(lambda: waiting(api, number))
    check_told(sync, "down")
    assert datetime.fromisoformat(sync["retryAt"]) > datetime.now(UTC) + timedelta(minutes=8)


@pytest.mark.usefixtures("retried_by_hand")
def test_a_site_that_is_down_is_left_alone_by_all_and_gets_all_when_it_is_back(
    api: Api, erp: Erp, site: Any, turn_on: Callable[..., str]
) -> None:
    turn_on()
    site.faults.add("maintenance", path="/api/")
    numbers = [
        api.post("/api/customers", CUSTOMER | {"name": f"{NAME} {at}"}).json["id"]
        for at in range(4)
    ]
    for number in numbers:
        check_told(until(lambda number=number: waiting(api, number)), "down")
    assert api.get("/api/customers", state="waiting").json["counts"]["waiting"] == len(numbers)
    site.faults.clear()
    assert api.post("/api/customers/retry").status == 200
    for number in numbers:
        until(lambda number=number: is_in_sync(api, number))
    for at in range(4):
        check_one_of_each(erp, f"{NAME} {at}")


@pytest.mark.parametrize("policy", ["ask", "erpnext"])
def test_a_value_of_ours_whose_echo_was_never_heard_is_no_edit_of_somebody_there(
    policy: str, api: Api, erp: Erp, site: Any, turn_on: Callable[..., str]
) -> None:
    """ERPNext has the first edit, nobody here heard so, and a second one follows it."""
    turn_on(policy=policy)
    number = api.post("/api/customers", CUSTOMER).json["id"]
    until(lambda: is_in_sync(api, number))
    site.faults.add("lost_answer", method="PUT", path="/api/resource/Customer")
    path = f"/api/customers/{number}"
    assert api.ask("PUT", path, {"website": "https://one.example.com"}).status == 200
    until(lambda: waiting(api, number))
    assert erp.read("Customer", NAME)["website"] == "https://one.example.com"
    assert api.ask("PUT", path, {"website": "https://two.example.com"}).status == 200
    site.faults.clear()
    until(lambda: is_in_sync(api, number))
    assert api.get(path).json["website"] == "https://two.example.com"
    assert erp.read("Customer", NAME)["website"] == "https://two.example.com"
    steps = api.get(f"{path}/history").json["steps"]
    assert {step["origin"] for step in steps if "website" in step["changes"]} == {"here"}


@pytest.mark.usefixtures("retried_by_hand")
def test_retrying_all_sends_each_once_however_many_there_are(
    api: Api, erp: Erp, site: Any, turn_on: Callable[..., str]
) -> None:
    turn_on()
    site.faults.add("bad_gateway")
    names = [f"{NAME} {at:02}" for at in range(40)]
    for name in names:
        assert (
            api.post("/api/customers", {"name": name, "customerGroup": "Consumers"}).status == 201
        )
    until(lambda: api.get("/api/customers").json["counts"].get("waiting") == len(names))
    site.faults.clear()
    assert api.post("/api/customers/retry").json == {"retried": len(names)}
    until(lambda: set(api.get("/api/customers").json["counts"]) == {"in_sync"})
    there = erp.list("Customer", [["customer_name", "like", f"{NAME} %"]])
    assert sorted(row["name"] for row in there) == names
    assert api.post("/api/customers/retry").json == {"retried": 0}


def test_a_look_at_a_site_that_hangs_is_ended_with_the_reason(
    api: Api, site: Any, turn_on: Callable[..., str], running_hub: RunningHub
) -> None:
    at = f"/api/connectors/{turn_on()}/two-way/customers"
    running_hub.settings.owed_seconds = 3
    site.faults.add("latency", seconds=3600)
    api.post("/api/customers/sync/enhanced?wait=0&whole=false")
    told = until(lambda: api.get(at).json["last_error"], "it was not ended")
    assert told.startswith("The site has given no answer for 3 seconds")
    site.faults.clear()
    sync_now(api)
    assert api.get(at).json["last_error"] is None
