"""Names that paths and routes do not like: each is a customer like any other, on both sides."""

from collections.abc import Callable
from typing import Any

from api.conftest import Api

from .conftest import Erp, until

NAMES = ["Slash/", "//", "..", "a/../b", "Line\nbreak", "#1?x=1&y", 'Say "ah" \\ 50%', "日本 😀"]


def test_a_name_that_no_path_takes_is_made_changed_heard_of_and_deleted_as_any_other(
    api: Api, erp: Erp, turn_on: Callable[..., str], synced: Callable[..., Any]
) -> None:
    slug = turn_on(on_delete="delete")
    numbers = {}
    for name in NAMES:
        made = api.post("/api/customers", {"name": name, "customerGroup": "Consumers"})
        assert made.status == 201, made.body
        numbers[name] = made.json["id"]
    for name, number in numbers.items():
        assert synced(number)["erpnextId"] == name
        assert api.ask("PUT", f"/api/customers/{number}", {"website": "here.example"}).status == 200
    for name, number in numbers.items():
        synced(number)
        [there] = erp.list("Customer", [["name", "=", name]], ["website"])
        assert there["website"] == "here.example"
        values = {"doctype": "Customer", "name": name, "fieldname": {"tax_id": "NL 9"}}
        erp.ask("POST", "/api/method/frappe.client.set_value", values)
    assert api.post(f"/api/customers/sync/enhanced?connector={slug}").status == 200
    for number in numbers.values():
        until(lambda n=number: api.get(f"/api/customers/{n}").json["taxNumber"] == "NL 9")
        assert api.ask("DELETE", f"/api/customers/{number}").status == 200
    for name, number in numbers.items():
        synced(number)
        assert not erp.list("Customer", [["name", "=", name]])


def test_a_name_that_the_site_refuses_is_told_at_the_name(
    api: Api, turn_on: Callable[..., str], synced: Callable[..., Any]
) -> None:
    turn_on()
    made = api.post("/api/customers", {"name": "<b>Bold</b>", "customerGroup": "Consumers"})
    sync = synced(made.json["id"], state="attention")["sync"]
    assert sync["remedy"] == "invalid"
    assert "special characters" in sync["wrong"]["name"]
