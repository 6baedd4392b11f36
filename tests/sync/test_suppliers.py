"""Suppliers kept the same: the same engine as for customers, over other fields and documents."""

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from tests.kit.api import Api
from tests.kit.site import Erp

TYRES = {
    "name": "Bänder & 'Söhne' GmbH",
    "contactPerson": "Jürgen Vogel",
    "email": "vogel@example.com",
    "phone": "+49 30 123456",
    "address": "Hafenstr. 1",
    "city": "Hamburg",
    "postalCode": "20457",
    "country": "Germany",
    "website": "https://before.example.com",
    "taxNumber": "DE1",
    "supplierGroup": "Rubber",
    "supplierType": "Company",
}


@pytest.fixture
def tyres(api: Api, turn_on: Callable[..., str], synced: Callable[..., Any]) -> Any:
    """A supplier that is the same on both sides."""
    turn_on("suppliers")
    made = api.post("/api/suppliers", TYRES)
    assert made.status == 201, made.body
    return synced(made.json["id"], "suppliers")


def test_a_new_supplier_is_made_in_erpnext_with_its_address_and_contact(
    tyres: Any, erp: Erp
) -> None:
    supplier = erp.read("Supplier", tyres["erpnextId"])
    assert supplier["supplier_name"] == TYRES["name"]
    assert (supplier["supplier_group"], supplier["tax_id"]) == ("Rubber", "DE1")
    address = erp.read("Address", supplier["supplier_primary_address"])
    assert (address["address_line1"], address["city"], address["pincode"], address["country"]) == (
        "Hafenstr. 1",
        "Hamburg",
        "20457",
        "Germany",
    )
    assert [(row["link_doctype"], row["link_name"]) for row in address["links"]] == [
        ("Supplier", supplier["name"])
    ]
    contact = erp.read("Contact", supplier["supplier_primary_contact"])
    assert (contact["first_name"], contact["last_name"]) == ("Jürgen", "Vogel")
    assert [row["email_id"] for row in contact["email_ids"]] == ["vogel@example.com"]
    assert [row["phone"] for row in contact["phone_nos"]] == ["+49 30 123456"]
    assert len(erp.list("Supplier", [["supplier_name", "=", TYRES["name"]]])) == 1
    for doctype in ("Address", "Contact"):
        about = [["Dynamic Link", "link_name", "=", supplier["name"]]]
        assert len(erp.list(doctype, about)) == 1


def test_an_edit_of_a_supplier_here_arrives_there(
    tyres: Any, api: Api, erp: Erp, synced: Callable[..., Any]
) -> None:
    changes = {
        "city": "Bremen",
        "email": "new@example.com",
        "supplierGroup": "Workshop Supplies",
        "active": False,
    }
    assert api.ask("PUT", f"/api/suppliers/{tyres['id']}", changes).status == 200
    synced(tyres["id"], "suppliers")
    supplier = erp.read("Supplier", tyres["erpnextId"])
    assert (supplier["supplier_group"], supplier["disabled"]) == ("Workshop Supplies", 1)
    assert supplier["website"] == TYRES["website"]
    assert erp.read("Address", supplier["supplier_primary_address"])["city"] == "Bremen"
    contact = erp.read("Contact", supplier["supplier_primary_contact"])
    assert [row["email_id"] for row in contact["email_ids"] if row["is_primary"]] == [
        "new@example.com"
    ]


def test_an_edit_of_a_supplier_there_comes_here(tyres: Any, api: Api, erp: Erp) -> None:
    supplier = erp.read("Supplier", tyres["erpnextId"])
    erp.change("Supplier", supplier["name"], website="https://theirs.example.com", disabled=1)
    erp.change("Address", supplier["supplier_primary_address"], city="Kiel")
    told = api.post("/api/suppliers/sync/enhanced")
    assert told.status == 200 and told.json["finished"], told.body
    assert told.json["summary"]["updated"] == 1, told.body
    record = api.get(f"/api/suppliers/{tyres['id']}").json
    assert (record["website"], record["city"], record["active"]) == (
        "https://theirs.example.com",
        "Kiel",
        False,
    )
    assert record["sync"]["state"] == "in_sync"


