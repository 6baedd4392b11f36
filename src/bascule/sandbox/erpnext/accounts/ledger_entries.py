"""Entries of the ledgers: they get their names by a job, and go with their vouchers.

Accounts and stock share this, as in ERPNext.
"""

from typing import TYPE_CHECKING

from bascule.sandbox.core.access.permissions import ADMINISTRATOR
from bascule.sandbox.core.documents.back_links import LEDGERS
from bascule.sandbox.core.documents.document import Document
from bascule.sandbox.core.documents.events import on
from bascule.sandbox.core.documents.naming import from_series
from bascule.sandbox.core.errors import Call
from bascule.sandbox.core.jobs import job
from bascule.sandbox.core.values import cint

if TYPE_CHECKING:
    from bascule.sandbox.core.site import Site

_LEDGERS = ("GL Entry", "Payment Ledger Entry", "Stock Ledger Entry")
LEDGERS.update(_LEDGERS)


@on("*", "on_trash")
def _delete_entries(site: "Site", call: Call, document: Document) -> None:
    """The entries of a deleted voucher go without a trace, where the Accounts Settings say so."""
    settings = site.single("Accounts Settings") if "Accounts Settings" in site.schema else {}
    if not cint(settings.get("delete_linked_ledger_entries")):
        return
    for ledger in _LEDGERS:
        if ledger in site.schema:
            place = {"voucher_type": document.doctype.name, "voucher_no": document.name}
            site.tables.delete(ledger, **place)


@job("erpnext.accounts.doctype.gl_entry.gl_entry.rename_gle_sle_docs")
def _name_ledger_entries(site: "Site") -> None:
    """By their series, in the order in which they were made; the old names leave no trace."""
    for doctype in _LEDGERS:
        if doctype not in site.schema or "to_rename" not in site.schema[doctype].kinds:
            continue
        for row in site.tables.rows(doctype, "`creation`", to_rename=1):
            entry = Document(site.schema[doctype], row)
            name = from_series(site, Call(ADMINISTRATOR), entry, entry.doctype.autoname)
            values = {"name": name, "to_rename": 0, "modified": site.now()}
            site.tables.update(doctype, row["name"], values)
