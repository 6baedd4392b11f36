"""What follows from deliveries, receipts, invoices and payments in the documents they are about.

A delivery moves the order: its rows' quantities, its percentages and status, and `modified` of
both; see status_updater.py, and update_voucher_outstanding for payments.
"""

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from bascule.sandbox.core.database.tables import Row, column, quoted
from bascule.sandbox.core.documents import saving
from bascule.sandbox.core.documents.desk_doctypes import add_comment
from bascule.sandbox.core.documents.document import Document
from bascule.sandbox.core.documents.events import on
from bascule.sandbox.core.errors import Call
from bascule.sandbox.core.jobs import job
from bascule.sandbox.core.values import cint, cstr, flt
from bascule.sandbox.erpnext.stock.ledger import set_bin

if TYPE_CHECKING:
    from bascule.sandbox.core.site import Site


@dataclass(frozen=True)
class _Follows:
    """The sum of `given` over a paper's rows becomes `taken` of the order's row that `link` names.

    `percent` of the order is the share of it in `whole`; `told` is its own status of that.
    """

    rows: str
    link: str
    given: str
    order: str
    taken: str
    whole: str
    percent: str
    told: tuple[str, str] | None = None


_FOLLOWS = {
    "Delivery Note": _Follows(
        *("Delivery Note Item", "so_detail", "qty", "Sales Order", "delivered_qty", "qty"),
        *("per_delivered", ("delivery_status", "Delivered")),
    ),
    "Purchase Receipt": _Follows(
        *("Purchase Receipt Item", "purchase_order_item", "received_qty", "Purchase Order"),
        *("received_qty", "qty", "per_received"),
    ),
    "Sales Invoice": _Follows(
        *("Sales Invoice Item", "so_detail", "amount", "Sales Order", "billed_amt", "amount"),
        *("per_billed", ("billing_status", "Billed")),
    ),
    "Purchase Invoice": _Follows(
        *("Purchase Invoice Item", "po_detail", "amount", "Purchase Order", "billed_amt"),
        *("amount", "per_billed"),
    ),
}
_INVOICES = {"Sales Invoice": "customer", "Purchase Invoice": "supplier"}
_ORDERS = ("Sales Order", "Purchase Order")


def _follow(site: "Site", call: Call, paper: Document) -> None:
    rule = _FOLLOWS[paper.doctype.name]
    rows = f"{rule.order} Item"
    if rows not in site.schema:
        return
    orders = []
    for row in paper.rows["items"]:
        target = site.tables.row(rows, cstr(row[rule.link]))
        if target is None:
            continue
        found = site.tables.run(
            f"SELECT sum({column(rule.given)}) FROM {quoted(rule.rows)}"
            f" WHERE {column(rule.link)} = ? AND `docstatus` = 1",
            (target["name"],),
        )
        values = {rule.taken: flt(found.fetchone()[0])}
        one = Document(site.schema[rows], target)
        saving.set_values(site, call, one, values, moved=True)
        if target["parent"] not in orders:
            orders.append(target["parent"])
    for name in orders:
        _set_percent(site, call, rule, name)


def _set_percent(site: "Site", call: Call, rule: _Follows, name: str) -> None:
    order = site.document(call, rule.order, name)
    pairs = [(abs(flt(row[rule.taken])), abs(flt(row[rule.whole]))) for row in order.rows["items"]]
    whole = sum(pair[1] for pair in pairs)
    share = round(sum(min(pair) for pair in pairs) / whole * 100, 6) if whole else 0.0
    values: Row = {rule.percent: share}
    if rule.told:
        field, word = rule.told
        much = "Not" if share < 0.001 else "Fully" if share >= 99.999999 else "Partly"
        values[field] = f"{much} {word}"
    saving.set_values(site, call, order, values, moved=True)
    _set_order_status(site, call, order)
    for row in order.rows["items"]:
        if cint(site.tables.value("Item", cstr(row["item_code"]), "is_stock_item")):
            set_bin(site, call, cstr(row["item_code"]), cstr(row["warehouse"]))


def order_status(order: Document) -> str:
    """Of what was delivered or received, and what was billed; kept where a person set it."""
    if order.docstatus == 2:
        return "Cancelled"
    if order["status"] in ("Closed", "On Hold"):
        return str(order["status"])
    sales = order.doctype.name == "Sales Order"
    came = flt(order["per_delivered" if sales else "per_received"]) >= 100
    came = came or bool(cint(order["skip_delivery_note"]))
    billed, word = flt(order["per_billed"]) >= 100, "Deliver" if sales else "Receive"
    states = {(False, False): f"To {word} and Bill", (False, True): f"To {word}"}
    return (states | {(True, False): "To Bill", (True, True): "Completed"})[came, billed]


