"""What the hub's user may do there: tried before anything is turned on, never taken for empty."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from bascule.sandbox import SandboxThread
from bascule.sandbox.upgrade import upgraded
from tests.kit.api import Api
from tests.kit.site import Erp
from tests.kit.waiting import until

MASTER, USER, SYSTEM = "Sales Master Manager", "Sales User", "System Manager"
THEIRS = "https://theirs.example"
ADDRESS = {"address_line1": "Markt 1", "city": "Delft", "country": "Netherlands"}
PARTY = {"customer_name": "Made By Others", "customer_type": "Company", **ADDRESS}


@pytest.fixture
def roles() -> list[str]:
    return [MASTER]


@pytest.fixture
def major() -> int:
    return 15


@pytest.fixture
def site(erpnext_snapshot: Any, roles: list[str], major: int) -> Iterator[Any]:
    """A site on which the hub's user has these roles."""
    users = dict(erpnext_snapshot.users)
    users["hub"] = {**users["hub"], "roles": roles}
    snapshot = replace(erpnext_snapshot, users=users)
    with SandboxThread(upgraded(snapshot) if major == 16 else snapshot) as running:
        yield running


@pytest.fixture
def way(connected: str) -> str:
    return f"/api/connectors/{connected}/two-way/customers"


@pytest.fixture
def theirs(erp: Erp) -> Any:
    """A customer with an Address and a Contact that somebody else made."""
    made = erp.create("Customer", **PARTY, email_id="a@example.com")
    return erp.read("Customer", made["name"])


def record_of(api: Api, name: str) -> Any:
    [record] = api.get("/api/customers", search=name).json["records"]
    return record


def change(api: Api, number: int, **values: Any) -> None:
    changed = api.ask("PUT", f"/api/customers/{number}", values)
    assert changed.status == 200, changed.body


def look(api: Api) -> None:
    """The hub begins to look what changed there; what comes of it is waited for."""
    assert api.post("/api/customers/sync/enhanced?wait=0&whole=false").status == 200


def property_of(erp: Erp, field: str, what: str, value: int) -> None:
    """A property of a field of Customer, as Customize Form sets it."""
    setter = {"doctype_or_field": "DocField", "doc_type": "Customer", "field_name": field}
    erp.create("Property Setter", **setter, property=what, property_type="Int", value=str(value))


@pytest.mark.parametrize(
    ("roles", "limits"),
    [
        ([MASTER], {"Address": "Sales User", "Custom Field": SYSTEM}),
        ([MASTER, USER], {"Custom Field": SYSTEM}),
        ([USER, SYSTEM], {}),
    ],
    ids=["master", "master and user", "user and system"],
)
@pytest.mark.usefixtures("theirs")
def test_check_tries_each_right_and_names_the_roles_that_help(
    api: Api, way: str, limits: dict[str, str]
) -> None:
    told = api.post(f"{way}/check").json
    assert told["refused"] == []
    tried = {(one["doctype"], one["right"]): one["given"] for one in told["rights"]}
    for doctype in ("Customer", "Address", "Contact"):
        for right in ("read", "write"):
            assert tried[doctype, right] is (doctype not in limits), (doctype, right)
    assert tried["Custom Field", "create"] is ("Custom Field" not in limits)
    rights = [note for note in told["notes"] if "may not" in note["what"]]
    assert len(rights) == len(limits), rights
    for doctype, role in limits.items():
        [note] = [one for one in rights if doctype in one["what"]]
        assert role in note["next_step"] and "All" not in note["next_step"].split(", "), note


@pytest.mark.parametrize("roles", [["Sales Manager", SYSTEM]])
def test_who_may_only_read_is_refused_at_check_and_not_at_the_first_edit(
    api: Api, erp: Erp, way: str
) -> None:
    [refused] = api.post(f"{way}/check").json["refused"]
    assert "may not write documents of Customer" in refused["what"]
    assert MASTER in refused["next_step"]
    begun = api.post(f"{way}/begin", {})
    assert begun.status == 409 and "may not write documents of Customer" in begun.json["detail"]
    assert api.get(way).json["status"] == "off"
    assert erp.list("Custom Field", [["fieldname", "=", "bascule_id"]]) == []


