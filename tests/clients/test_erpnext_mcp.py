"""erpnext-mcp, an MCP server for language models, asked over its own protocol."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from bascule.sandbox import Running

from .conftest import Talk


@pytest.fixture(scope="module")
def tools(site: Running, talk: Callable[..., Talk]) -> Talk:
    key, secret = site.api_key, site.api_secret
    return talk("erpnext-mcp", ERPNEXT_URL=site.url, ERPNEXT_API_KEY=key, ERPNEXT_API_SECRET=secret)


def made(tools: Talk, doctype: str, /, **values: Any) -> dict[str, Any]:
    return tools.call("create_document", doctype=doctype, data=json.dumps(values))


def first(tools: Talk, doctype: str) -> str:
    return tools.call("list_documents", doctype=doctype, limit_page_length=1)[0]["name"]


def test_documents_are_listed_read_made_changed_and_deleted(tools: Talk) -> None:
    brand = made(tools, "Brand", brand="Gazelle")["name"]
    data = json.dumps({"description": "Since 1892"})
    tools.call("update_document", doctype="Brand", name=brand, data=data)
    assert tools.call("get_document", doctype="Brand", name=brand)["description"] == "Since 1892"
    filters = json.dumps({"name": brand})
    listed = tools.call("list_documents", doctype="Brand", filters=filters)
    assert [one["name"] for one in listed] == [brand]
    assert tools.call("get_count", doctype="Brand", filters=filters) == 1
    tools.call("delete_document", doctype="Brand", name=brand)
    assert tools.call("get_count", doctype="Brand", filters=filters) == 0


def test_order_goes_from_draft_to_delivery_and_invoice(tools: Talk) -> None:
    items = [{"item_code": first(tools, "Item"), "qty": 2, "rate": 10}]
    values = {"customer": first(tools, "Customer"), "delivery_date": "2026-12-01", "items": items}
    order = made(tools, "Sales Order", **values)["name"]
    told = tools.call("submit_document", doctype="Sales Order", name=order)
    assert told["message"]["docstatus"] == 1
    module = "erpnext.selling.doctype.sales_order.sales_order"
    for function, doctype in (
        ("make_delivery_note", "Delivery Note"),
        ("make_sales_invoice", "Sales Invoice"),
    ):
        mapped = tools.call("make_mapped_doc", method=f"{module}.{function}", source_name=order)
        assert mapped["doctype"] == doctype
        assert made(tools, doctype, **mapped)["docstatus"] == 0
    told = tools.call("cancel_document", doctype="Sales Order", name=order)
    assert told["message"]["status"] == "Cancelled"


def test_what_models_ask_about_stock_and_parties_is_answered(tools: Talk) -> None:
    found = tools.call("search_link", doctype="Item", txt="BEL")
    assert found[0]["value"] == "BEL-001"
    assert tools.call("find_items", keyword="bel-00")[0]["item_code"].startswith("BEL-00")
    details = tools.call("get_item_details", name="BEL-001")
    assert details["stock"]
    assert tools.call("get_stock_balance", item_code="BEL-001")
    assert tools.call("get_stock_ledger", item_code="BEL-001", limit=3)
    assert tools.call("get_item_price", item_code="BEL-001")
    customer = first(tools, "Customer")
    assert tools.call("get_party_balance", party_type="Customer", party=customer) == 0
    found = tools.call("get_customer_details", name=customer)
    assert found["customer"]["name"] == customer
    supplier = first(tools, "Supplier")
    found = tools.call("get_supplier_details", name=supplier)
    assert found["supplier"]["name"] == supplier
    assert "Item" in tools.call("list_doctypes", module="Stock")


def test_methods_are_called_and_refusals_told(tools: Talk, site: Running) -> None:
    told = tools.call("run_method", method="frappe.auth.get_logged_user", http_method="GET")
    assert told["message"] == site.users["hub"].name
    told = tools.told("get_document", doctype="Item", name="Nothing")
    assert told["error"] == "ToolError"
    assert "404" in told["said"]


def test_fields_of_doctype_are_refused_as_by_a_real_site(tools: Talk) -> None:
    """It lists DocField, a child table, without its parent."""
    told = tools.told("get_doctype_meta", doctype="Item")
    assert told["error"] == "ToolError"
    assert "403" in told["said"]
