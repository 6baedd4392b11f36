"""What needs a person: what is told of it, and that what the person does about it mends it."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.kit.api import Api
from tests.kit.site import Erp
from tests.kit.waiting import until
from tests.sync.conftest import sync_now

PLAIN = {"name": "Plain & Simple BV", "customerGroup": "Consumers", "website": "https://a.example"}
EDITED = "https://edited.example"
LOYALTY = {
    "name": "loyaltyCode",
    "label": "Loyalty code",
    "kind": "text",
    "place": {"part": "main", "field": "loyalty_code"},
}


@pytest.fixture
def admin(site: Any) -> Erp:
    """Her Administrator; `erp` asks as the hub's user."""
    return Erp(site)


@pytest.fixture
def create(api: Api, synced: Callable[..., Any]) -> Callable[..., Any]:
    def create(state: str = "in_sync", **values: Any) -> Any:
        made = api.post("/api/customers", {**PLAIN, **values})
        assert made.status == 201, made.body
        return synced(made.json["id"], state=state)

    return create


@pytest.fixture
def while_it_waits(
    api: Api, site: Any, create: Callable[..., Any], synced: Callable[..., Any]
) -> Callable[..., int]:
    """An edit that waits while somebody does `something` there; then the site takes edits again."""

    def while_it_waits(something: Callable[[], Any]) -> int:
        number = int(create()["id"])
        site.faults.add("maintenance", method="PUT", path="/api/resource/Customer")
        change(api, number, website=EDITED)
        synced(number, state="waiting")
        something()
        site.faults.clear()
        assert api.post("/api/customers/retry").status == 200
        until(lambda: sync_of(api, number)["state"] not in ("sending", "waiting"))
        return number

    return while_it_waits


def change(api: Api, number: int, **values: Any) -> None:
    assert api.ask("PUT", f"/api/customers/{number}", values).status == 200


def do(api: Api, number: int, act: str) -> None:
    done = api.post(f"/api/customers/{number}/do/{act}")
    assert done.status == 200, done.body


def sync_of(api: Api, number: int) -> Any:
    return api.get(f"/api/customers/{number}").json["sync"]


def test_a_value_that_the_site_refuses_is_told_at_its_field_and_mended_by_an_edit(
    api: Api,
    erp: Erp,
    turn_on: Callable[..., str],
    create: Callable[..., Any],
    synced: Callable[..., Any],
) -> None:
    turn_on()
    record = create("attention", customerGroup="Nope")
    sync = record["sync"]
    assert sync["remedy"] == "invalid"
    assert "Nope" in sync["wrong"]["customerGroup"]
    assert sync["nextStep"] and "Nope" in sync["why"]
    assert record["customerGroup"] == "Nope", "what was typed is lost"
    assert erp.read("Customer", record["erpnextId"]).get("customer_group") != "Nope"
    change(api, record["id"], customerGroup="Bike Shops")
    record = synced(record["id"])
    assert (record["sync"]["wrong"], record["sync"]["why"]) == ({}, None)
    assert erp.read("Customer", record["erpnextId"])["customer_group"] == "Bike Shops"
    # The same of an edit, which leaves what was there, and holds up no other field.
    change(api, record["id"], customerGroup="Nope", website=EDITED)
    record = synced(record["id"], state="attention")
    assert "Nope" in record["sync"]["wrong"]["customerGroup"]
    stored = erp.read("Customer", record["erpnextId"])
    assert (stored["customer_group"], stored["website"]) == ("Bike Shops", EDITED)
    do(api, record["id"], "give_up")
    record = synced(record["id"])
    assert (record["customerGroup"], record["website"]) == ("Bike Shops", EDITED)


def test_a_right_that_is_missing_is_told_with_the_roles_that_have_it(
    api: Api,
    erp: Erp,
    site: Any,
    turn_on: Callable[..., str],
    create: Callable[..., Any],
    synced: Callable[..., Any],
) -> None:
    turn_on()
    about = {"doctype": "Customer", "path": "/api/resource/Customer"}
    site.faults.add("forbidden", method="POST", **about)
    record = create("attention")
    sync = record["sync"]
    assert sync["remedy"] == "permission"
    assert "Customer" in sync["why"]
    assert "Sales" in sync["nextStep"], sync["nextStep"]
    assert sync["retryAt"] is None, "nothing is gained by trying again by itself"
    site.faults.clear()
    assert api.post("/api/customers/retry").json == {"retried": 1}
    record = synced(record["id"])
    assert erp.list("Customer", [["customer_name", "=", PLAIN["name"]]]) == [
        {"name": record["erpnextId"]}
    ]