@pytest.mark.parametrize("roles", [[MASTER, USER]])
def test_begin_tells_why_its_own_field_could_not_be_added(api: Api, way: str) -> None:
    begun = api.post(f"{way}/begin", {}).json
    assert begun["owned_field"] is None
    [why] = [note for note in begun["notes"] if "could not be added" in note["what"]]
    assert "bascule_id" in why["what"] and "Custom Field" in why["what"]
    assert SYSTEM in why["next_step"]


@pytest.mark.parametrize("roles", [[USER, SYSTEM]])
def test_what_the_site_wants_filled_and_no_field_fills_is_told_at_check(
    api: Api, erp: Erp, way: str
) -> None:
    assert not [note for note in api.post(f"{way}/check").json["notes"] if "needs" in note["what"]]
    field = {"dt": "Customer", "fieldname": "region_code", "label": "Region", "fieldtype": "Data"}
    erp.create("Custom Field", **field, reqd=1)
    property_of(erp, "tax_id", "reqd", 1)
    notes = [note for note in api.post(f"{way}/check").json["notes"] if "needs" in note["what"]]
    assert ["region_code" in note["what"] for note in notes].count(True) == 1
    assert ["tax_id" in note["what"] for note in notes].count(True) == 1
    mapping = [
        {"name": "region", "place": {"part": "main", "field": "region_code"}, "default": "EU"},
        {"name": "taxNumber", "needed": True},
    ]
    assert api.patch(way, {"mapping": mapping}).status == 200
    assert not [note for note in api.post(f"{way}/check").json["notes"] if "needs" in note["what"]]


def test_an_address_that_may_not_be_read_is_unread_and_no_other_one_is_made(
    api: Api, erp: Erp, theirs: Any, turn_on: Callable[..., str], synced: Callable[..., Any]
) -> None:
    turn_on()
    record = record_of(api, PARTY["customer_name"])
    number, address = record["id"], erp.read("Address", theirs["customer_primary_address"])
    assert record["sync"]["state"] == "in_sync"
    assert set(record["sync"]["unread"]) == {"address", "city", "state", "postalCode", "country"}
    assert address["name"] in record["sync"]["unread"]["city"]
    assert (record["city"], record["email"]) == (None, "a@example.com")
    assert "Delft" not in str(api.get(f"/customers/{number}").body)
    # Read one by one, because somebody saved it meanwhile: it says the same.
    erp.change("Customer", theirs["name"], tax_id="NL 1")
    change(api, number, website="https://a.example")
    record = synced(number)
    assert (record["taxNumber"], record["city"]) == ("NL 1", None)
    assert record["sync"]["unread"]["city"]
    # An edit of what is unread waits, one of a city too: the rest of its address is there.
    change(api, number, city="Gouda")
    record = synced(number, state="attention")
    assert set(record["sync"]["wrong"]) == {"city"}
    assert (record["city"], record["country"]) == ("Gouda", None), "a default is nobody's edit"
    # And the others go.
    change(api, number, website="https://b.example", city="Gouda", address="X", country="Belgium")
    sync = synced(number, state="attention")["sync"]
    assert sync["remedy"] == "permission" and "Sales User" in sync["nextStep"]
    assert set(sync["wrong"]) == {"city", "address", "country"}
    stored = erp.read("Customer", theirs["name"])
    assert stored["website"] == "https://b.example"
    assert stored["customer_primary_address"] == address["name"]
    about = [["Dynamic Link", "link_name", "=", theirs["name"]]]
    assert erp.list("Address", about) == [{"name": address["name"]}]
    assert erp.read("Address", address["name"])["modified"] == address["modified"]
    assert api.post(f"/api/customers/{number}/do/give_up").status == 200
    assert (synced(number)["city"], synced(number)["website"]) == (None, "https://b.example")


