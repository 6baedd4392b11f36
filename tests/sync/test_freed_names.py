"""A name that a rename in ERPNext has freed, and that somebody gave to another document since."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.kit.api import Api
from tests.kit.site import Erp
from tests.sync.conftest import sync_now

OLD = {
    "name": "Corner Cycles",
    "customerGroup": "Consumers",
    "website": "https://old.example.com",
    "taxNumber": "NL-OLD",
}


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


@pytest.fixture(params=[True, False], ids=["own field", "no own field"])
def number(
    api: Api,
    turn_on: Callable[..., str],
    synced: Callable[..., Any],
    request: pytest.FixtureRequest,
) -> int:
    """A customer that is the same on both sides."""
    turn_on(own_field=request.param)
    made = int(api.post("/api/customers", OLD).json["id"])
    synced(made)
    return made


def test_each_record_goes_on_with_its_own_document(api: Api, erp: Erp, number: int) -> None:
    rename_and_take(erp)
    sync_now(api)
    found = by_document(api)
    assert found["Corner Cycles & Sons"]["id"] == number
    assert found["Corner Cycles & Sons"]["website"] == OLD["website"]
    assert found["Corner Cycles"]["id"] != number
    assert found["Corner Cycles"]["website"] == "https://new.example.com"
    assert "https://new.example.com" not in values_of_history(api, number)


def test_an_edit_that_waited_does_not_go_to_the_other_document(
    api: Api, erp: Erp, number: int, synced: Callable[..., Any]
) -> None:
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
    api: Api, erp: Erp, number: int
) -> None:
    erp.delete("Customer", "Corner Cycles")
    erp.create("Customer", customer_name="Corner Cycles", customer_type="Company", tax_id="NL-2")
    sync_now(api)
    one = by_document(api)["Corner Cycles"]
    assert (one["id"], one["taxNumber"]) == (number, "NL-2")
    assert "NL-OLD" in values_of_history(api, number)
