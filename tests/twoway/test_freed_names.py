"""A name that a rename in ERPNext has freed, and that somebody gave to another document since."""

from collections.abc import Callable
from typing import Any

import pytest

from api.conftest import Api

from .conftest import Erp, until

OWN_FIELD = pytest.mark.parametrize("own_field", [True, False], ids=["own field", "no own field"])
OLD = {
    "name": "Corner Cycles",
    "customerGroup": "Consumers",
    "website": "https://old.example.com",
    "taxNumber": "NL-OLD",
}


def sync_now(api: Api) -> Any:
    path = "/api/customers/sync/enhanced?wait=30&whole=false"
    told = until(lambda: (one := api.post(path).json)["finished"] and one)
    assert not told["errors"], told
    return told


def rename_and_take(erp: Erp) -> None:
    erp.rename("Customer", "Corner Cycles", "Corner Cycles & Sons")
    erp.create(
        "Customer",
        customer_name="Corner Cycles",
        customer_type="Company",
        website="https://new.example.com",
    )


def by_document(api: Api) -> dict[str, Any]:
    records = api.get("/api/customers", limit=500).json["records"]
    return {one["erpnextId"]: one for one in records}


def values_of_history(api: Api, number: int) -> set[Any]:
    steps = api.get(f"/api/customers/{number}/history").json["steps"]
    return {value for one in steps for pair in one["changes"].values() for value in pair}


@OWN_FIELD
def test_each_record_goes_on_with_its_own_document(
    api: Api,
    erp: Erp,
    turn_on: Callable[..., str],
    synced: Callable[..., Any],
    own_field: bool,
) -> None:
    turn_on(own_field=own_field)
    number = api.post("/api/customers", OLD).json["id"]
    synced(number)
    rename_and_take(erp)
    sync_now(api)
    found = by_document(api)
    assert found["Corner Cycles & Sons"]["id"] == number
    assert found["Corner Cycles & Sons"]["website"] == OLD["website"]
    assert found["Corner Cycles"]["id"] != number
    assert found["Corner Cycles"]["website"] == "https://new.example.com"
    assert "https://new.example.com" not in values_of_history(api, number)


@OWN_FIELD
def test_an_edit_that_waited_does_not_go_to_the_other_document(
    api: Api,
    erp: Erp,
    turn_on: Callable[..., str],
    synced: Callable[..., Any],
    own_field: bool,
) -> None:
    turn_on(own_field=own_field)
    number = api.post("/api/customers", OLD).json["id"]
    synced(number)
    rename_and_take(erp)
    assert api.ask("PUT", f"/api/customers/{number}", {"taxNumber": "NL-EDITED"}).status == 200
    record = synced(number)
    assert record["erpnextId"] == "Corner Cycles & Sons"
    assert erp.read("Customer", "Corner Cycles & Sons")["tax_id"] == "NL-EDITED"
    assert not erp.read("Customer", "Corner Cycles").get("tax_id")
    sync_now(api)
    assert by_document(api)["Corner Cycles"]["id"] != number
    assert "https://new.example.com" not in values_of_history(api, number)


def test_one_that_was_deleted_and_made_anew_is_the_same_customer(
    api: Api, erp: Erp, turn_on: Callable[..., str], synced: Callable[..., Any]
) -> None:
    turn_on()
    number = api.post("/api/customers", OLD).json["id"]
    synced(number)
    erp.delete("Customer", "Corner Cycles")
    erp.create("Customer", customer_name="Corner Cycles", customer_type="Company", tax_id="NL-2")
    sync_now(api)
    one = by_document(api)["Corner Cycles"]
    assert (one["id"], one["taxNumber"]) == (number, "NL-2")
    assert "NL-OLD" in values_of_history(api, number)