def test_an_address_that_is_given_back_comes_though_its_time_has_not_moved(
    api: Api, erp: Erp, theirs: Any, turn_on: Callable[..., str], synced: Callable[..., Any]
) -> None:
    turn_on()
    record = record_of(api, PARTY["customer_name"])
    change(api, record["id"], country="Netherlands", city="Gouda", address="Markt 1")
    synced(record["id"], state="attention")
    right = {"parent": "Address", "parenttype": "DocType", "parentfield": "permissions"}
    erp.create("Custom DocPerm", **right, role=MASTER, read=1, write=1, create=1)
    look(api)
    record = until(lambda: _settled(api, record["id"], "conflict"), "it was not given back")
    assert (record["address"], record["country"], record["sync"]["unread"]) == (
        "Markt 1",
        "Netherlands",
        {},
    )
    [conflict] = api.get("/api/customers/conflicts").json["conflicts"]
    assert (conflict["field"], conflict["here"], conflict["there"]) == ("city", "Gouda", "Delft")
    at = f"/api/customers/{record['id']}/conflicts/city"
    assert api.post(at, {"choice": "here"}).status == 200
    synced(record["id"])
    assert erp.read("Address", theirs["customer_primary_address"])["city"] == "Gouda"


def _settled(api: Api, number: int, state: str) -> Any:
    record = api.get(f"/api/customers/{number}").json
    return record if record["sync"]["state"] == state else None


@pytest.mark.parametrize("roles", [[USER, SYSTEM]])
def test_a_field_that_the_site_puts_back_on_save_is_told_as_one_that_it_drops(
    api: Api, erp: Erp, theirs: Any, way: str, turn_on: Callable[..., str],
    synced: Callable[..., Any],
) -> None:  # fmt: skip
    erp.change("Customer", theirs["name"], website=THEIRS)
    turn_on()
    number = record_of(api, PARTY["customer_name"])["id"]
    property_of(erp, "website", "permlevel", 1)  # nobody looked
    change(api, number, website="https://ours.example", taxNumber="NL 1")
    record = synced(number, state="attention")
    assert record["sync"]["remedy"] == "not_kept" and "website" in record["sync"]["wrong"]
    assert record["website"] == "https://ours.example", "it was reverted without a word"
    assert "website" in record["sync"]["notKept"]
    stored = erp.read("Customer", theirs["name"])
    assert (stored["website"], stored["tax_id"]) == (THEIRS, "NL 1")
    checked = api.post(f"{way}/check").json["cannot_hold"]["website"]
    assert "permission level 1" in checked and MASTER in checked


@pytest.mark.parametrize("roles", [[USER, SYSTEM]])
def test_a_field_of_a_new_one_that_the_site_puts_back_is_told(
    api: Api, erp: Erp, turn_on: Callable[..., str], synced: Callable[..., Any]
) -> None:
    turn_on()
    property_of(erp, "website", "permlevel", 1)
    new = {"name": "New One", "website": "https://ours.example", "customerGroup": "Consumers"}
    made = api.post("/api/customers", new)
    record = synced(made.json["id"], state="attention")
    assert record["website"] == "https://ours.example", "it was emptied without a word"
    assert "website" in record["sync"]["notKept"] and record["sync"]["remedy"] == "not_kept"
    assert not erp.read("Customer", record["erpnextId"]).get("website")


@pytest.mark.parametrize("major", [16])
def test_who_may_not_write_the_address_is_told_that_version_16_saves_it_with_its_customer(
    api: Api, erp: Erp, theirs: Any, way: str, turn_on: Callable[..., str],
    synced: Callable[..., Any],
) -> None:  # fmt: skip
    notes = [note["what"] for note in api.post(f"{way}/check").json["notes"]]
    assert [what for what in notes if "nor is its Customer" in what], notes
    turn_on()
    number = record_of(api, PARTY["customer_name"])["id"]
    change(api, number, website="https://ours.example")
    sync = synced(number, state="attention")["sync"]
    assert sync["remedy"] == "permission" and "Address" in sync["why"]
    assert USER in sync["nextStep"] and MASTER not in sync["nextStep"], sync["nextStep"]
    assert erp.read("Address", theirs["customer_primary_address"])["owner"] == "Administrator"


