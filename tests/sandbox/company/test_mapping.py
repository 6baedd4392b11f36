"""Documents made of others by ERPNext's mappers, and what is left for the next one."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

from bascule.sandbox import Running
from bascule.sandbox.company import demo_company
from bascule.sandbox.server import SandboxThread
from tests.sandbox.company.test_erpnexts_own_rules import ask, first

TODAY = date(2026, 11, 20)
OF_ORDER = "erpnext.selling.doctype.sales_order.sales_order"
OF_DELIVERY = "erpnext.stock.doctype.delivery_note.delivery_note"
OF_PURCHASE = "erpnext.buying.doctype.purchase_order.purchase_order"
OF_RECEIPT = "erpnext.stock.doctype.purchase_receipt.purchase_receipt"
OF_QUOTATION = "erpnext.selling.doctype.quotation.quotation"


@pytest.fixture(scope="module")
def site() -> Iterator[Running]:
    with SandboxThread(demo_company(1, TODAY)) as running:
        yield running


def made(site: Running, doctype: str, /, **values: Any) -> Any:
    status, body = ask(site, "POST", f"/api/resource/{doctype}", values)
    assert status == 200, body
    return body["data"]


def mapped(site: Running, method: str, name: str, **given: Any) -> Any:
    values = {"method": method, "source_name": name, **given}
    status, body = ask(site, "POST", "/api/method/frappe.model.mapper.make_mapped_doc", values)
    assert status == 200, body
    return body["message"]


def told(site: Running, method: str, name: str, *, as_user: str = "hub") -> tuple[int, str, str]:
    values = {"method": method, "source_name": name}
    path = "/api/method/frappe.model.mapper.make_mapped_doc"
    status, body = ask(site, "POST", path, values, as_user=as_user)
    return status, body["exc_type"], body.get("_server_messages", "")


@pytest.fixture
def item(site: Running) -> Any:
    return first(site, "Item")


@pytest.fixture
def sales_order(site: Running, item: Any) -> Any:
    return made(
        site,
        "Sales Order",
        customer=first(site, "Customer"),
        delivery_date="2026-12-01",
        items=[{"item_code": item, "qty": 5, "rate": 10}, {"item_code": item, "qty": 2, "rate": 8}],
        docstatus=1,
    )


@pytest.fixture
def purchase_order(site: Running, item: Any) -> Any:
    return made(
        site,
        "Purchase Order",
        supplier=first(site, "Supplier"),
        schedule_date="2026-12-01",
        items=[{"item_code": item, "qty": 6, "rate": 4}],
        docstatus=1,
    )


def test_delivery_of_order_refers_to_its_rows_and_is_not_stored(
    site: Running, sales_order: Any
) -> None:
    note = mapped(site, f"{OF_ORDER}.make_delivery_note", sales_order["name"])
    assert (note["doctype"], note["docstatus"], note["__islocal"]) == ("Delivery Note", 0, 1)
    assert "name" not in note
    assert note["customer"] == sales_order["customer"]
    rows = [(row["so_detail"], row["against_sales_order"], row["qty"]) for row in note["items"]]
    assert rows == [(row["name"], sales_order["name"], row["qty"]) for row in sales_order["items"]]
    assert note["grand_total"] == 66.0


def test_second_delivery_has_what_the_first_left(site: Running, sales_order: Any) -> None:
    method = f"{OF_ORDER}.make_delivery_note"
    note = mapped(site, method, sales_order["name"])
    note["items"] = [{**note["items"][0], "qty": 3}]
    made(site, "Delivery Note", **{**note, "docstatus": 1})
    rest = mapped(site, method, sales_order["name"])
    assert [row["qty"] for row in rest["items"]] == [2.0, 2.0]
    made(site, "Delivery Note", **{**rest, "docstatus": 1})
    assert mapped(site, method, sales_order["name"])["items"] == []
    status, body = ask(site, "GET", f"/api/resource/Sales Order/{sales_order['name']}")
    assert (status, body["data"]["per_delivered"]) == (200, 100.0)


def test_chosen_rows_alone_are_taken(site: Running, sales_order: Any) -> None:
    chosen = {"items": [sales_order["items"][1]["name"]]}
    note = mapped(
        site, f"{OF_ORDER}.make_delivery_note", sales_order["name"], selected_children=chosen
    )
    assert [row["qty"] for row in note["items"]] == [2.0]


def test_invoice_of_order_bills_it(site: Running, sales_order: Any) -> None:
    invoice = mapped(site, f"{OF_ORDER}.make_sales_invoice", sales_order["name"])
    assert [row["sales_order"] for row in invoice["items"]] == [sales_order["name"]] * 2
    made(site, "Sales Invoice", **{**invoice, "docstatus": 1})
    assert mapped(site, f"{OF_ORDER}.make_sales_invoice", sales_order["name"])["items"] == []


def test_invoice_of_delivery_refers_to_both_and_comes_once(site: Running, sales_order: Any) -> None:
    note = mapped(site, f"{OF_ORDER}.make_delivery_note", sales_order["name"])
    note = made(site, "Delivery Note", **{**note, "docstatus": 1})
    method = f"{OF_DELIVERY}.make_sales_invoice"
    invoice = mapped(site, method, note["name"])
    for row, delivered in zip(invoice["items"], note["items"], strict=True):
        assert (row["dn_detail"], row["delivery_note"]) == (delivered["name"], note["name"])
        assert (row["so_detail"], row["sales_order"]) == (
            delivered["so_detail"],
            sales_order["name"],
        )
    made(site, "Sales Invoice", **{**invoice, "docstatus": 1})
    status, kind, messages = told(site, method, note["name"])
    assert (status, kind) == (417, "ValidationError")
    assert "All these items have already been Invoiced/Returned" in messages


def test_receipt_and_invoices_of_purchase_order(site: Running, purchase_order: Any) -> None:
    receipt = mapped(site, f"{OF_PURCHASE}.make_purchase_receipt", purchase_order["name"])
    assert receipt["items"][0]["purchase_order_item"] == purchase_order["items"][0]["name"]
    receipt["items"][0]["qty"] = 4
    receipt = made(site, "Purchase Receipt", **{**receipt, "docstatus": 1})
    assert receipt["items"][0]["received_qty"] == 4.0
    rest = mapped(site, f"{OF_PURCHASE}.make_purchase_receipt", purchase_order["name"])
    assert [row["qty"] for row in rest["items"]] == [2.0]
    invoice = mapped(site, f"{OF_RECEIPT}.make_purchase_invoice", receipt["name"])
    row = invoice["items"][0]
    assert (row["qty"], row["pr_detail"]) == (4.0, receipt["items"][0]["name"])
    assert row["po_detail"] == purchase_order["items"][0]["name"]
    made(site, "Purchase Invoice", **{**invoice, "docstatus": 1})
    rest = mapped(site, f"{OF_PURCHASE}.make_purchase_invoice", purchase_order["name"])
    assert [row["qty"] for row in rest["items"]] == [2.0]
    status, _, messages = told(site, f"{OF_RECEIPT}.make_purchase_invoice", receipt["name"])
    assert status == 417
    assert "All items have already been Invoiced/Returned" in messages


def test_order_of_quotation_takes_its_customer_and_what_was_not_ordered(
    site: Running, item: Any
) -> None:
    quotation = made(
        site,
        "Quotation",
        quotation_to="Customer",
        party_name=first(site, "Customer"),
        valid_till="2099-01-01",
        items=[{"item_code": item, "qty": 7, "rate": 3}],
        docstatus=1,
    )
    method = f"{OF_QUOTATION}.make_sales_order"
    order = mapped(site, method, quotation["name"])
    assert order["customer"] == quotation["party_name"]
    assert [row["prevdoc_docname"] for row in order["items"]] == [quotation["name"]]
    order["items"][0] |= {"qty": 4, "delivery_date": "2099-01-01"}
    made(site, "Sales Order", **{**order, "docstatus": 1})
    assert [row["qty"] for row in mapped(site, method, quotation["name"])["items"]] == [3.0]
    late = {"transaction_date": "2026-01-01", "valid_till": "2026-01-02", "docstatus": 1}
    rows = [{"item_code": item, "qty": 7, "rate": 3}]
    about = {"quotation_to": "Customer", "party_name": quotation["party_name"], "items": rows}
    late = made(site, "Quotation", **{**about, **late})
    status, _, messages = told(site, method, late["name"])
    assert status == 417
    assert "Validity period of this quotation has ended." in messages


def test_draft_unknown_mapper_and_missing_right_are_refused(
    site: Running, item: Any, sales_order: Any
) -> None:
    draft = made(
        site,
        "Sales Order",
        customer=sales_order["customer"],
        delivery_date="2026-12-01",
        items=[{"item_code": item, "qty": 1, "rate": 1}],
    )
    method = f"{OF_ORDER}.make_delivery_note"
    status, kind, messages = told(site, method, draft["name"])
    assert (status, kind) == (417, "ValidationError")
    assert "Cannot map because following condition fails: docstatus=1" in messages
    assert told(site, "frappe.client.delete", draft["name"])[:2] == (403, "PermissionError")
    readonly = told(site, method, sales_order["name"], as_user="readonly")
    assert readonly[:2] == (403, "PermissionError")
    assert told(site, method, "SAL-ORD-NONE")[:2] == (404, "DoesNotExistError")


def test_mapper_is_called_by_its_own_path_too(site: Running, sales_order: Any) -> None:
    path = f"/api/method/{OF_ORDER}.make_sales_invoice"
    status, body = ask(site, "POST", path, {"source_name": sales_order["name"]})
    assert (status, len(body["message"]["items"])) == (200, 2)
