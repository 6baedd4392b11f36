"""Customers kept the same, as seed users see it: over HTTP, against a site that answers as one."""

import base64
import hmac
import json
from collections.abc import Callable
from typing import Any

import pytest
import requests

from bascule.sync.receive.pull import poll, told_by
from bascule.sync.setup.settings import two_ways
from tests.kit.api import Api
from tests.kit.hub import RunningHub
from tests.kit.site import Erp
from tests.kit.waiting import until
from tests.sync.conftest import sync_now

ANN: dict[str, Any] = {
    "name": 'Odd "Ü" & \\ Co',
    "contactPerson": "Ann de Vries",
    "email": "ann@example.com",
    "phone": "+31 6 12345678",
    "address": "Markt 1",
    "city": "Delft",
    "postalCode": "2611 AA",
    "country": "Netherlands",
    "website": "https://odd.example.com",
    "taxNumber": "NL1",
    "creditLimit": 5000,
    "customerGroup": "Bike Shops",
    "territory": "Netherlands",
}
KEPT, MERGED = 'Kept & "Ü" \\ Co', "Merged & 100%_'Co'"


def test_a_new_customer_is_made_in_erpnext_with_its_address_and_contact(
    api: Api, erp: Erp, turn_on: Callable[..., str], synced: Callable[..., Any]
) -> None:
    turn_on()
    made = api.post("/api/customers", ANN)
    assert made.status == 201, made.body
    record = synced(made.json["id"])
    assert record["erpnextId"] == ANN["name"]
    customer = erp.read("Customer", ANN["name"])
    assert customer["tax_id"] == "NL1"
    assert [row["credit_limit"] for row in customer["credit_limits"]] == [5000]
    address = erp.read("Address", customer["customer_primary_address"])
    assert (address["address_line1"], address["city"]) == ("Markt 1", "Delft")
    contact = erp.read("Contact", customer["customer_primary_contact"])
    assert (contact["first_name"], contact["last_name"]) == ("Ann", "de Vries")
    assert [row["email_id"] for row in contact["email_ids"]] == ["ann@example.com"]


@pytest.mark.parametrize("records", ["customers", "suppliers"])
def test_currency_and_payment_terms_are_kept_the_same_both_ways(
    records: str, api: Api, erp: Erp, turn_on: Callable[..., str], synced: Callable[..., Any]
) -> None:
    turn_on(records)
    group = "Bike Shops" if records == "customers" else "Rubber"
    given = {"name": "Terms & Co", f"{records[:-1]}Group": group}
    given |= {"currency": "GBP", "paymentTerms": "Net 30"}
    number = api.post(f"/api/{records}", given).json["id"]
    record = synced(number, records)
    doctype = records[:-1].title()
    there = erp.read(doctype, record["erpnextId"])
    assert (there["default_currency"], there["payment_terms"]) == ("GBP", "Net 30")
    assert api.ask("PUT", f"/api/{records}/{number}", {"paymentTerms": "Net 60"}).status == 200
    synced(number, records)
    assert erp.read(doctype, record["erpnextId"])["payment_terms"] == "Net 60"
    erp.change(doctype, record["erpnextId"], default_currency="USD", payment_terms="Prepaid")
    assert api.post(f"/api/{records}/sync/enhanced").json["finished"]
    record = synced(number, records)
    assert (record["currency"], record["paymentTerms"]) == ("USD", "Prepaid")
    assert api.ask("PUT", f"/api/{records}/{number}", {"currency": "Guilders"}).status == 200
    refused = synced(number, records, state="attention")["sync"]
    assert "Guilders" in refused["wrong"]["currency"]


def test_an_edit_here_arrives_there_in_the_document_where_the_field_lives(
    api: Api, erp: Erp, turn_on: Callable[..., str], synced: Callable[..., Any]
) -> None:
    turn_on()
    number = api.post("/api/customers", ANN).json["id"]
    synced(number)
    changes = {"city": "Leiden", "phone": "+31 71 1", "website": "https://new.example.com"}
    assert api.ask("PUT", f"/api/customers/{number}", changes).status == 200
    record = synced(number)
    customer = erp.read("Customer", record["erpnextId"])
    assert customer["website"] == "https://new.example.com"
    assert erp.read("Address", customer["customer_primary_address"])["city"] == "Leiden"
    contact = erp.read("Contact", customer["customer_primary_contact"])
    assert [row["phone"] for row in contact["phone_nos"]] == ["+31 71 1"]


