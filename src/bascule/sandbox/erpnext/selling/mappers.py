"""Sales Orders, Delivery Notes and Sales Invoices made of what came before them."""

from bascule.sandbox.core.documents.document import Document
from bascule.sandbox.core.errors import Call
from bascule.sandbox.core.methods.mapping import Mapping, mapper
from bascule.sandbox.core.site import Site
from bascule.sandbox.core.values import cint, cstr, flt
from bascule.sandbox.erpnext.pending import submitted_qty


def _to_order(site: Site, row: Document) -> float:
    """Of a quoted row; where orders do not name the row, by its item."""
    by: dict[str, object] = {"prevdoc_docname": row["parent"]}
    if "quotation_item" in site.schema["Sales Order Item"].kinds:
        by["quotation_item"] = row.name
    else:
        by["item_code"] = row["item_code"]
    left = flt(row["qty"]) - submitted_qty(site, "Sales Order Item", **by)
    return 0.0 if cint(row["is_alternative"]) else max(left, 0.0)


def _check_quotation(site: Site, call: Call, quotation: Document) -> None:
    settings = site.single("Selling Settings") if "Selling Settings" in site.schema else {}
    last = cstr(quotation["valid_till"])
    over = last < max(cstr(quotation["transaction_date"]), str(site.clock.now().date()))
    if last and over and not cint(settings.get("allow_sales_order_creation_for_expired_quotation")):
        call.refuse("Validity period of this quotation has ended.")


def _take_customer(site: Site, call: Call, quotation: Document, order: Document) -> None:
    """The party of the quotation: ERPNext makes a Customer of a Lead, which is not done here."""
    kind, party = cstr(quotation["quotation_to"]), cstr(quotation["party_name"])
    if kind != "Customer":
        call.refuse(f"Please create Customer from {kind} {party}.")
    order["customer"] = party
    order["customer_name"] = site.tables.value("Customer", party, "customer_name")


def _to_deliver(site: Site, row: Document) -> float:
    if cint(row["delivered_by_supplier"]):
        return 0.0
    done, whole = flt(row["delivered_qty"]), flt(row["qty"])
    return whole - done if abs(done) < abs(whole) else 0.0


def _to_bill(site: Site, row: Document) -> float:
    qty, billed = flt(row["qty"]), flt(row["billed_amt"])
    if flt(row["base_amount"]) and abs(billed) >= abs(flt(row["amount"])):
        return 0.0
    if not billed:
        return qty - flt(row["returned_qty"])
    return qty - submitted_qty(site, "Sales Invoice Item", so_detail=row.name)


def _delivered_to_bill(site: Site, row: Document) -> float:
    billed = submitted_qty(site, "Sales Invoice Item", dn_detail=row.name)
    return max(flt(row["qty"]) - billed - flt(row["returned_qty"]), 0.0)


mapper(
    "erpnext.selling.doctype.quotation.quotation.make_sales_order",
    Mapping(
        *("Quotation", "Sales Order", {"parent": "prevdoc_docname", "name": "quotation_item"}),
        _to_order,
        first=_check_quotation,
        then=_take_customer,
    ),
)
mapper(
    "erpnext.selling.doctype.sales_order.sales_order.make_delivery_note",
    Mapping(
        *("Sales Order", "Delivery Note", {"name": "so_detail", "parent": "against_sales_order"}),
        _to_deliver,
    ),
)
mapper(
    "erpnext.selling.doctype.sales_order.sales_order.make_sales_invoice",
    Mapping(
        *("Sales Order", "Sales Invoice", {"name": "so_detail", "parent": "sales_order"}),
        _to_bill,
        without=("payment_terms_template",),
    ),
)
mapper(
    "erpnext.stock.doctype.delivery_note.delivery_note.make_sales_invoice",
    Mapping(
        *("Delivery Note", "Sales Invoice"),
        {
            **{"name": "dn_detail", "parent": "delivery_note", "so_detail": "so_detail"},
            **{"against_sales_order": "sales_order", "cost_center": "cost_center"},
        },
        _delivered_to_bill,
        fields={"is_return": "is_return"},
        none_left="All these items have already been Invoiced/Returned",
    ),
)
