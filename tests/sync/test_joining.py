"""A record joined by hand with a document that is there: the way out of "it is there already"."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.kit.api import Api
from tests.kit.site import Erp
from tests.kit.two_way import confirm
from tests.kit.waiting import until


@pytest.fixture
def refused(api: Api, erp: Erp, turn_on: Callable[..., str], synced: Any) -> tuple[Any, str, Any]:
    """A supplier that could not be made, the document in its way, and that one's record."""
    turn_on("suppliers")
    name = erp.list("Supplier")[0]["name"]
    made = api.post("/api/suppliers", {"name": name, "website": "ours.example",
                                       "supplierGroup": "Rubber"})  # fmt: skip
    record = synced(made.json["id"], "suppliers", state="attention")
    assert record["sync"]["remedy"] == "duplicate"
    brought = next(
        one
        for one in api.get("/api/suppliers", limit=500).json["records"]
        if one["erpnextId"] == name
    )
    return record, name, brought


def test_what_is_refused_as_a_double_is_joined_with_the_document_that_is_there(
    api: Api, erp: Erp, refused: tuple[Any, str, Any], synced: Callable[..., Any]
) -> None:
    record, name, brought = refused
    page = api.get(f"/suppliers/{record['id']}").body.decode()
    assert f'action="/suppliers/{record["id"]}/join"' in page
    before = erp.read("Supplier", name)
    joined = api.post(f"/api/suppliers/{record['id']}/join", {"document": name})
    assert joined.status == 200, joined.body
    until(lambda: api.get(f"/api/suppliers/{record['id']}").json["sync"]["state"] != "sending")
    record = api.get(f"/api/suppliers/{record['id']}").json
    assert record["erpnextId"] == name
    for one in api.get(f"/api/suppliers/{record['id']}/conflicts").json["conflicts"]:
        at = f"/api/suppliers/{record['id']}/conflicts/{one['field']}"
        assert api.post(at, {"choice": "there"}).status == 200
    record = synced(record["id"], "suppliers")
    there = erp.read("Supplier", name)
    assert there["website"] == record["website"] == (before.get("website") or "ours.example")
    other = api.get(f"/api/suppliers/{brought['id']}").json
    assert other["deletedAt"] and other["erpnextId"] is None
    steps = api.get(f"/api/suppliers/{brought['id']}/history").json["steps"]
    assert f"record {record['id']}" in steps[0]["note"]
    assert api.post("/api/suppliers/sync/enhanced?wait=60").json["summary"]["created"] == 0
    linked = [one["erpnextId"] for one in api.get("/api/suppliers", limit=500).json["records"]]
    assert linked.count(name) == 1


def test_who_has_a_document_or_names_none_that_is_there_is_told(
    api: Api, refused: tuple[Any, str, Any]
) -> None:
    record, name, brought = refused
    at = f"/api/suppliers/{record['id']}/join"
    wrong = api.post(at, {"document": "Nobody AG"})
    assert wrong.status == 422 and "document" in wrong.json["fields"], wrong.body
    taken = api.post(f"/api/suppliers/{brought['id']}/join", {"document": name})
    assert taken.status == 409 and "joined with" in str(taken.json)


def test_a_record_that_is_kept_here_alone_is_joined_from_its_page(
    api: Api, erp: Erp, connected: str, synced: Callable[..., Any]
) -> None:
    number = api.post("/api/customers", {"name": "Our Name", "taxNumber": "NL 7"}).json["id"]
    name = erp.create("Customer", customer_name="Their Name", customer_group="Bike Shops",
                      customer_type="Company")["name"]  # fmt: skip
    at = f"/api/connectors/{connected}/two-way/customers"
    assert api.patch(at, {"policy": "erpnext"}).status == 200
    assert api.post(f"{at}/begin", {"own_field": True}).status == 200
    until(lambda: api.get(f"{at}/matches").json["ready"], "the preview was not made")
    [row] = api.get(f"{at}/matches", decision="send").json["matches"]
    assert api.post(f"{at}/matches", {"id": row["id"], "decision": "leave"}).status == 200
    confirm(api, at)
    page = api.get(f"/customers/{number}").body.decode()
    assert f'action="/customers/{number}/join"' in page
    joined = api.post(f"/api/customers/{number}/join", {"document": name, "connector": connected})
    assert joined.status == 200, joined.body
    record = synced(number)
    assert (record["erpnextId"], record["customerGroup"]) == (name, "Bike Shops")
    assert erp.read("Customer", name)["tax_id"] == "NL 7"