@pytest.mark.parametrize(("choice", "stays"), [("here", "ours"), ("there", "theirs")])
def test_both_sides_change_a_supplier_and_somebody_decides(
    choice: str, stays: str, tyres: Any, api: Api, erp: Erp, synced: Callable[..., Any]
) -> None:
    at = f"/api/suppliers/{tyres['id']}"
    erp.change("Supplier", tyres["erpnextId"], website="https://theirs.example.com")
    changed = {"website": "https://ours.example.com", "taxNumber": "DE2"}
    assert api.ask("PUT", at, changed).status == 200
    synced(tyres["id"], "suppliers", state="conflict")
    supplier = erp.read("Supplier", tyres["erpnextId"])
    assert supplier["website"] == "https://theirs.example.com"
    assert supplier["tax_id"] == "DE2", "the other field was held up"
    [conflict] = api.get("/api/suppliers/conflicts").json["conflicts"]
    assert (conflict["recordId"], conflict["field"]) == (tyres["id"], "website")
    assert api.get("/api/customers/conflicts").json["conflicts"] == []
    assert api.post(f"{at}/conflicts/website", {"choice": choice}).status == 200
    record = synced(tyres["id"], "suppliers")
    wanted = f"https://{stays}.example.com"
    assert record["website"] == wanted
    assert erp.read("Supplier", tyres["erpnextId"])["website"] == wanted


def test_customers_and_suppliers_are_kept_the_same_side_by_side(
    tyres: Any, api: Api, erp: Erp, turn_on: Callable[..., str], synced: Callable[..., Any]
) -> None:
    """One that is both is two records, and a Customer and a Supplier."""
    turn_on("customers")
    both = {
        name: value
        for name, value in TYRES.items()
        if name not in ("supplierGroup", "supplierType")
    }
    number = api.post("/api/customers", both | {"customerGroup": "Bike Shops"}).json["id"]
    customer = synced(number)
    assert customer["erpnextId"] == tyres["erpnextId"] == TYRES["name"]
    assert api.ask("PUT", f"/api/customers/{number}", {"city": "Bremen"}).status == 200
    synced(number)
    assert api.get(f"/api/suppliers/{tyres['id']}").json["city"] == "Hamburg"
    supplier = erp.read("Supplier", TYRES["name"])
    assert erp.read("Address", supplier["supplier_primary_address"])["city"] == "Hamburg"
    stored = erp.read("Customer", TYRES["name"])
    assert erp.read("Address", stored["customer_primary_address"])["city"] == "Bremen"


def test_the_mirrors_document_leads_to_the_record_that_has_its_history(
    tyres: Any, api: Api, erp: Erp, connected: str
) -> None:
    added = api.post(f"/api/connectors/{connected}/streams", {"doctype": "Supplier"})
    assert added.status == 201, added.body
    at = f"/api/connectors/{connected}/documents/Supplier/{quote(tyres['erpnextId'], safe='')}"
    pulled = api.post("/api/connectors/sync", {"connector_id": connected, "wait": 60})
    assert pulled.json["finished"] is True
    assert api.get(at).json["kept"] == f"/api/suppliers/{tyres['id']}"
    page = api.get(at.replace("/api/connectors", "/data").replace("/documents", ""))
    assert f'href="/suppliers/{tyres["id"]}#history"' in page.body.decode()
    other = next(one["name"] for one in erp.list("Supplier") if one["name"] != tyres["erpnextId"])
    pairs = api.get("/api/suppliers", search=other).json["records"]
    here = api.get(at.replace(quote(tyres["erpnextId"], safe=""), quote(other, safe=""))).json
    assert here["kept"] == f"/api/suppliers/{pairs[0]['id']}"


def test_webhooks_that_are_there_tell_of_suppliers_once_these_are_kept_the_same(
    api: Api, connected: str, turn_on: Callable[..., str], erp: Erp
) -> None:
    at = f"/api/connectors/{connected}/webhooks"
    made = api.ask("PUT", at, {"base_url": api.url, "doctypes": ["Customer"], "events": ["delete"]})
    assert made.status == 200, made.body
    hooks = {(hook["doctype"], hook["event"]) for hook in api.get(at).json["hooks"]}
    assert hooks == {("Customer", "on_trash")}
    turn_on("suppliers")
    told = api.get(at).json
    assert hooks < {(hook["doctype"], hook["event"]) for hook in told["hooks"]}
    assert {hook["doctype"] for hook in told["hooks"] if hook["event"] == "on_change"} == {
        "Supplier",
        "Address",
        "Contact",
    }
    assert {hook["state"] for hook in told["hooks"]} == {"fine"}
    there = {row["webhook_doctype"] for row in erp.list("Webhook", fields=("webhook_doctype",))}
    assert there == {"Customer", "Supplier", "Address", "Contact", "Comment"}

    # Where there are none, none are made.
    assert api.delete(at).status == 200
    assert api.delete(f"/api/connectors/{connected}/two-way/suppliers").status == 200
    turn_on("suppliers")
    assert erp.list("Webhook") == []
