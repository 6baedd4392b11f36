"""What the hub does with a site, against one of version 16."""

import json
from typing import Any

from tests.kit.api import Api
from tests.kit.site import Erp
from tests.kit.two_way import turn_on
from tests.kit.waiting import until
from tests.sixteen.conftest import MIRRORED

ANN = {
    "name": "Sixteen & Co",
    "contactPerson": "Ann de Vries",
    "email": "ann@example.com",
    "address": "Markt 1",
    "city": "Delft",
    "country": "Netherlands",
    "customerGroup": "Bike Shops",
    "territory": "Netherlands",
}


def test_it_is_connected_and_checked(api: Api, at: str) -> None:
    told = api.post(f"{at}/test").json
    assert told["ok"], told
    assert told["versions"]["erpnext"].startswith("16."), told
    assert all(told["readable"].values()) and not told["problems"], told


def test_it_is_mirrored_and_proven_equal_after_a_change(api: Api, at: str, erp: Erp) -> None:
    streams = {"streams": list(MIRRORED), "wait": 120}
    pulled = api.post("/api/connectors/sync", {"connector_id": at.rpartition("/")[2], **streams})
    assert {run["outcome"] for run in pulled.json["runs"]} == {"done"}, pulled.body
    [order, *_] = erp.list("Sales Order", [["docstatus", "=", 0]])
    erp.change("Sales Order", order["name"], po_no="P-16")
    [customer, *_] = erp.list("Customer")
    erp.change("Customer", customer["name"], website="https://sixteen.example")
    pulled = api.post("/api/connectors/sync", {"connector_id": at.rpartition("/")[2], **streams})
    changed = {run["doctype"]: run["rows_changed"] for run in pulled.json["runs"]}
    assert changed["Sales Order"] and changed["Customer"] and not changed["Item"], changed
    proven = api.post(f"{at}/verify", streams).json
    assert proven["finished"] and len(proven["runs"]) == len(MIRRORED)
    assert all(run["report"]["equal"] for run in proven["runs"]), proven


def test_what_changes_there_is_told_by_webhooks(api: Api, at: str, erp: Erp) -> None:
    made = api.ask("PUT", f"{at}/webhooks", {})
    assert made.status == 200 and {h["state"] for h in made.json["hooks"]} == {"fine"}, made.body
    erp.create("Customer", customer_name="Heard of")
    told = f"{at}/webhooks/deliveries"
    until(lambda: "Heard of" in json.dumps(api.get(told).json), "no webhook came")
    until(lambda: api.get(f"{at}/webhooks").json["state"] == "arriving", "it is not said to arrive")


def test_a_customer_is_kept_the_same_with_its_address_and_contact(
    api: Api, at: str, erp: Erp
) -> None:
    turn_on(api, at.rpartition("/")[2])
    number = api.post("/api/customers", ANN).json["id"]

    def settled() -> Any:
        found = api.get(f"/api/customers/{number}").json
        return found if found["sync"]["state"] != "sending" else None

    record = until(settled)
    assert record["sync"]["state"] == "in_sync", record["sync"]
    customer = erp.read("Customer", record["erpnextId"])
    address, contact = (customer[f"customer_primary_{one}"] for one in ("address", "contact"))
    assert erp.read("Address", address)["city"] == "Delft"
    assert erp.read("Contact", contact)["email_id"] == "ann@example.com"
    changes = {"city": "Leiden", "website": "https://ours.example", "email": "a@example.com"}
    assert api.ask("PUT", f"/api/customers/{number}", changes).status == 200
    assert until(settled)["sync"]["state"] == "in_sync"
    assert erp.read("Customer", customer["name"])["website"] == "https://ours.example"
    assert erp.read("Address", address)["city"] == "Leiden"
    assert erp.read("Contact", contact)["email_id"] == "a@example.com"
    erp.change("Address", address, city="Gouda")
    erp.change("Customer", customer["name"], website="https://theirs.example")

    def arrived() -> bool:
        found = api.get(f"/api/customers/{number}").json
        return (found["city"], found["website"]) == ("Gouda", "https://theirs.example")

    api.post("/api/customers/sync/enhanced")
    until(arrived, "what changed there did not come")
    assert until(settled)["sync"]["state"] == "in_sync"
