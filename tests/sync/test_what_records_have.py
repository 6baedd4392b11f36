"""What a record says it has is what ERPNext has: defaults, countries, texts, numbers, addresses.

All of it on one hub and one site; each test makes its own records.
"""

import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from bascule.sandbox import SandboxThread
from tests.kit import two_way
from tests.kit.api import Api
from tests.kit.connecting import connect
from tests.kit.database import FreshSettings
from tests.kit.hub import RunningHub
from tests.kit.site import Erp
from tests.kit.waiting import until
from tests.sync.conftest import sync_now

SHOP = {"name": "Shop & Sons", "customerGroup": "Consumers"}
AT = {"address": "Markt 1", "city": "Delft", "country": "Netherlands"}


@pytest.fixture(scope="module")
def site(erpnext_snapshot: Any) -> Iterator[Any]:
    with SandboxThread(erpnext_snapshot) as running:
        yield running


@pytest.fixture(scope="module")
def erp(site: Any) -> Erp:
    return Erp(site)


@pytest.fixture(scope="module")
def api(fresh_settings: FreshSettings) -> Iterator[Api]:
    with fresh_settings() as settings, RunningHub(settings) as running:
        yield Api(running.url, running.token)


@pytest.fixture(scope="module")
def connector(api: Api, site: Any) -> str:
    """The slug of a connector with two-way sync of both kinds on."""
    slug = str(connect(api, site, name="The Shop", streams=[])["slug"])
    for records in ("customers", "suppliers"):
        two_way.turn_on(api, slug, records)
    return slug


@pytest.fixture
def turn_on(api: Api, connector: str) -> Callable[..., str]:
    """Two-way sync of a record type with other settings; the connector's slug."""

    def turn_on(records: str = "customers", **settings: Any) -> str:
        at = f"/api/connectors/{connector}/two-way/{records}"
        assert api.patch(at, settings).status == 200
        return connector

    return turn_on


@pytest.fixture
def made(api: Api, synced: Callable[..., Any]) -> Callable[..., Any]:
    """A record made here, once it is in ERPNext."""

    def made(records: str = "customers", **values: Any) -> Any:
        answer = api.post(f"/api/{records}", values)
        assert answer.status == 201, answer.body
        return synced(answer.json["id"], records)

    return made


def test_a_default_of_an_address_is_not_shown_where_there_is_no_address(
    api: Api, erp: Erp, turn_on: Callable[..., str], made: Any, synced: Any
) -> None:
    turn_on(defaults={"country": "Germany"})
    record = made(**SHOP, website="https://shop.example")
    assert record["country"] is None
    page = api.get(f"/customers/{record['id']}").body.decode()
    assert "https://shop.example" in page and "Germany" not in page
    at = f"/api/customers/{record['id']}"
    assert api.ask("PUT", at, {"address": "Markt 1", "city": "Delft"}).status == 200
    record = synced(record["id"])
    assert record["country"] == "Germany", "an Address needs one, and this is the default"
    address = erp.read("Customer", record["erpnextId"])["customer_primary_address"]
    assert erp.read("Address", address)["country"] == "Germany"


def test_a_country_without_an_address_is_told_to_be_kept_here_alone(
    turn_on: Callable[..., str], made: Any
) -> None:
    turn_on()
    record = made(**SHOP, country="Netherlands")
    assert record["country"] == "Netherlands"
    assert "Address" in record["sync"]["notKept"]["country"]


def test_an_address_can_be_taken_away_and_given_again(
    api: Api, erp: Erp, turn_on: Callable[..., str], made: Any, synced: Any
) -> None:
    turn_on()
    record = made(**SHOP, **AT, postalCode="2611 AA")
    at = f"/api/customers/{record['id']}"
    first = erp.read("Customer", record["erpnextId"])["customer_primary_address"]
    nothing = dict.fromkeys(("address", "city", "state", "postalCode", "country"))
    assert api.ask("PUT", at, nothing).status == 200
    record = synced(record["id"])
    assert [record[name] for name in nothing] == [None] * 5
    there = erp.read("Customer", record["erpnextId"])
    assert not there.get("customer_primary_address") and not there.get("primary_address")
    assert erp.read("Address", first)["disabled"] == 1, "what was there is not destroyed"
    assert api.ask("PUT", at, {**AT, "address": "Kade 2"}).status == 200
    record = synced(record["id"])
    second = erp.read("Customer", record["erpnextId"])["customer_primary_address"]
    assert (second != first, erp.read("Address", second)["address_line1"]) == (True, "Kade 2")


def test_an_address_that_others_have_too_is_let_go_of(
    api: Api, erp: Erp, turn_on: Callable[..., str], made: Any, synced: Any
) -> None:
    turn_on()
    record = made(**SHOP, **AT)
    name = erp.read("Customer", record["erpnextId"])["customer_primary_address"]
    other = next(one["name"] for one in erp.list("Customer") if one["name"] != record["erpnextId"])
    links = [{"link_doctype": "Customer", "link_name": who} for who in (record["erpnextId"], other)]
    erp.change("Address", name, links=links)
    sync_now(api)
    nothing = dict.fromkeys(("address", "city", "state", "postalCode", "country"))
    assert api.ask("PUT", f"/api/customers/{record['id']}", nothing).status == 200
    synced(record["id"])
    address = erp.read("Address", name)
    assert [row["link_name"] for row in address["links"]] == [other]
    assert address["disabled"] == 0


