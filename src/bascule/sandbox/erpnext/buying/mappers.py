"""Purchase Receipts and Purchase Invoices made of what came before them."""

from bascule.sandbox.core.documents.document import Document
from bascule.sandbox.core.methods.mapping import Mapping, mapper
from bascule.sandbox.core.site import Site
from bascule.sandbox.core.values import cint, flt
from bascule.sandbox.erpnext.pending import submitted_qty

_OF_REQUESTS = {one: one for one in ("material_request", "material_request_item")}


def _to_receive(site: Site, row: Document) -> float:
    if cint(row["delivered_by_supplier"]):
        return 0.0
    done, whole = flt(row["received_qty"]), flt(row["qty"])
    return whole - done if abs(done) < abs(whole) else 0.0


def _to_bill(site: Site, row: Document) -> float:
    if flt(row["base_amount"]) and abs(flt(row["billed_amt"])) >= abs(flt(row["amount"])):
        return 0.0
    return flt(row["qty"]) - submitted_qty(site, "Purchase Invoice Item", po_detail=row.name)


def _received_to_bill(site: Site, row: Document) -> float:
    billed = submitted_qty(site, "Purchase Invoice Item", pr_detail=row.name)
    return max(flt(row["qty"]) - billed - flt(row["returned_qty"]), 0.0)


mapper(
    "erpnext.buying.doctype.purchase_order.purchase_order.make_purchase_receipt",
    Mapping(
        *("Purchase Order", "Purchase Receipt"),
        {
            **{"name": "purchase_order_item", "parent": "purchase_order", "bom": "bom"},
            **{"sales_order": "sales_order", "sales_order_item": "sales_order_item"},
            **_OF_REQUESTS,
        },
        _to_receive,
    ),
)
mapper(
    "erpnext.buying.doctype.purchase_order.purchase_order.make_purchase_invoice",
    Mapping(
        *("Purchase Order", "Purchase Invoice"),
        {"name": "po_detail", "parent": "purchase_order", **_OF_REQUESTS},
        _to_bill,
        without=("payment_terms_template",),
    ),
)
mapper(
    "erpnext.stock.doctype.purchase_receipt.purchase_receipt.make_purchase_invoice",
    Mapping(
        *("Purchase Receipt", "Purchase Invoice"),
        {
            **{"name": "pr_detail", "parent": "purchase_receipt", "qty": "received_qty"},
            **{"purchase_order_item": "po_detail", "purchase_order": "purchase_order"},
        },
        _received_to_bill,
        fields={"is_return": "is_return", "bill_date": "bill_date"},
        none_left="All items have already been Invoiced/Returned",
    ),
)
