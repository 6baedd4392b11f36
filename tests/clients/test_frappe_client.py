"""The Python frappe-client, by API key and by password."""

from collections.abc import Callable
from typing import Any

import pytest

from bascule.sandbox import Running

from .conftest import Talk


@pytest.fixture(scope="module", params=["by key", "by password"])
def client(request: pytest.FixtureRequest, site: Running, talk: Callable[..., Talk]) -> Talk:
    hub = site.users["hub"]
    if request.param == "by password":
        return talk("frappe-client", URL=site.url, NAME=hub.name, PASSWORD=hub.password)
    return talk("frappe-client", URL=site.url, API_KEY=hub.api_key, API_SECRET=hub.api_secret)


def order(client: Talk) -> dict[str, Any]:
    item = client.call("get_list", doctype="Item", fields=["name"], limit_page_length=1)[0]
    party = client.call("get_list", doctype="Customer", fields=["name"], limit_page_length=1)[0]
    items = [{"item_code": item["name"], "qty": 2, "rate": 10}]
    values = {"customer": party["name"], "delivery_date": "2026-12-01", "items": items}
    return client.call("insert", doc={"doctype": "Sales Order", **values})


def test_documents_are_listed_read_made_changed_and_deleted(client: Talk) -> None:
    made = client.call("insert", doc={"doctype": "Brand", "brand": "Gazelle & Zoon"})
    assert made["name"] == "Gazelle & Zoon"
    made["description"] = "Since 1892"
    assert client.call("update", doc=made)["description"] == "Since 1892"
    rows = client.call(
        "get_list", doctype="Brand", fields=["name", "description"], filters={"brand": made["name"]}
    )
    assert rows == [{"name": "Gazelle & Zoon", "description": "Since 1892"}]
    read = client.call("get_doc", doctype="Brand", name="Gazelle & Zoon")
    assert read["description"] == "Since 1892"
    found = client.call(
        "get_value", doctype="Brand", fieldname="description", filters={"name": made["name"]}
    )
    assert found == {"description": "Since 1892"}
    values = {"doctype": "Brand", "docname": made["name"], "fieldname": "description"}
    assert client.call("set_value", **values, value="Old")["description"] == "Old"
    new = client.call("rename_doc", doctype="Brand", old_name="Gazelle & Zoon", new_name="Gazelle")
    assert new == "Gazelle"
    client.call("delete", doctype="Brand", name="Gazelle")
    assert client.call("get_list", doctype="Brand", filters={"name": "Gazelle"}) == []


def test_documents_are_changed_many_at_once(client: Talk) -> None:
    brands = [client.call("insert", doc={"doctype": "Brand", "brand": one}) for one in "AB"]
    docs = [{"doctype": "Brand", "docname": one["name"], "description": "x"} for one in brands]
    assert client.call("bulk_update", docs=docs) == {"failed_docs": []}
    for one in brands:
        client.call("delete", doctype="Brand", name=one["name"])


def test_order_is_submitted_by_its_docstatus_and_cancelled(client: Talk) -> None:
    made = order(client)
    submitted = client.call("update", doc={**made, "docstatus": 1})
    assert (submitted["docstatus"], submitted["status"]) == (1, "To Deliver and Bill")
    cancelled = client.call("cancel", doctype="Sales Order", name=made["name"])
    assert (cancelled["docstatus"], cancelled["status"]) == (2, "Cancelled")


def test_submit_of_this_client_fails_as_on_a_real_site(client: Talk) -> None:
    """It sends `doclist` where frappe.client.submit takes `doc`, and cannot read the 500's page."""
    assert client.told("submit", doclist=order(client))["error"] == "JSONDecodeError"


def test_methods_are_called(client: Talk, site: Running) -> None:
    user = client.call("get_api", method="frappe.auth.get_logged_user")
    assert user == site.users["hub"].name
    count = client.call(
        "post_api", method="frappe.client.get_count", params={"doctype": "Customer"}
    )
    assert count == 150


def test_refusals_are_told(client: Talk) -> None:
    told = client.told("get_doc", doctype="Item", name="Nothing")
    assert told == {"result": None}  # a 404 has no `exc`, by which this client tells refusals
    told = client.told("insert", doc={"doctype": "Sales Order", "customer": None})
    assert told["error"] == "FrappeException"


def test_wrong_password_is_told(site: Running, talk: Callable[..., Talk]) -> None:
    started = talk("frappe-client", URL=site.url, NAME="hub@example.com", PASSWORD="not it")
    with pytest.raises((AssertionError, BrokenPipeError)):
        started.call("get_list", doctype="Item")