def test_what_changes_there_comes_here(
    api: Api, erp: Erp, turn_on: Callable[..., str], synced: Callable[..., Any]
) -> None:
    turn_on()
    number = api.post("/api/customers", ANN).json["id"]
    record = synced(number)
    customer = erp.read("Customer", record["erpnextId"])
    erp.change("Customer", customer["name"], website="https://theirs.example.com")
    erp.change("Address", customer["customer_primary_address"], city="Gouda")
    told = api.post("/api/customers/sync/enhanced")
    assert told.status == 200 and told.json["finished"], told.body
    assert told.json["summary"]["updated"] == 1, told.body
    record = api.get(f"/api/customers/{number}").json
    assert (record["website"], record["city"]) == ("https://theirs.example.com", "Gouda")


def test_both_sides_change_a_field_and_somebody_decides(
    api: Api, erp: Erp, turn_on: Callable[..., str], synced: Callable[..., Any]
) -> None:
    turn_on()
    number = api.post("/api/customers", ANN).json["id"]
    record = synced(number)
    erp.change("Customer", record["erpnextId"], website="https://theirs.example.com")
    ours = {"website": "https://ours.example.com", "taxNumber": "NL2"}
    assert api.ask("PUT", f"/api/customers/{number}", ours).status == 200
    record = synced(number, state="conflict")
    customer = erp.read("Customer", record["erpnextId"])
    assert customer["website"] == "https://theirs.example.com"
    assert customer["tax_id"] == "NL2", "the other field was held up"
    [conflict] = api.get(f"/api/customers/{number}/conflicts").json["conflicts"]
    assert (conflict["base"], conflict["here"], conflict["there"]) == (
        "https://odd.example.com",
        "https://ours.example.com",
        "https://theirs.example.com",
    )
    settled = api.post(f"/api/customers/{number}/conflicts/website", {"choice": "here"})
    assert settled.status == 200, settled.body
    synced(number)
    assert erp.read("Customer", record["erpnextId"])["website"] == "https://ours.example.com"
    steps = api.get(f"/api/customers/{number}/history").json["steps"]
    values = {value for s in steps for change in s["changes"].values() for value in change}
    assert "https://theirs.example.com" in values


@pytest.mark.usefixtures("retried_by_hand")
def test_a_conflict_is_over_when_the_other_side_takes_its_edit_back(
    api: Api, erp: Erp, site: Any, turn_on: Callable[..., str], synced: Callable[..., Any]
) -> None:
    turn_on()
    number = int(api.post("/api/customers", ANN).json["id"])
    name = synced(number)["erpnextId"]
    site.faults.add("maintenance", method="PUT", path="/api/resource/Customer")
    ours = {"website": "https://ours.example.com"}
    assert api.ask("PUT", f"/api/customers/{number}", ours).status == 200
    synced(number, state="waiting")
    site.faults.clear()
    erp.change("Customer", name, website="https://theirs.example.com")
    assert api.post("/api/customers/retry").status == 200
    synced(number, state="conflict")
    erp.change("Customer", name, website=ANN["website"])
    sync_now(api)
    synced(number)
    assert erp.read("Customer", name)["website"] == ours["website"]
    assert api.get(f"/api/customers/{number}/conflicts").json["conflicts"] == []


def test_a_new_customer_there_becomes_one_here_and_is_followed(
    api: Api, erp: Erp, turn_on: Callable[..., str]
) -> None:
    turn_on()
    erp.create("Customer", customer_name="From There", customer_type="Company")
    api.post("/api/customers/sync/enhanced")
    [record] = api.get("/api/customers", search="there").json["records"]
    assert record["erpnextId"] == "From There"
    erp.rename("Customer", "From There", "Renamed There")
    api.post("/api/customers/sync/enhanced")
    record = api.get(f"/api/customers/{record['id']}").json
    assert (record["erpnextId"], record["name"]) == ("Renamed There", "Renamed There")
    erp.change("Customer", "Renamed There", disabled=1)
    api.post("/api/customers/sync/enhanced")
    assert api.get(f"/api/customers/{record['id']}").json["active"] is False
    erp.delete("Customer", "Renamed There")
    api.post("/api/customers/sync/enhanced")
    record = api.get(f"/api/customers/{record['id']}").json
    assert record["sync"]["goneAt"] is not None


def test_one_that_was_merged_into_another_there_is_inactive_here_and_says_into_which(
    api: Api, erp: Erp, turn_on: Callable[..., str], synced: Callable[..., Any]
) -> None:
    turn_on()
    kept, merged = (
        int(api.post("/api/customers", {**ANN, "name": name}).json["id"]) for name in (KEPT, MERGED)
    )
    synced(kept), synced(merged)
    erp.rename("Customer", MERGED, KEPT, merge=True)
    sync_now(api)
    record = synced(merged)
    assert (record["active"], record["sync"]["why"]) == (False, f"It is {KEPT} in ERPNext now.")
    assert record["sync"]["goneAt"]
    assert synced(kept)["active"] is True


