"""What a site does by itself, by the clock, past its documents: `modified` stays as it is.

A job is known by the path of the function that the site's scheduler calls, so that the same name
runs it on a real site.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from bascule.sandbox.core.access.permissions import ADMINISTRATOR
from bascule.sandbox.core.database.tables import quoted
from bascule.sandbox.core.documents.document import Document
from bascule.sandbox.core.documents.naming import from_series
from bascule.sandbox.core.errors import Call
from bascule.sandbox.core.values import cstr, flt
from bascule.sandbox.erpnext.order_status import is_overdue
from bascule.sandbox.erpnext.stock.ledger import repost

if TYPE_CHECKING:
    from bascule.sandbox.core.site import Site

Job = Callable[["Site"], None]
_LEDGERS = ("GL Entry", "Stock Ledger Entry")


def _expire_quotations(site: "Site") -> None:
    """Past their day, and nobody ordered by them."""
    ordered = (
        "SELECT 1 FROM `tabSales Order Item` WHERE `docstatus` = 1"
        " AND `prevdoc_docname` = `tabQuotation`.`name`"
    )
    site.tables.run(
        "UPDATE `tabQuotation` SET `status` = 'Expired' WHERE `docstatus` = 1"
        f" AND `status` NOT IN ('Expired', 'Lost') AND `valid_till` < ? AND NOT EXISTS ({ordered})",
        (_today(site),),
    )


def _expire_supplier_quotations(site: "Site") -> None:
    site.tables.run(
        "UPDATE `tabSupplier Quotation` SET `status` = 'Expired'"
        " WHERE `status` NOT IN ('Cancelled', 'Stopped') AND `valid_till` < ?",
        (_today(site),),
    )


def _call_invoices_overdue(site: "Site") -> None:
    today = site.clock.now().date()
    for doctype in ("Sales Invoice", "Purchase Invoice"):
        for row in site.tables.rows(doctype, docstatus=1):
            invoice = site.load(doctype, row["name"])
            waits = cstr(row["status"]).startswith(("Unpaid", "Partly Paid"))
            owed = flt(row["outstanding_amount"]) > 0
            if waits and owed and invoice and is_overdue(invoice, today):
                site.tables.update(doctype, row["name"], {"status": "Overdue"})


def _call_tasks_overdue(site: "Site") -> None:
    site.tables.run(
        "UPDATE `tabTask` SET `status` = 'Overdue'"
        " WHERE `status` NOT IN ('Cancelled', 'Completed') AND `exp_end_date` < ?",
        (_today(site),),
    )


def _name_ledger_entries(site: "Site") -> None:
    """By their series, in the order in which they were made; what was there is left no trace of."""
    for doctype in _LEDGERS:
        if doctype not in site.schema or "to_rename" not in site.schema[doctype].kinds:
            continue
        for row in site.tables.rows(doctype, "`creation`", to_rename=1):
            entry = Document(site.schema[doctype], row)
            name = from_series(site, Call(ADMINISTRATOR), entry, entry.doctype.autoname)
            values = {"name": name, "to_rename": 0, "modified": site.now()}
            site.tables.update(doctype, row["name"], values)


def _count_links(site: "Site") -> None:
    """How often a document was linked to since the last time is added to its `idx`."""
    for (doctype, name), count in site.linked.items():
        if site.tables.has(doctype):
            site.tables.run(
                f"UPDATE {quoted(doctype)} SET `idx` = `idx` + ? WHERE `name` = ?", (count, name)
            )
    site.linked.clear()


def _today(site: "Site") -> str:
    return str(site.clock.now().date())


JOBS: dict[str, Job] = {
    "erpnext.selling.doctype.quotation.quotation.set_expired_status": _expire_quotations,
    "erpnext.buying.doctype.supplier_quotation.supplier_quotation.set_expired_status": (
        _expire_supplier_quotations
    ),
    "erpnext.controllers.accounts_controller.update_invoice_status": _call_invoices_overdue,
    "erpnext.projects.doctype.task.task.set_tasks_as_overdue": _call_tasks_overdue,
    "erpnext.accounts.doctype.gl_entry.gl_entry.rename_gle_sle_docs": _name_ledger_entries,
    "erpnext.stock.doctype.repost_item_valuation.repost_item_valuation.repost_entries": repost,
    "frappe.model.utils.link_count.update_link_count": _count_links,
}
