"""What transactions besides orders need to be stored: names, units, accounts and sums of what is
given. As with orders, prices, taxes, stock and ledgers are not worked out.
"""

from typing import TYPE_CHECKING

from bascule.sandbox.core.database.tables import Row
from bascule.sandbox.core.documents.document import Document
from bascule.sandbox.core.documents.events import on
from bascule.sandbox.core.errors import Call
from bascule.sandbox.core.values import cstr, flt
from bascule.sandbox.erpnext.transactions import add_up, check_parties, fill, fill_item

if TYPE_CHECKING:
    from bascule.sandbox.core.site import Site

# DocType -> (its party, its status once it is submitted; that of invoices is `order_status`'s)
_PAPERS = {
    "Quotation": ("Customer", "Open"),
    "Sales Invoice": ("Customer", ""),
    "Delivery Note": ("Customer", "To Bill"),
    "Supplier Quotation": ("Supplier", "Submitted"),
    "Purchase Invoice": ("Supplier", ""),
    "Purchase Receipt": ("Supplier", "To Bill"),
    "Material Request": ("", "Pending"),
    "Stock Entry": ("", ""),
}
_INVOICES = ("Sales Invoice", "Purchase Invoice")
# Field -> (the company's own account, what kind of account serves instead)
_ACCOUNTS = {
    "debit_to": ("default_receivable_account", {"account_type": "Receivable"}),
    "credit_to": ("default_payable_account", {"account_type": "Payable"}),
    "income_account": ("default_income_account", {"root_type": "Income"}),
    "expense_account": ("default_expense_account", {"root_type": "Expense"}),
}


def _fill_paper(site: "Site", call: Call, paper: Document) -> None:
    party, _ = _PAPERS[paper.doctype.name]
    company = site.tables.row("Company", cstr(paper["company"])) or {}
    if party:
        if paper.doctype.name != "Quotation":
            check_parties(site, call, paper, party.lower())
        _fill_party(site, paper, party, company)
    kind = site.tables.row("Stock Entry Type", cstr(paper["stock_entry_type"]))
    if kind:
        paper["purpose"] = kind["purpose"]
    fill(paper, {"status": "Draft"})
    for item in paper.rows["items"]:
        fill_item(site, paper, item)
        item["transfer_qty"] = item["stock_qty"]
        _fill_accounts(site, item, company)
    add_up(paper)
    if paper.doctype.name in _INVOICES:
        _fill_accounts(site, paper, company)
        fill(paper, {"due_date": paper["posting_date"]})
        paper["outstanding_amount"] = 0.0 if paper.docstatus == 2 else paper["grand_total"]


def _fill_party(site: "Site", paper: Document, party: str, company: Row) -> None:
    kind = party.lower()
    of_anyone = paper.doctype.name == "Quotation"
    about = cstr(paper["quotation_to"]) or party if of_anyone else party
    row = site.tables.row(about, cstr(paper["party_name" if of_anyone else kind])) or {}
    named = row.get(f"{kind}_name") or row.get("lead_name") or row.get("name")
    fill(paper, {f"{kind}_name": named})
    fill(paper, {"currency": row.get("default_currency") or company.get("default_currency")})
    fill(paper, {"conversion_rate": 1.0, "plc_conversion_rate": 1.0})
    fill(paper, {"price_list_currency": paper["currency"]})
    side = "selling" if party == "Customer" else "buying"
    standard = f"Standard {side.title()}"
    if site.exists("Price List", standard):
        fill(paper, {f"{side}_price_list": row.get("default_price_list") or standard})


def _fill_accounts(site: "Site", document: Document, company: Row) -> None:
    for field, (own, kind) in _ACCOUNTS.items():
        if field not in document.doctype.kinds or document[field]:
            continue
        serving = site.tables.rows("Account", "`lft`", company=company.get("name"), **kind)
        leaves = [row["name"] for row in serving if not row["is_group"]]
        fill(document, {field: company.get(own) or next(iter(leaves), None)})


def _set_status(site: "Site", call: Call, paper: Document) -> None:
    _, submitted = _PAPERS[paper.doctype.name]
    if submitted:
        paper["status"] = submitted if paper.docstatus == 1 else "Cancelled"


for _doctype in _PAPERS:
    on(_doctype, "before_validate")(_fill_paper)
    on(_doctype, "before_submit", "before_cancel")(_set_status)


@on("Purchase Receipt", "validate")
def _fill_received(site: "Site", call: Call, receipt: Document) -> None:
    """What came is what is accepted and what is rejected."""
    for item in receipt.rows["items"]:
        fill(item, {"received_qty": flt(item["qty"]) + flt(item["rejected_qty"])})


@on("Payment Entry", "before_validate")
def _fill_payment(site: "Site", call: Call, payment: Document) -> None:
    """The party's account, the currencies of both accounts, the amounts in the company's own."""
    company = site.tables.row("Company", cstr(payment["company"])) or {}
    own, kind = _ACCOUNTS["debit_to" if payment["party_type"] == "Customer" else "credit_to"]
    serving = site.tables.rows("Account", "`lft`", company=company.get("name"), **kind)
    leaves = [row["name"] for row in serving if not row["is_group"]]
    side = {"Receive": "paid_from", "Pay": "paid_to"}.get(cstr(payment["payment_type"]))
    if side and payment["party"]:
        fill(payment, {side: company.get(own) or next(iter(leaves), None)})
        row = site.tables.row(cstr(payment["party_type"]), cstr(payment["party"])) or {}
        named = f"{cstr(payment['party_type']).lower()}_name"
        fill(payment, {"party_name": row.get(named)})
    for place, rate, amount in (
        ("paid_from", "source_exchange_rate", "paid_amount"),
        ("paid_to", "target_exchange_rate", "received_amount"),
    ):
        account = site.tables.row("Account", cstr(payment[place])) or {}
        fill(payment, {f"{place}_account_currency": account.get("account_currency")})
        if payment[place]:
            fill(payment, {rate: 1.0})
        payment[f"base_{amount}"] = round(flt(payment[amount]) * flt(payment[rate]), 2)


@on("Payment Entry", "before_submit", "before_cancel")
def _set_payment_status(site: "Site", call: Call, payment: Document) -> None:
    payment["status"] = "Submitted" if payment.docstatus == 1 else "Cancelled"