def test_what_a_sync_brought_is_told_also_when_another_look_follows_at_once(
    api: Api, erp: Erp, turn_on: Callable[..., str], running_hub: RunningHub
) -> None:
    turn_on()
    erp.create("Customer", customer_name="Just Now", customer_type="Company")

    async def looked() -> Any:
        async with running_hub.hub.db.session() as session:
            [(two_way, _)] = await two_ways(session, None)
        await poll(running_hub.hub, two_way.id, ticket="mine")
        await poll(running_hub.hub, two_way.id)
        async with running_hub.hub.db.session() as session:
            [(two_way, _)] = await two_ways(session, None)
            return two_way, told_by(two_way, "mine")

    two_way, told = running_hub.run(looked())
    assert told["created"] == 1
    assert two_way.last_summary["created"] == 0


def test_who_shares_a_contact_hears_of_an_edit_that_was_made_at_the_other(
    api: Api, erp: Erp, turn_on: Callable[..., str], synced: Callable[..., Any]
) -> None:
    slug = turn_on()
    secret = "what the site signs with"
    hooks = api.ask("PUT", f"/api/connectors/{slug}/webhooks", {"secret": secret}).json
    group = {"customerGroup": "Consumers"}
    first = api.post("/api/customers", {"name": "First", "contactPerson": "Ann", **group}).json[
        "id"
    ]
    second = api.post("/api/customers", {"name": "Second", **group}).json["id"]
    synced(first)
    synced(second)
    contact = erp.read("Customer", "First")["customer_primary_contact"]
    links = [{"link_doctype": "Customer", "link_name": name} for name in ("First", "Second")]
    erp.change("Contact", contact, links=links)
    erp.change("Customer", "Second", customer_primary_contact=contact)
    api.post("/api/customers/sync/enhanced")
    assert api.get(f"/api/customers/{second}").json["contactPerson"] == "Ann"
    assert api.ask("PUT", f"/api/customers/{second}", {"contactPerson": "Bea"}).status == 200
    synced(second)
    # Only now, when one of the two records has it already.
    modified = erp.read("Contact", contact)["modified"]
    told = {"event": "on_update", "doctype": "Contact", "name": contact, "modified": modified}
    body = json.dumps(told).encode()
    signed = base64.b64encode(hmac.digest(secret.encode(), body, "sha256")).decode()
    headers = {"X-Frappe-Webhook-Signature": signed}
    kept = requests.post(hooks["addresses"]["Contact"], data=body, headers=headers, timeout=60)
    assert kept.status_code == 200, kept.text
    until(lambda: api.get(f"/api/customers/{first}").json["contactPerson"] == "Bea")
    newest = api.get(f"/api/customers/{first}/history").json["steps"][0]
    assert (newest["origin"], newest["note"]) == ("erpnext", "webhook")


def test_a_record_is_changed_by_the_document_that_it_is_in_erpnext(
    api: Api, erp: Erp, turn_on: Callable[..., str], synced: Callable[..., Any]
) -> None:
    """As seed data of other applications name it: `erpnextId`, alone or beside the id."""
    slug = turn_on()
    made = synced(api.post("/api/customers", {"name": "By Name Co"}).json["id"])
    name, number = made["erpnextId"], made["id"]

    def put(**body: Any) -> Any:
        return api.ask("PUT", "/api/customers", body)

    changed = put(erpnextId=name, website="https://one.example")
    assert (changed.status, changed.json["id"]) == (200, number), changed.body
    assert put(erpnextId=name, connector=slug, website="https://two.example").status == 200
    both = put(id=number, erpnextId=name, version=None, website="https://three.example")
    assert both.status == 200, both.body
    assert put(id=number, erpnextId=None, website="https://four.example").status == 200
    in_path = api.ask("PUT", f"/api/customers/{number}", {"erpnextId": name, "city": None})
    assert in_path.status == 200, in_path.body
    synced(number)
    assert erp.read("Customer", name)["website"] == "https://four.example"

    another = put(id=number, erpnextId="Somebody Else", website="https://five.example")
    assert another.status == 409 and "Somebody Else" in another.body.decode()
    assert put(erpnextId="Somebody Else", website="https://five.example").status == 404
    nobody = put(website="https://five.example")
    assert nobody.status == 422 and nobody.json["fields"]["id"]
    assert put(erpnextId=name, connector="no_such", website="x").status == 404
    assert api.get(f"/api/customers/{number}").json["website"] == "https://four.example"