def test_one_that_was_deleted_there_while_an_edit_waited_is_made_again(
    api: Api,
    admin: Erp,
    turn_on: Callable[..., str],
    while_it_waits: Callable[..., int],
    synced: Callable[..., Any],
) -> None:
    turn_on()
    number = while_it_waits(lambda: admin.delete("Customer", PLAIN["name"]))
    record = synced(number, state="attention")
    assert record["sync"]["remedy"] == "deleted_there"
    assert record["sync"]["goneAt"] and record["sync"]["nextStep"]
    assert record["website"] == EDITED, "the edit was lost"
    do(api, number, "recreate")
    record = synced(number)
    assert record["sync"]["goneAt"] is None and record["active"] is True
    assert admin.list("Customer", [["customer_name", "=", PLAIN["name"]]]) == [
        {"name": record["erpnextId"]}
    ]
    assert admin.read("Customer", record["erpnextId"])["website"] == EDITED


def test_one_that_was_deleted_there_while_an_edit_waited_is_given_up(
    api: Api,
    admin: Erp,
    turn_on: Callable[..., str],
    while_it_waits: Callable[..., int],
    synced: Callable[..., Any],
) -> None:
    turn_on()
    number = while_it_waits(lambda: admin.delete("Customer", PLAIN["name"]))
    synced(number, state="attention")
    do(api, number, "give_up")
    record = synced(number)
    assert record["active"] is False and record["sync"]["goneAt"] is not None
    assert record["sync"]["remedy"] is None
    assert admin.list("Customer", [["customer_name", "=", PLAIN["name"]]]) == []
    steps = api.get(f"/api/customers/{number}/history").json["steps"]
    values = [value for step in steps for both in step["changes"].values() for value in both]
    assert EDITED in values, "what was given up is in no history"


def test_what_is_undecided_when_its_connector_is_deleted_waits_for_nobody_any_more(
    api: Api, erp: Erp, turn_on: Callable[..., str], while_it_waits: Callable[..., int]
) -> None:
    slug = turn_on()
    change = {"doctype": "Customer", "name": PLAIN["name"], "fieldname": {"website": "theirs"}}
    method = "/api/method/frappe.client.set_value"
    number = while_it_waits(lambda: erp.ask("POST", method, change))
    assert len(api.get("/api/customers/conflicts").json["conflicts"]) == 1
    assert api.delete(f"/api/connectors/{slug}").status == 200
    assert sync_of(api, number)["state"] == "local"
    assert api.get("/api/customers/conflicts").json["conflicts"] == []
    assert api.get(f"/api/customers/{number}").json["website"] == EDITED


def test_what_a_value_has_to_be_is_said_in_the_mapping_and_holds_for_what_is_typed_here(
    api: Api, erp: Erp, turn_on: Callable[..., str], synced: Callable[..., Any]
) -> None:
    rules = {"needed": True, "choices": ["en", "nl"], "longest": 2}
    slug = turn_on(mapping=[{"name": "language", **rules}, {"name": "website", "longest": 10}])
    fields = api.get(f"/api/connectors/{slug}/two-way/customers").json["fields"]
    [language] = [one for one in fields if one["name"] == "language"]
    assert rules.items() <= language.items()
    bad = api.post("/api/customers", {**PLAIN, "language": "fr", "website": "much too long"})
    assert (bad.status, set(bad.json["fields"])) == (422, {"language", "website"})
    assert "en, nl" in bad.json["fields"]["language"]
    empty = api.post("/api/customers", {**PLAIN, "language": None, "website": None})
    assert empty.json["fields"] == {"language": "is needed"}
    made = api.post("/api/customers", {**PLAIN, "language": "nl", "website": "a.example"})
    number = made.json["id"]
    erp.change("Customer", synced(number)["erpnextId"], language="de")  # its business
    api.post("/api/customers/sync/enhanced")
    assert api.get(f"/api/customers/{number}").json["language"] == "de"
    assert api.ask("PUT", f"/api/customers/{number}", {"taxNumber": "NL 1"}).status == 200
    wrong = {"mapping": [{"name": "creditLimit", "choices": ["1"]}]}
    assert api.patch(f"/api/connectors/{slug}/two-way/customers", wrong).status == 422


