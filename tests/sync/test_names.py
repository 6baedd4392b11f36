"""Names that paths and routes do not like: each is a customer like any other, on both sides."""

from collections.abc import Callable
from typing import Any

from tests.kit.api import Api
from tests.kit.site import Erp
from tests.kit.waiting import until

NAMES = ["Slash/", "//", "..", "a/../b", "Line\nbreak", "#1?x=1&y", 'Say "ah" \\ 50%', "日本 😀"]


def test_a_name_that_no_path_takes_is_made_changed_heard_of_and_deleted_as_any_other(
    api: Api, erp: Erp, turn_on: Callable[..., str], synced: Callable[..., Any]
) -> None:
    turn_on(on_delete="delete")
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
    assert api.post("/api/customers/sync/enhanced").status == 200
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


LENGTHS = (69, 70, 100, 132, 133, 140)


def test_long_names_are_made_with_their_address_and_contact(
    api: Api, erp: Erp, turn_on: Callable[..., str], synced: Any
) -> None:
    """ERPNext names a Contact "<name>-<name>", an Address "<name>-Billing", in 140 characters; the
    second Address of a name, here the supplier's, by a series of 100.
    """
    names = {length: f"{length} für Fahrräder ".ljust(length, "x") for length in LENGTHS}
    for prefix, group in (("customer", "Consumers"), ("supplier", "Rubber")):
        records = f"{prefix}s"
        turn_on(records)
        given = {"email": "long@example.com", "phone": "+31 6 1", "country": "Netherlands"}
        given |= {"address": "Markt 1", "city": "Delft", f"{prefix}Group": group}
        numbers = {name: api.post(f"/api/{records}", {**given, "name": name}).json["id"]
                   for name in names.values()}  # fmt: skip
        for name, number in numbers.items():
            assert synced(number, records)["erpnextId"] == name
            there = erp.read(prefix.title(), name)
            address = erp.read("Address", there[f"{prefix}_primary_address"])
            contact = erp.read("Contact", there[f"{prefix}_primary_contact"])
            assert (address["city"], contact["email_id"]) == ("Delft", "long@example.com")
            own = (prefix.title(), name)
            for document in (address, contact):
                links = [(row["link_doctype"], row["link_name"]) for row in document["links"]]
                assert links == [own]
            assert contact["company_name"] == name
            by_link = [["Dynamic Link", "link_doctype", "=", own[0]],
                       ["Dynamic Link", "link_name", "=", name]]  # fmt: skip
            for doctype in ("Address", "Contact"):
                assert len(erp.list(doctype, by_link)) == 1


def test_a_long_person_of_a_long_name_arrives_whole_and_can_be_edited(
    api: Api, erp: Erp, turn_on: Callable[..., str], synced: Any
) -> None:
    turn_on()
    person = f"Anna {'Müller-Lüdenscheidt ' * 6}".strip()
    given = {"name": "N" * 140, "contactPerson": person, "email": "p@example.com"}
    made = api.post("/api/customers", {**given, "customerGroup": "Consumers"})
    record = synced(made.json["id"])
    assert record["contactPerson"] == person
    contact = erp.read("Contact", erp.read("Customer", "N" * 140)["customer_primary_contact"])
    assert contact["full_name"] == person
    assert [row["link_doctype"] for row in contact["links"]] == ["Customer"]
    at = f"/api/customers/{made.json['id']}"
    assert api.ask("PUT", at, {"contactPerson": "Bo Li"}).status == 200
    synced(made.json["id"])
    assert erp.read("Contact", contact["name"])["full_name"] == "Bo Li"


def test_a_name_that_has_no_room_for_its_number_is_told_at_the_name(
    api: Api, turn_on: Callable[..., str], synced: Any
) -> None:
    """The second customer of a name is called "<name> - 1": longer than ERPNext's column."""
    turn_on()
    given = {"name": "N" * 140, "customerGroup": "Consumers"}
    synced(api.post("/api/customers", given).json["id"])
    sync = synced(api.post("/api/customers", given).json["id"], state="attention")["sync"]
    assert sync["remedy"] == "invalid"
    assert "longer" in sync["wrong"]["name"]
    assert "Shorten" in sync["nextStep"]
