"""Customers kept the same on both sides, by people who look at pages."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Page, expect

from bascule.sandbox import SandboxThread
from tests.browser.conftest import Visit
from tests.kit.api import Api
from tests.kit.connecting import connect
from tests.kit.hub import RunningHub
from tests.kit.site import Erp
from tests.kit.two_way import turn_on
from tests.kit.waiting import until

Start = Callable[..., Visit]
ANN = {
    "name": "Café Müller & Søn",
    "contactPerson": "Ann Müller",
    "email": "ann@example.com",
    "phone": "+31 6 12345678",
    "address": "Markt 1",
    "city": "Delft",
    "country": "Netherlands",
    "website": "https://muller.example.com",
    "taxNumber": "NL140663166B01",
    "creditLimit": 5000,
    "customerGroup": "Bike Shops",
    "territory": "Netherlands",
}


@pytest.fixture
def site(erpnext_snapshot: Any) -> Iterator[Any]:
    """Its own for each of these: they write to it."""
    with SandboxThread(erpnext_snapshot) as running:
        yield running


@pytest.fixture
def erp(site: Any) -> Erp:
    return Erp(site)


@pytest.fixture
def api(hub: RunningHub) -> Api:
    return Api(hub.url, hub.token)


@pytest.fixture
def connected(api: Api, site: Any) -> str:
    return str(connect(api, site, name="The Shop", streams=[])["slug"])


@pytest.fixture
def synced(api: Api, connected: str) -> str:
    """The connector with two-way sync of customers on, and its customers here."""
    turn_on(api, connected)
    return connected


def state(api: Api, number: int) -> str:
    return str(api.get(f"/api/customers/{number}").json["sync"]["state"])


def test_it_is_turned_on_from_the_page_after_a_look_at_the_pairs(
    visit: Start, person: Callable[[str], str], connected: str, api: Api, erp: Erp
) -> None:
    theirs = erp.list("Customer", fields=["name"])[0]["name"]
    api.post("/api/customers", {"name": theirs})
    alone = {"name": "Known Here Alone", "customerGroup": "Bike Shops", "territory": "Netherlands"}
    api.post("/api/customers", alone)
    for name in ("One", "Two"):
        api.post("/api/customers", {"name": name, "email": "both@example.com"})
    contact = {"first_name": "B", "email_ids": [{"email_id": "both@example.com", "is_primary": 1}]}
    made = erp.create("Customer", customer_name="Another Name", customer_type="Company")
    links = [{"link_doctype": "Customer", "link_name": made["name"]}]
    contact = erp.create("Contact", **contact, links=links)
    erp.change("Customer", made["name"], customer_primary_contact=contact["name"])

    admin = visit()
    admin.sign_in(person("admin"))
    page = admin.go("/customers")
    admin.shoot("customers-local")
    admin.go(f"/connectors/{connected}")
    page.get_by_role("link", name="Two-way sync").click()
    assert Axe().run(page).response["violations"] == []
    admin.shoot("two-way-off")
    page.get_by_role("button", name="Check").click()
    expect(page.locator("#checked")).to_contain_text("cannot hold")
    admin.shoot("two-way-checked")
    page.evaluate("window.notReloaded = true")
    page.get_by_role("button", name="Begin").click()
    expect(page.get_by_role("heading", name="What would happen")).to_be_visible()
    expect(page.locator(".tallies")).to_contain_text("1 pair")
    admin.shoot("two-way-preview")
    one = page.locator(".matches li").filter(has_text="One")
    one.get_by_role("button", name="Join").click()
    expect(page.locator(".tallies")).to_contain_text("2 pairs")
    page.locator(".matches li").filter(has_text="Two").get_by_role("button", name="Join").click()
    expect(page.get_by_role("alert")).to_contain_text("paired with another record already")
    page.get_by_role("link", name=re.compile("^Pairs")).click()
    admin.shoot("two-way-pairs")
    assert erp.list("Customer", [["customer_name", "=", "Known Here Alone"]]) == []
    page.get_by_role("button", name="Confirm").click()
    expect(page.get_by_role("status").first).to_contain_text("is on")
    until(lambda: erp.list("Customer", [["customer_name", "=", "Known Here Alone"]]))
    expect(page.get_by_text("not yet")).to_have_count(0)
    admin.shoot("two-way-on")
    admin.go("/customers")
    expect(page.locator("tbody tr").first).to_be_visible()
    admin.shoot("customers")
    assert len(erp.list("Customer", [["name", "=", theirs]])) == 1


def test_both_sides_are_edited_and_a_click_settles_it(
    visit: Start, person: Callable[[str], str], synced: str, api: Api, erp: Erp
) -> None:
    editor = visit()
    editor.sign_in(person("editor"))
    page = editor.go("/customers")
    page.get_by_role("link", name="New customer").click()
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#error-f-name")).to_contain_text("Name is needed")
    fill(page, **ANN)
    page.get_by_label("E-mail").fill("not an address")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#error-f-email")).to_be_visible()
    expect(page.get_by_label("Name", exact=True)).to_have_value(ANN["name"])  # type: ignore[arg-type]
    editor.shoot("customer-new-refused")
    page.get_by_label("E-mail").fill("ann@example.com")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#head")).to_be_visible()
    page.evaluate("window.notReloaded = true")
    expect(page.locator("#head")).to_contain_text("In sync")
    assert page.evaluate("window.notReloaded")
    editor.shoot("customer")
    number = int(page.url.rpartition("/")[2])
    name = api.get(f"/api/customers/{number}").json["erpnextId"]
    customer = erp.read("Customer", name)
    assert customer["tax_id"] == "NL140663166B01"

    erp.change("Customer", name, website="https://theirs.example.com")
    erp.change("Contact", customer["customer_primary_contact"], phone_nos=[
        {"phone": "+31 71 22", "is_primary_mobile_no": 1}])  # fmt: skip
    page.get_by_role("link", name="Edit").click()
    page.get_by_label("Website").fill("https://ours.example.com")
    page.get_by_label("Phone").fill("+31 20 11")
    editor.shoot("customer-edit")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#head")).to_contain_text("Conflict")
    editor.shoot("customer-conflict")

    other = editor.context.new_page()
    other.goto(f"{editor.url}/conflicts")
    expect(other.get_by_role("article", name="Website")).to_be_visible()
    editor.go("/conflicts")
    editor.shoot("conflicts")
    editor.go("/")
    told = "1 customer changed here and in ERPNext: 2 fields to decide."
    expect(page.get_by_text(told)).to_be_visible()
    editor.shoot("home-conflict")
    page.get_by_role("link", name="Decide").click()
    website = page.get_by_role("article", name="Website")
    expect(website).to_contain_text("https://theirs.example.com")
    website.get_by_role("button", name="Keep ours").click()
    expect(page.get_by_role("status").first).to_contain_text("https://ours.example.com")
    expect(other.get_by_role("article", name="Website")).to_have_count(0)  # told, not asked
    phone = page.get_by_role("article", name="Phone")
    phone.get_by_text("Neither").click()
    phone.get_by_label("Another value for Phone").fill("+31 10 33")
    phone.get_by_role("button", name="Use this").click()
    expect(page.get_by_text("Nothing to decide")).to_be_visible()
    expect(other.get_by_text("Nothing to decide")).to_be_visible()
    editor.go(f"/customers/{number}")
    expect(page.locator("#head")).to_contain_text("In sync")
    expect(page.locator(".timeline")).to_contain_text("https://theirs.example.com")
    editor.shoot("customer-settled")

    customer = erp.read("Customer", name)
    contact = erp.read("Contact", customer["customer_primary_contact"])
    assert customer["website"] == "https://ours.example.com"
    assert [row["phone"] for row in contact["phone_nos"]] == ["+31 10 33"]
    record = api.get(f"/api/customers/{number}").json
    assert (record["website"], record["phone"]) == ("https://ours.example.com", "+31 10 33")


def test_what_erpnext_refuses_is_mended_by_editing(
    visit: Start, person: Callable[[str], str], synced: str, api: Api, erp: Erp
) -> None:
    number = api.post("/api/customers", {**ANN, "territory": "Atlantis"}).json["id"]
    until(lambda: state(api, number) == "attention")
    editor = visit()
    editor.sign_in(person("editor"))
    page = editor.go("/")
    page.get_by_role("link", name="Mend").click()
    expect(page.locator(".waiting")).to_contain_text("Atlantis")
    editor.shoot("attention")
    page.get_by_role("link", name=str(ANN["name"])).click()
    editor.shoot("customer-attention")
    page.get_by_role("link", name="Edit").first.click()
    expect(page.locator("#error-f-territory")).to_contain_text("Atlantis")
    page.get_by_label("Territory").fill("Netherlands")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#head")).to_contain_text("In sync")
    assert len(erp.list("Customer", [["customer_name", "=", ANN["name"]]])) == 1
    editor.go("/attention")
    expect(page.get_by_text("Nothing needs attention")).to_be_visible()
    editor.shoot("attention-empty")


@pytest.mark.usefixtures("retried_by_hand")
def test_a_site_that_is_down_is_waited_for_and_retried_with_a_click(
    visit: Start, person: Callable[[str], str], synced: str, api: Api, erp: Erp, site: Any
) -> None:
    editor = visit()
    editor.sign_in(person("editor"))
    site.faults.add("maintenance")
    try:
        number = api.post("/api/customers", ANN).json["id"]
        until(lambda: state(api, number) == "waiting")
        page = editor.go(f"/customers/{number}")
        expect(page.locator("#head")).to_contain_text("Waiting to retry")
        editor.shoot("customer-waiting")
        editor.go("/customers?state=waiting")
        expect(page.locator("tbody tr")).to_have_count(1)
        editor.shoot("customers-waiting")
    finally:
        site.faults.clear()
    page.get_by_role("button", name="Retry all").click()
    expect(page.get_by_role("status").first).to_be_visible()
    editor.go(f"/customers/{number}")
    expect(page.locator("#head")).to_contain_text("In sync")
    assert len(erp.list("Customer", [["customer_name", "=", ANN["name"]]])) == 1


def test_one_is_deleted_with_a_choice_and_restored(
    visit: Start, person: Callable[[str], str], synced: str, api: Api, erp: Erp
) -> None:
    number = api.post("/api/customers", ANN).json["id"]
    until(lambda: state(api, number) == "in_sync")
    name = api.get(f"/api/customers/{number}").json["erpnextId"]
    editor = visit()
    editor.sign_in(person("editor"))
    page = editor.go(f"/customers/{number}")
    page.get_by_role("button", name="Delete").first.click()
    page.get_by_label("Disable it there").check()
    page.locator("dialog[open]").get_by_role("button", name="Delete").click()
    until(lambda: erp.read("Customer", name)["disabled"] == 1)
    expect(page.get_by_role("button", name="Restore")).to_be_visible()
    editor.shoot("customer-deleted")
    page.get_by_role("button", name="Restore").click()
    until(lambda: erp.read("Customer", name)["disabled"] == 0)
    expect(page.locator("#head")).to_contain_text("In sync")


def test_a_form_that_is_open_tells_of_a_change_and_loses_nothing(
    visit: Start, person: Callable[[str], str], synced: str, api: Api
) -> None:
    number = api.post("/api/customers", ANN).json["id"]
    until(lambda: state(api, number) == "in_sync")
    editor = visit()
    editor.sign_in(person("editor"))
    page = editor.go(f"/customers/{number}/edit")
    page.get_by_label("City").fill("Leiden")
    page.get_by_label("Phone").fill("+31 20 99")
    changes = {"city": "Gouda", "website": "https://new.example.com"}
    assert api.ask("PUT", f"/api/customers/{number}", changes).status == 200
    expect(page.get_by_text("Somebody changed it while you have it open")).to_be_visible()
    expect(page.get_by_label("City")).to_have_value("Leiden")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Changed meanwhile: nothing was saved yet")).to_be_visible()
    expect(page.locator(".meanwhile")).to_contain_text("Gouda")
    expect(page.get_by_label("City")).to_have_value("Leiden")
    expect(page.get_by_label("Website")).to_have_value("https://new.example.com")
    editor.shoot("customer-edit-meanwhile")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status").first).to_contain_text("is saved")
    record = api.get(f"/api/customers/{number}").json
    assert (record["city"], record["phone"]) == ("Leiden", "+31 20 99")
    assert record["website"] == "https://new.example.com"


def test_a_field_of_ones_own_is_mapped_on_the_page(
    visit: Start, person: Callable[[str], str], synced: str, api: Api, erp: Erp
) -> None:
    for name in ("loyalty_code", "vat_no"):
        erp.create("Custom Field", dt="Customer", fieldname=name, label=name, fieldtype="Data")
    admin = visit()
    admin.sign_in(person("admin"))
    page = admin.go(f"/connectors/{synced}/two-way/customers")
    page.get_by_text("Add a field of your own").click()
    form = page.locator("#new-field")
    form.get_by_label("Name in the API").fill("Loyalty Code")
    form.get_by_label("Field of ERPNext").fill("loyalty_code")
    form.get_by_role("button", name="Add the field").click()
    expect(page.locator("#new-field").get_by_role("alert")).to_contain_text("no name for a field")
    form.get_by_label("Name in the API").fill("loyaltyCode")
    form.get_by_label("Label").fill("Loyalty code")
    admin.shoot("two-way-new-field")
    form.get_by_role("button", name="Add the field").click()
    expect(page.get_by_role("status").first).to_contain_text("the site can hold it")
    page.locator("#of-vatNumber summary").click()
    vat = page.locator("#of-vatNumber")
    expect(vat).to_contain_text("Kept here alone")
    vat.get_by_label("In this field").check()
    vat.get_by_label("Field of ERPNext").fill("loyalty_code")
    vat.get_by_role("button", name="Save").click()
    expect(vat.get_by_role("alert")).to_contain_text("at the place of")
    vat.get_by_label("Field of ERPNext").fill("vat_no")
    vat.get_by_label("When both sides changed it").select_option("ERPNext wins")
    vat.get_by_label("One of").fill("NL1, NL2")
    admin.shoot("two-way-fields")
    vat.get_by_role("button", name="Save").click()
    expect(page.locator("#of-vatNumber summary")).to_contain_text("vat_no")
    expect(page.locator("#of-vatNumber summary")).to_contain_text("ERPNext wins")
    number = api.post("/api/customers", {**ANN, "loyaltyCode": "G", "vatNumber": "NL1"}).json["id"]
    until(lambda: state(api, number) == "in_sync")
    name = api.get(f"/api/customers/{number}").json["erpnextId"]
    assert erp.read("Customer", name)["vat_no"] == "NL1"
    refused = api.ask("PUT", f"/api/customers/{number}", {"vatNumber": "BE1"})
    assert refused.json["fields"] == {"vatNumber": "is one of: NL1, NL2"}
    page.locator("#of-customerGroup summary").click()
    group = page.locator("#of-customerGroup")
    group.get_by_label("Default of a new one").fill("Nobody's Group")
    group.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status").first).to_contain_text("no Customer Group")
    page.locator("#of-vatNumber summary").click()
    page.locator("#of-vatNumber").get_by_role("button", name="As it was").click()
    expect(page.locator("#of-vatNumber summary")).to_contain_text("Kept here alone")


def test_a_viewer_reads_and_decides_nothing(
    visit: Start, person: Callable[[str], str], synced: str, api: Api
) -> None:
    number = api.post("/api/customers", ANN).json["id"]
    until(lambda: state(api, number) == "in_sync")
    viewer = visit()
    viewer.sign_in(person("viewer"))
    page = viewer.go("/customers")
    page.get_by_role("searchbox").fill("muller.example")
    expect(page.locator("tbody tr")).to_have_count(1)
    page.get_by_role("link", name=str(ANN["name"])).click()
    expect(page.locator("#head")).to_contain_text("In sync")
    for path in (f"/customers/{number}", "/customers", f"/connectors/{synced}/two-way/customers"):
        viewer.go(path)
        expect(page.locator("main form[method=post] button")).to_have_count(0)
    csrf = page.locator("input[name=csrf_token]").first.get_attribute("value") or ""
    for path in (f"/customers/{number}/edit", f"/customers/{number}/delete", "/customers/new",
                 f"/connectors/{synced}/two-way/customers/off"):  # fmt: skip
        refused = viewer.context.request.post(
            viewer.url + path, form={"csrf_token": csrf}, headers={"Origin": viewer.url}
        )
        assert refused.status == 403, path


def fill(page: Page, **values: Any) -> None:
    labels = {
        "contactPerson": "Contact person", "email": "E-mail", "taxNumber": "Tax number",
        "creditLimit": "Credit limit", "customerGroup": "Customer group",
    }  # fmt: skip
    for name, value in values.items():
        label = labels.get(name, name.capitalize())
        page.get_by_label(label, exact=True).fill(str(value))


@pytest.mark.usefixtures("retried_by_hand")
def test_what_was_changed_there_since_it_was_deleted_here_goes_when_somebody_says_so(
    visit: Start, person: Callable[[str], str], synced: str, site: Any, api: Api, erp: Erp
) -> None:
    number = api.post("/api/customers", ANN).json["id"]

    until(lambda: state(api, number) == "in_sync")
    site.faults.add("maintenance", method="DELETE")
    assert api.delete(f"/api/customers/{number}", there="delete").status == 200
    until(lambda: state(api, number) == "waiting")
    name = api.get(f"/api/customers/{number}").json["erpnextId"]
    erp.change("Customer", name, website="https://theirs.example.com")
    site.faults.clear()
    editor = visit()
    editor.sign_in(person("editor"))
    page = editor.go("/attention")
    page.get_by_role("button", name="Retry").first.click()
    until(lambda: state(api, number) == "attention")
    editor.go("/attention")
    expect(page.get_by_role("link", name=ANN["name"])).to_be_visible()  # type: ignore[arg-type]
    editor.shoot("attention-changed-since")
    editor.go(f"/customers/{number}")
    expect(page.locator("main")).to_contain_text("somebody changed it after it was deleted here")
    expect(page.locator(".timeline")).to_contain_text("https://theirs.example.com")
    editor.shoot("customer-changed-since")
    page.get_by_role("button", name="Delete it there all the same").click()
    editor.shoot("customer-delete-anyway")
    page.locator("dialog[open]").get_by_role("button", name="Delete it there").click()
    until(lambda: not erp.list("Customer", [["name", "=", name]]))
    expect(page.locator("main")).to_contain_text("It is deleted here and in The Shop.")
    expect(page.get_by_role("button", name="Delete it there all the same")).to_have_count(0)
    editor.shoot("customer-deleted-anyway")