@pytest.mark.usefixtures("retried_by_hand")
def test_an_attempt_that_ends_while_it_reads_is_in_the_journal_too(
    api: Api, erp: Erp, site: Any, turn_on: Callable[..., str], create: Callable[..., Any],
    synced: Callable[..., Any],
) -> None:  # fmt: skip
    turn_on()
    number = create()["id"]
    erp.change("Customer", PLAIN["name"], website="https://theirs.example")
    # Refused as based on what is old, so it reads; and that finds the site gone.
    site.faults.add("maintenance", method="GET", path="/api/resource/Customer")
    change(api, number, taxNumber="NL 1")
    synced(number, state="waiting")
    [read] = [one for one in api.get(f"/api/customers/{number}/exchanges").json["exchanges"]
              if one["what"] == "read"]  # fmt: skip
    assert (read["direction"], read["status"]) == ("out", 503)
    assert read["error"] and read["ms"] > 0
    site.faults.clear()
    assert api.post("/api/customers/retry").status == 200
    until(lambda: sync_of(api, number)["state"] == "in_sync")
    assert api.post("/api/customers/sync/enhanced").status == 200
    came = [one for one in api.get(f"/api/customers/{number}/exchanges").json["exchanges"]
            if one["direction"] == "in"]  # fmt: skip
    assert came and all(one["ms"] > 0 for one in came)


def test_what_is_given_up_while_it_is_undecided_becomes_what_erpnext_has(
    api: Api, erp: Erp, turn_on: Callable[..., str], while_it_waits: Callable[..., int]
) -> None:
    turn_on()
    theirs = "https://theirs.example"
    change = {"doctype": "Customer", "name": PLAIN["name"], "fieldname": {"website": theirs}}
    method = "/api/method/frappe.client.set_value"
    number = while_it_waits(lambda: erp.ask("POST", method, change))
    assert sync_of(api, number)["state"] == "conflict"
    do(api, number, "give_up")
    assert api.get(f"/api/customers/{number}").json["website"] == theirs
    assert api.get(f"/api/customers/{number}/conflicts").json["conflicts"] == []
    until(lambda: sync_of(api, number)["state"] == "in_sync")
    lost = {change[0] for step in api.get(f"/api/customers/{number}/history").json["steps"]
            for change in step["changes"].values()}  # fmt: skip
    assert EDITED in lost


def test_one_that_was_renamed_there_while_an_edit_waited_is_followed(
    admin: Erp,
    turn_on: Callable[..., str],
    while_it_waits: Callable[..., int],
    synced: Callable[..., Any],
) -> None:
    turn_on()
    number = while_it_waits(lambda: admin.rename("Customer", PLAIN["name"], "Renamed There"))
    record = synced(number)
    assert (record["erpnextId"], record["name"]) == ("Renamed There", "Renamed There")
    assert admin.read("Customer", "Renamed There")["website"] == EDITED
    assert admin.list("Customer", [["customer_name", "=", PLAIN["name"]]]) == []


def test_one_that_others_link_to_cannot_be_deleted_there_and_is_disabled_instead(
    api: Api, admin: Erp, turn_on: Callable[..., str], synced: Callable[..., Any]
) -> None:
    turn_on()
    orders = admin.list("Sales Order", [["docstatus", "=", 1]], ["name", "customer"])
    enabled = {row["name"] for row in admin.list("Customer", [["disabled", "=", 0]])}
    name = next(row["customer"] for row in orders if row["customer"] in enabled)
    numbers = {
        record["erpnextId"]: record["id"]
        for record in api.get("/api/customers", limit=500).json["records"]
    }
    number = numbers[name]
    assert api.delete(f"/api/customers/{number}", there="delete").status == 200
    record = synced(number, state="attention")
    assert record["sync"]["remedy"] == "linked"
    assert "is linked with" in record["sync"]["why"], record["sync"]
    assert admin.read("Customer", name)["disabled"] == 0
    do(api, number, "disable_instead")
    record = synced(number)
    assert record["deletedAt"] is not None
    assert admin.read("Customer", name)["disabled"] == 1


