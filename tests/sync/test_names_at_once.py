"""Several of one name at once: ERPNext refuses some, though it would number them by itself."""

from collections.abc import Callable
from typing import Any

from tests.kit.api import Api
from tests.kit.site import Erp

TWIN = {"name": "Twin", "customerGroup": "Consumers"}


def test_a_customer_whose_name_was_taken_meanwhile_is_sent_again(
    api: Api, erp: Erp, site: Any, turn_on: Callable[..., str], synced: Callable[..., Any]
) -> None:
    turn_on()
    site.faults.add("name_race", doctype="Customer", times=3)
    numbers = [api.post("/api/customers", TWIN).json["id"] for _ in range(3)]
    names = {synced(number)["erpnextId"] for number in numbers}
    assert names == {"Twin", "Twin - 1", "Twin - 2"}
    assert len(erp.list("Customer", [["customer_name", "=", "Twin"]])) == 3


def test_so_is_a_contact_of_a_name_that_another_took_meanwhile(
    api: Api, erp: Erp, site: Any, turn_on: Callable[..., str], synced: Callable[..., Any]
) -> None:
    turn_on()
    number = api.post("/api/customers", TWIN).json["id"]
    synced(number)
    site.faults.add("name_race", doctype="Contact", times=2)
    changed = {"email": "twin@example.com"}
    assert api.ask("PUT", f"/api/customers/{number}", changed).status == 200
    name = synced(number)["erpnextId"]
    assert len(erp.list("Contact", [["Dynamic Link", "link_name", "=", name]])) == 1


def test_a_supplier_of_a_name_that_is_taken_is_a_persons_to_decide_about(
    api: Api, erp: Erp, turn_on: Callable[..., str], synced: Callable[..., Any]
) -> None:
    """ERPNext gives suppliers no number: sending it again would not help."""
    turn_on("suppliers")
    known = erp.list("Supplier")[0]["name"]
    made = api.post("/api/suppliers", {"name": known, "supplierGroup": "Rubber"})
    sync = synced(made.json["id"], "suppliers", state="attention")["sync"]
    assert (sync["remedy"], "Join" in sync["nextStep"]) == ("duplicate", True), sync
    tried = api.get(f"/api/suppliers/{made.json['id']}/exchanges").json["exchanges"]
    assert len([one for one in tried if one["what"] == "create"]) == 1