def test_a_supplier_has_a_country_of_its_own_beside_that_of_its_address(
    api: Api, erp: Erp, turn_on: Callable[..., str], made: Any, synced: Any
) -> None:
    turn_on("suppliers")
    given = {"name": "Reifen AG", "supplierGroup": "Rubber", "supplierCountry": "Germany", **AT}
    record = made("suppliers", **given)
    there = erp.read("Supplier", record["erpnextId"])
    assert (record["supplierCountry"], there["country"]) == ("Germany", "Germany")
    address = erp.read("Address", there["supplier_primary_address"])
    assert (record["country"], address["country"]) == ("Netherlands", "Netherlands")
    at = f"/api/suppliers/{record['id']}"
    assert api.ask("PUT", at, {"supplierCountry": "Belgium"}).status == 200
    synced(record["id"], "suppliers")
    assert erp.read("Supplier", record["erpnextId"])["country"] == "Belgium"
    erp.change("Supplier", record["erpnextId"], country="Netherlands")
    assert api.post("/api/suppliers/sync/enhanced?wait=60&whole=false").json["finished"]
    assert api.get(at).json["supplierCountry"] == "Netherlands"


def test_a_list_shows_what_its_records_have(
    api: Api, turn_on: Callable[..., str], made: Any
) -> None:
    turn_on("suppliers")
    made("suppliers", name="Zz Reifen", supplierGroup="Rubber", supplierCountry="Germany")
    page = api.get("/suppliers", search="Zz Reifen").body.decode()
    assert '<th scope="col" class="wide">Supplier&#39;s country</th>' in page
    assert "City</th>" not in page and "E-mail</th>" not in page
    assert "Germany" in page


def test_what_frappe_escapes_comes_back_as_it_was_typed(
    api: Api, erp: Erp, turn_on: Callable[..., str], made: Any, synced: Any
) -> None:
    turn_on()
    typed = "<b>Tom</b> & Ann <1>"
    record = made(**SHOP, taxNumber=typed)
    assert "&amp;" in erp.read("Customer", record["erpnextId"])["tax_id"]
    assert record["taxNumber"] == typed
    sync_now(api)
    assert api.get(f"/api/customers/{record['id']}").json["taxNumber"] == typed


def test_an_apostrophe_may_be_in_an_e_mail_address(
    erp: Erp, turn_on: Callable[..., str], made: Any
) -> None:
    turn_on()
    record = made(**SHOP, email="pat.o'neil@example.com")
    contact = erp.read("Customer", record["erpnextId"])["customer_primary_contact"]
    assert erp.read("Contact", contact)["email_id"] == "pat.o'neil@example.com"


def test_a_number_is_shown_with_all_that_it_says(api: Api) -> None:
    said = {0.001: "0.001", 1234.5: "1,234.50", 5000: "5,000", 0.1 + 0.2: "0.30"}
    for limit, shown in said.items():
        made = api.post("/api/customers", {**SHOP, "creditLimit": limit})
        page = api.get(f"/customers/{made.json['id']}").body.decode()
        assert re.search(rf"<dd>{re.escape(shown)}\s*<", page), shown


def test_a_shorter_time_between_looks_brings_the_next_one_forward(
    api: Api, turn_on: Callable[..., str]
) -> None:
    at = f"/api/connectors/{turn_on(poll_minutes=600)}/two-way/customers"
    before = datetime.fromisoformat(api.get(at).json["next_poll_at"])
    told = api.patch(at, {"poll_minutes": 5}).json
    after = datetime.fromisoformat(told["next_poll_at"])
    assert before - after > timedelta(minutes=500)


def test_what_the_hub_deleted_is_made_again_when_it_is_restored(
    api: Api, erp: Erp, turn_on: Callable[..., str], made: Any, synced: Any
) -> None:
    turn_on(on_delete="delete")
    record = made(**SHOP | {"name": "Comes And Goes"})
    at = f"/api/customers/{record['id']}"
    assert api.ask("DELETE", at).status == 200
    until(lambda: api.get(at).json["sync"]["goneAt"])
    by_name = [["name", "=", record["erpnextId"]]]
    assert erp.list("Customer", by_name) == []
    page = api.get(f"/customers/{record['id']}").body.decode()
    assert "Deleted in ERPNext by Bascule" in page
    assert api.post(f"{at}/restore").status == 200
    record = synced(record["id"])
    assert (record["active"], record["deletedAt"], record["sync"]["goneAt"]) == (True, None, None)
    assert record["erpnextId"] and len(erp.list("Customer", by_name)) == 1


def test_while_two_way_sync_is_off_each_record_says_so(
    api: Api, turn_on: Callable[..., str], made: Any
) -> None:
    slug = turn_on()
    record = made(**SHOP | {"name": "Pausing Shop"})
    assert record["sync"]["paused"] is False
    assert api.ask("DELETE", f"/api/connectors/{slug}/two-way/customers").status == 200
    sync = api.get(f"/api/customers/{record['id']}").json["sync"]
    assert sync["paused"] is True and "off" in sync["why"] and "on again" in sync["nextStep"]
    for page in (api.get(f"/customers/{record['id']}"), api.get("/customers", search="Pausing")):
        body = page.body.decode()
        assert "Two-way sync is off" in body or "Two-way sync with The Shop is off" in body
        assert "In sync</span>" not in body