def test_a_field_that_the_site_has_not_is_told_before_anything_is_sent(
    api: Api,
    turn_on: Callable[..., str],
    connected: str,
    create: Callable[..., Any],
) -> None:
    turn_on(mapping=[LOYALTY])
    checked = api.post(f"/api/connectors/{connected}/two-way/customers/check")
    assert "loyalty_code" in checked.json["cannot_hold"]["loyaltyCode"]
    record = create(loyaltyCode="GOLD")
    assert record["loyaltyCode"] == "GOLD"
    assert "loyalty_code" in record["sync"]["notKept"]["loyaltyCode"]


def test_a_field_that_the_site_drops_is_told_and_sent_once_the_site_has_it(
    api: Api,
    admin: Erp,
    turn_on: Callable[..., str],
    connected: str,
    create: Callable[..., Any],
    synced: Callable[..., Any],
) -> None:
    """Mapped while two-way sync was on, so that nobody looked."""
    turn_on()
    record = create()
    at = f"/api/connectors/{connected}/two-way/customers"
    assert api.patch(at, {"mapping": [LOYALTY]}).status == 200
    change(api, record["id"], loyaltyCode="GOLD")
    record = synced(record["id"], state="attention")
    assert record["sync"]["remedy"] == "not_kept"
    assert "loyaltyCode" in record["sync"]["wrong"]
    assert "loyaltyCode" in record["sync"]["notKept"]
    do(api, record["id"], "accept")
    record = synced(record["id"])
    assert record["loyaltyCode"] == "GOLD" and "loyaltyCode" in record["sync"]["notKept"]
    polled = api.post("/api/customers/sync/enhanced").json
    assert polled["success"] and polled["finished"], polled
    assert api.get(f"/api/customers/{record['id']}").json["loyaltyCode"] == "GOLD"

    field = {"dt": "Customer", "fieldname": "loyalty_code", "label": "Loyalty code"}
    admin.create("Custom Field", fieldtype="Data", **field)
    assert api.post(f"{at}/check").json["cannot_hold"].get("loyaltyCode") is None
    do(api, record["id"], "retry")
    record = synced(record["id"])
    assert "loyaltyCode" not in record["sync"]["notKept"]
    assert admin.read("Customer", record["erpnextId"])["loyalty_code"] == "GOLD"


def test_mended_credentials_send_what_waited_without_a_word_from_anybody(
    api: Api,
    admin: Erp,
    site: Any,
    turn_on: Callable[..., str],
    create: Callable[..., Any],
    synced: Callable[..., Any],
) -> None:
    connector = turn_on()
    record = create()
    site.users["hub"].api_secret = "regenerated"
    change(api, record["id"], website=EDITED)
    waiting = synced(record["id"], state="waiting")
    assert waiting["sync"]["remedy"] == "credentials"
    assert waiting["sync"]["nextStep"] and waiting["sync"]["retryAt"]
    mended = api.patch(f"/api/connectors/{connector}", {"api_secret": "regenerated"})
    assert mended.status == 200, mended.body
    until(lambda: sync_of(api, record["id"])["state"] == "in_sync", "it did not go on by itself")
    assert admin.read("Customer", record["erpnextId"])["website"] == EDITED