@pytest.mark.parametrize(("roles", "major"), [([USER, SYSTEM], 16)])
def test_two_way_sync_of_a_doctype_with_a_masked_field_is_refused(
    api: Api, erp: Erp, theirs: Any, way: str, turn_on: Callable[..., str],
    synced: Callable[..., Any],
) -> None:  # fmt: skip
    erp.change("Customer", theirs["name"], tax_id="NL123456789B01")
    turn_on()
    number = record_of(api, PARTY["customer_name"])["id"]
    property_of(erp, "tax_id", "mask", 1)  # while it is on
    erp.change("Customer", theirs["name"], website=THEIRS)
    look(api)
    until(lambda: "tax_id" in str(api.get(way).json["last_error"]), "it was not told")
    record = api.get(f"/api/customers/{number}").json
    assert record["taxNumber"] == "NL123456789B01", "X's were taken for a value"
    change(api, number, language="nl")
    until(lambda: api.get(f"/api/customers/{number}").json["sync"]["state"] != "sending")
    assert erp.read("Customer", theirs["name"])["tax_id"] == "NL123456789B01"
    assert api.delete(way).status == 200
    [refused] = api.post(f"{way}/check").json["refused"]
    assert "tax_id" in refused["what"] and "ask" in refused["next_step"]
    begun = api.post(f"{way}/begin", {})
    assert begun.status == 409 and "tax_id" in begun.json["detail"]


@pytest.mark.parametrize("roles", [[MASTER, USER, SYSTEM]])
@pytest.mark.parametrize(
    ("major", "costs"),
    # The Address shows in the Customer, which is read once before it is written again; from 16 on
    # a Customer is saved with its Address, and each is saved with the other.
    [(15, {"main": 1, "both": 2, "again": 2}), (16, {"main": 1, "both": 4, "again": 2})],
)
def test_an_edit_costs_no_refused_write_though_the_site_saves_one_with_the_other(
    api: Api, site: Any, erp: Erp, theirs: Any, turn_on: Callable[..., str],
    synced: Callable[..., Any], costs: dict[str, int],
) -> None:  # fmt: skip
    turn_on()
    number = record_of(api, PARTY["customer_name"])["id"]

    def asked(**values: Any) -> int:
        counter = site.faults.add("latency", seconds=0, times=1_000, path="/api/resource/")
        change(api, number, **values)
        synced(number)
        site.faults.clear(counter)
        return 1_000 - int(counter.times)

    found = {
        "main": asked(website="https://1.example"),
        "both": asked(website="https://2.example", city="Gouda"),
        "again": asked(website="https://3.example"),
    }
    assert found == costs
    steps = api.get(f"/api/customers/{number}/exchanges").json["exchanges"]
    assert [one for one in steps if one["status"] and one["status"] >= 400] == []
    assert erp.read("Customer", theirs["name"])["website"] == "https://3.example"
    assert erp.read("Address", theirs["customer_primary_address"])["city"] == "Gouda"
    erp.change("Address", theirs["customer_primary_address"], pincode="2801")
    look(api)
    until(lambda: api.get(f"/api/customers/{number}").json["postalCode"] == "2801")
    assert synced(number)["sync"]["unread"] == {}


@pytest.mark.parametrize("roles", [[USER, SYSTEM]], ids=["user and system"])
def test_a_field_of_the_hub_that_the_site_refuses_breaks_nothing_there(
    api: Api, erp: Erp, site: Any, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ERPNext 15.90 as it is released refuses any Custom Field of Customer, and keeps it in the
    definition that it works with all the same.
    """
    definition = site.site.schema.original("Customer")
    nowhere = {"link_doctype": "WhatsApp Message", "link_fieldname": "customer"}
    monkeypatch.setitem(definition, "links", [nowhere])
    begun = api.post(f"{way}/begin", {"own_field": True})
    assert begun.status == 200, begun.body
    told = str(begun.json["last_summary"]["notes"])
    assert "WhatsApp Message" in told and "by name, owner and time" in told, told
    made = erp.create("Customer", **PARTY)
    assert erp.read("Customer", made["name"])["customer_name"] == PARTY["customer_name"]
