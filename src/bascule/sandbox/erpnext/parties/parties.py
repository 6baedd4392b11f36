"""What ERPNext checks of customers and suppliers."""

from typing import TYPE_CHECKING

from bascule.sandbox.core.database.tables import Row
from bascule.sandbox.core.documents.document import Document
from bascule.sandbox.core.documents.events import on
from bascule.sandbox.core.errors import Call, bold
from bascule.sandbox.core.values import cint, cstr, flt

if TYPE_CHECKING:
    from bascule.sandbox.core.site import Site

PARTIES = {"Customer": "customer", "Supplier": "supplier"}


@on("Supplier", "validate")
def _check_supplier(site: "Site", call: Call, supplier: Document) -> None:
    _check_internal(site, call, supplier)


@on("Supplier", "before_save")
def _hold(site: "Site", call: Call, supplier: Document) -> None:
    """How and how long it is on hold goes with that it is."""
    if not supplier["on_hold"]:
        supplier["hold_type"] = supplier["release_date"] = ""
    elif not supplier["hold_type"]:
        supplier["hold_type"] = "All"


def _check_internal(site: "Site", call: Call, party: Document) -> None:
    """One party of the own house for each company, and for none; others represent no company."""
    mark = f"is_internal_{PARTIES[party.doctype.name]}"
    if not party[mark]:
        party["represents_company"] = ""
    company = party["represents_company"]
    internal: Row = {mark: 1}
    others = site.tables.rows(party.doctype.name, **internal)
    if any(row["represents_company"] == company for row in others if row["name"] != party.name):
        told = f"Internal {party.doctype.name} for company {bold(company)} already exists"
        call.refuse(told)


@on("Customer", "validate")
def _check_customer(site: "Site", call: Call, customer: Document) -> None:
    _check_credit_limits(site, call, customer)
    account = cstr(customer["default_bank_account"])
    if account and not site.tables.value("Bank Account", account, "is_company_account"):
        call.refuse(f"{bold(account)} is not a company bank account")
    _check_internal(site, call, customer)
    team = customer.rows.get("sales_team") or []
    if team and sum(float(row["allocated_percentage"] or 0) for row in team) != 100:
        call.refuse("Total contribution percentage should be equal to 100")


def _check_credit_limits(site: "Site", call: Call, customer: Document) -> None:
    """One a company, and when they change none below what the customer owes that company."""
    limits = customer.rows.get("credit_limits") or []
    if customer.before is None or not limits:
        return
    before, now = (
        [flt(row["credit_limit"]) for row in sorted(rows, key=lambda row: cstr(row["company"]))]
        for rows in (customer.before.rows["credit_limits"], limits)
    )
    if before == now:
        return
    companies: set[str] = set()
    for limit in limits:
        company = cstr(limit["company"])
        if company in companies:
            call.refuse(f"Credit limit is already defined for the Company {company}")
        companies.add(company)
        orders = not cint(limit["bypass_credit_limit_check"])
        owed = _outstanding(site, customer.name, company, orders=orders)
        if flt(limit["credit_limit"]) < owed:
            call.refuse(
                "New credit limit is less than current outstanding amount for the customer."
                f" Credit limit has to be atleast {owed}"
            )


def _outstanding(site: "Site", customer: str, company: str, *, orders: bool) -> float:
    """By the ledger, and with `orders` what of submitted orders is not billed yet."""
    ledger = site.tables.run(
        "SELECT sum(`debit`) - sum(`credit`) FROM `tabGL Entry` WHERE `party_type` = 'Customer'"
        " AND `is_cancelled` = 0 AND `party` = ? AND `company` = ?",
        (customer, company),
    ).fetchone()[0]
    unbilled = site.tables.run(
        "SELECT sum(`base_grand_total` * (100 - `per_billed`) / 100) FROM `tabSales Order`"
        " WHERE `customer` = ? AND `company` = ? AND `docstatus` = 1 AND `per_billed` < 100"
        " AND `status` != 'Closed'",
        (customer, company),
    ).fetchone()[0]
    return flt(ledger) + (flt(unbilled) if orders else 0.0)