def _set_order_status(site: "Site", call: Call, order: Document) -> None:
    """A status that is new is told by a comment."""
    status = order_status(order)
    if status != order["status"] and "Comment" in site.schema:
        add_comment(site, call, order.doctype.name, order.name, "Label", status)
    saving.set_values(site, call, order, {"status": status}, moved=True)


for _doctype in _FOLLOWS:
    on(_doctype, "on_submit", "on_cancel")(_follow)


def invoice_status(invoice: Document, today: date) -> str:
    """Of a submitted invoice, by what is still owed and since when; see set_status."""
    owed, total = flt(invoice["outstanding_amount"]), _total(invoice)
    if cint(invoice["is_return"]):
        return "Return"
    if owed > 0 and is_overdue(invoice, today):
        return "Overdue"
    if 0 < owed < total:
        return "Partly Paid"
    return "Unpaid" if owed > 0 else "Paid"


def is_overdue(invoice: Document, today: date) -> bool:
    """Whether less was paid than was due by then, of its schedule or of all."""
    rows = invoice.rows.get("payment_schedule") or []
    if cint(invoice["is_pos"]) or not rows:
        return cstr(invoice["due_date"]) < str(today)
    due = sum(flt(row["payment_amount"]) for row in rows if cstr(row["due_date"]) < str(today))
    return _total(invoice) - flt(invoice["outstanding_amount"]) < round(due, 2)


def _total(invoice: Document) -> float:
    return flt(invoice["rounded_total"]) or flt(invoice["grand_total"])


def _settle(site: "Site", call: Call, payment: Document) -> None:
    """What is still owed of each invoice that the payment is of, and what orders had in advance."""
    for row in payment.rows["references"]:
        kind, name = cstr(row["reference_doctype"]), cstr(row["reference_name"])
        document = site.load(kind, name) if kind in site.schema else None
        if document is None:
            continue
        found = site.tables.run(
            "SELECT sum(`allocated_amount`) FROM `tabPayment Entry Reference`"
            " WHERE `reference_doctype` = ? AND `reference_name` = ? AND `docstatus` = 1",
            (kind, name),
        )
        paid = flt(found.fetchone()[0])
        if kind in _ORDERS:
            saving.set_values(site, call, document, {"advance_paid": paid}, moved=True)
        elif kind in _INVOICES:
            owed = {"outstanding_amount": round(_total(document) - paid, 2)}
            saving.set_values(site, call, document, owed, moved=True)
            status = {"status": invoice_status(document, site.clock.now().date())}
            saving.set_values(site, call, document, status, moved=True)


on("Payment Entry", "on_submit", "on_cancel")(_settle)


@on("Payment Entry", "validate")
def _fill_references(site: "Site", call: Call, payment: Document) -> None:
    """What the invoices say of themselves, and how much of the payment is for none."""
    for row in payment.rows["references"]:
        kind, name = cstr(row["reference_doctype"]), cstr(row["reference_name"])
        document = site.load(kind, name) if kind in site.schema else None
        if document is not None:
            total = _total(document)
            owed = document["outstanding_amount"]
            row["total_amount"] = total
            row["outstanding_amount"] = flt(owed if kind in _INVOICES else total)
            row["due_date"] = row["due_date"] or document["due_date"]
    given = sum(flt(row["allocated_amount"]) for row in payment.rows["references"])
    payment["total_allocated_amount"] = round(given, 2)
    payment["unallocated_amount"] = round(flt(payment["paid_amount"]) - given, 2)


@on("Sales Invoice", "before_submit", "before_cancel")
@on("Purchase Invoice", "before_submit", "before_cancel")
def _set_invoice_status(site: "Site", call: Call, invoice: Document) -> None:
    status = invoice_status(invoice, site.clock.now().date())
    invoice["status"] = status if invoice.docstatus == 1 else "Cancelled"


@job("erpnext.controllers.accounts_controller.update_invoice_status")
def _call_invoices_overdue(site: "Site") -> None:
    today = site.clock.now().date()
    for doctype in ("Sales Invoice", "Purchase Invoice"):
        for row in site.tables.rows(doctype, docstatus=1):
            invoice = site.load(doctype, row["name"])
            waits = cstr(row["status"]).startswith(("Unpaid", "Partly Paid"))
            owed = flt(row["outstanding_amount"]) > 0
            if waits and owed and invoice and is_overdue(invoice, today):
                site.tables.update(doctype, row["name"], {"status": "Overdue"})