@pytest.fixture
def changed_since_it_was_deleted(
    api: Api,
    admin: Erp,
    site: Any,
    turn_on: Callable[..., str],
    create: Callable[..., Any],
    synced: Callable[..., Any],
    retried_by_hand: None,
) -> Callable[..., int]:
    """Deleted here, with an edit that was on its way, and changed there before that was told."""

    def changed(first: str, **edited: Any) -> int:
        turn_on(on_delete="delete")
        number = int(create()["id"])
        for method in ("PUT", "DELETE"):
            site.faults.add("maintenance", method=method, path="/api/resource/Customer")
        if edited:
            change(api, number, **edited)
        assert api.delete(f"/api/customers/{number}").status == 200
        synced(number, state="waiting")
        body = {"doctype": "Customer", "name": PLAIN["name"]}
        body["fieldname"] = {"website": "https://theirs.example"}  # type: ignore[assignment]
        admin.ask("POST", "/api/method/frappe.client.set_value", body)
        if first == "heard of":
            sync_now(api)
        site.faults.clear()
        assert api.post("/api/customers/retry").status == 200
        assert synced(number, state="attention")["sync"]["remedy"] == "changed_there"
        assert admin.read("Customer", PLAIN["name"])["website"] == "https://theirs.example"
        return number

    return changed


@pytest.mark.parametrize("first", ["sent", "heard of"])
@pytest.mark.parametrize("edited", [{}, {"website": EDITED}], ids=["as it was", "edited"])
def test_one_that_was_changed_there_since_it_was_deleted_here_goes_when_somebody_says_so(
    api: Api, admin: Erp, changed_since_it_was_deleted: Callable[..., int], edited: Any, first: str
) -> None:
    number = changed_since_it_was_deleted(first, **edited)
    do(api, number, "delete_anyway")
    until(lambda: sync_of(api, number)["state"] == "in_sync")
    assert sync_of(api, number)["goneAt"]
    assert admin.list("Customer", [["name", "=", PLAIN["name"]]]) == []
    assert api.get(f"/api/customers/{number}/conflicts").json["conflicts"] == []
    steps = api.get(f"/api/customers/{number}/history").json["steps"]
    values = {value for step in steps for pair in step["changes"].values() for value in pair}
    assert {"https://theirs.example", *edited.values()} <= values


def test_one_that_was_changed_there_since_it_was_deleted_here_is_disabled_instead(
    api: Api, admin: Erp, changed_since_it_was_deleted: Callable[..., int]
) -> None:
    number = changed_since_it_was_deleted("sent")
    do(api, number, "disable_instead")
    until(lambda: sync_of(api, number)["state"] == "in_sync")
    document = admin.read("Customer", PLAIN["name"])
    assert (document["disabled"], document["website"]) == (1, "https://theirs.example")


def test_an_edit_that_waited_because_its_document_was_gone_goes_on_when_that_is_there_again(
    api: Api,
    admin: Erp,
    turn_on: Callable[..., str],
    while_it_waits: Callable[..., int],
    synced: Callable[..., Any],
) -> None:
    turn_on(policy="hub")
    number = while_it_waits(lambda: admin.delete("Customer", PLAIN["name"]))
    assert synced(number, state="attention")["sync"]["remedy"] == "deleted_there"
    admin.create("Customer", customer_name=PLAIN["name"], customer_type="Company")
    sync_now(api)
    record = synced(number)
    assert (record["sync"]["goneAt"], record["sync"]["why"]) == (None, None)
    assert admin.read("Customer", PLAIN["name"])["website"] == EDITED


@pytest.mark.parametrize("when", ["when it is made", "later"])
def test_what_is_given_up_before_erpnext_ever_had_it_is_not_here_either(
    api: Api,
    site: Any,
    turn_on: Callable[..., str],
    create: Callable[..., Any],
    synced: Callable[..., Any],
    when: str,
) -> None:
    turn_on()
    email = {"email": "a@example.com"}  # goes with the customer; its Contact is changed after that
    if when == "later":
        number = create(**email)["id"]
    site.faults.add("forbidden", doctype="Contact", path="/api/resource/Contact")
    if when == "later":
        change(api, number, contactPerson="Ann")
    else:
        number = create("attention", **email, contactPerson="Ann")["id"]
    assert synced(number, state="attention")["sync"]["remedy"] == "permission"
    site.faults.clear()
    do(api, number, "give_up")
    for _ in range(2):  # and it stays so
        record = synced(number)
        assert (record["contactPerson"], record["email"]) == (None, "a@example.com")
        told = api.post("/api/customers/sync/enhanced?wait=30").json
        assert told["finished"] and not told["errors"], told
    history = api.get(f"/api/customers/{number}/history").json["steps"]
    assert ["Ann", None] in [pair for step in history for pair in step["changes"].values()]
