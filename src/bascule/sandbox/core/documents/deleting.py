"""A document's end: who may delete it, what still links to it, and what is left behind."""

import json
from typing import TYPE_CHECKING

from bascule.sandbox.core.access.permissions import ADMINISTRATOR
from bascule.sandbox.core.database.tables import Row
from bascule.sandbox.core.doctypes.schema import DocType
from bascule.sandbox.core.documents import saving
from bascule.sandbox.core.documents.document import Document
from bascule.sandbox.core.documents.events import fire
from bascule.sandbox.core.documents.naming import random_name, take_back
from bascule.sandbox.core.errors import Call, Refusal, form_link
from bascule.sandbox.core.values import cint
from bascule.sandbox.core.versions import SIXTEEN

if TYPE_CHECKING:
    from bascule.sandbox.core.site import Site

_HELP = (
    "<a href='https://docs.erpnext.com//docs/user/manual/en/setting-up/articles/"
    "delete-submitted-document' target='_blank'>"
)
# What may point at a document that is gone, as Frappe and ERPNext have it.
_INDIFFERENT = {
    *("Communication", "ToDo", "DocShare", "Comment", "Version", "View Log", "File"),
    *("Email Unsubscribe", "Activity Log", "Document Follow", "Tag Link", "Deleted Document"),
    *("Webhook Request Log", "Error Log", "Notification Log", "Email Queue"),
}
# What goes with the document that it is about: DocType -> the fields that name that document.
_REFERENCE = ("reference_doctype", "reference_name")
_ABOUT = {
    "ToDo": ("reference_type", "reference_name"),
    "DocShare": ("share_doctype", "share_name"),
    "Version": ("ref_doctype", "docname"),
    "Comment": _REFERENCE,
    "Communication Link": ("link_doctype", "link_name"),
    "Tag Link": ("document_type", "document_name"),
}
# What a voucher entered in these does not keep it from being cancelled. It goes with the voucher,
# without a trace, where the Accounts Settings say so.
_LEDGERS = ("GL Entry", "Payment Ledger Entry", "Stock Ledger Entry")
_UNTOLD = {"Comment", "Communication", "DocShare", "File", "Version", "Deleted Document"}


def delete(site: "Site", call: Call, doctype: str, name: str, *, unchecked: bool = False) -> None:
    """404 without a word when there is no such document."""
    known = site.schema.find(doctype)
    document = site.load(known, name) if known is not None else None
    if known is None or document is None:
        raise Refusal("DoesNotExistError")
    _check_allowed(site, call, document, unchecked=unchecked)
    _delete_entries(site, document)
    fire(site, call, document, "on_trash")
    document.in_delete = True
    fire(site, call, document, "on_change")
    _check_links(site, call, document)
    take_back(site, document)
    site.tables.move_passwords(known, document.name, None)
    site.tables.delete(known, name=document.name)
    for entry in document.doctype.tables:
        if entry.get("options") in site.schema:
            site.tables.delete(str(entry["options"]), parenttype=known, parent=document.name)
    fire(site, call, document, "after_delete")
    _keep(site, call, document)
    _forget(site, call, document)
    _tell(site, call, document)


def _delete_entries(site: "Site", document: Document) -> None:
    settings = site.single("Accounts Settings") if "Accounts Settings" in site.schema else {}
    if not cint(settings.get("delete_linked_ledger_entries")):
        return
    for ledger in _LEDGERS:
        if ledger in site.schema:
            place = {"voucher_type": document.doctype.name, "voucher_no": document.name}
            site.tables.delete(ledger, **place)


def _forget(site: "Site", call: Call, document: Document) -> None:
    """What was said and shared about a document goes with it; see delete_dynamic_links."""
    about, name = document.doctype.name, document.name
    for doctype, (place, named) in _ABOUT.items():
        if doctype in site.schema:
            site.tables.delete(doctype, **{place: about, named: name})
    for row in site.tables.rows("File", attached_to_doctype=about, attached_to_name=name):
        delete(site, call, "File", row["name"], unchecked=True)
    for row in site.tables.rows("Communication", reference_doctype=about, reference_name=name):
        nobody = {"reference_doctype": None, "reference_name": None}
        site.tables.update("Communication", row["name"], nobody)


def _tell(site: "Site", call: Call, document: Document) -> None:
    """A comment tells of the deletion, whatever may be told of by comments."""
    if document.doctype.name in _UNTOLD or "Comment" not in site.schema:
        return
    told = {"comment_type": "Deleted", "reference_doctype": document.doctype.name}
    told["subject"] = f"{document.doctype.name} {document.name}"
    comment = saving.new(site, call, "Comment", told)
    saving.insert(site, call, comment, unchecked=True)


def _check_allowed(site: "Site", call: Call, document: Document, *, unchecked: bool) -> None:
    doctype = document.doctype
    if doctype.name == "DocType" and not document["custom"]:
        call.refuse("Standard DocType can not be deleted.")
    if call.major >= SIXTEEN and not unchecked:
        site.check(call, document, "delete")
    elif not unchecked and call.user != ADMINISTRATOR and not site.may(call, document, "delete"):
        told = f"User not allowed to delete {doctype.name}: {document.name}"
        call.refuse(told, "PermissionError")
    if doctype.is_submittable and document.docstatus == 1:
        call.refuse(
            f"{doctype.name} {document.name}: Submitted Record cannot be deleted."
            f" You must {_HELP} Cancel </a> it first."
        )


def _check_links(site: "Site", call: Call, document: Document) -> None:
    try:
        check_back_links(site, call, document, cancelling=False)
    except Refusal as refusal:
        known = document.doctype.by_name
        if refusal.kind == "LinkExistsError" and ("enabled" in known or "disabled" in known):
            told = f"You can disable this {document.doctype.name} instead of deleting it."
            call.refuse(told, "LinkExistsError")
        raise


def check_back_links(site: "Site", call: Call, document: Document, *, cancelling: bool) -> None:
    """Refuses while another document links to this one; of a cancelled one, a submitted one."""
    about = document.doctype.name
    for doctype, field in site.schema.links_to(about):
        if doctype.name in _INDIFFERENT or (cancelling and field == "amended_from"):
            continue
        if not doctype.is_single:
            for row in site.tables.rows(doctype.name, **{field: document.name}):
                _check_link(call, document, doctype, row, cancelling=cancelling)
        elif site.single(doctype.name).get(field) == document.name:
            _refuse(call, document, "", doctype.name)
    for doctype, field, named in site.schema.dynamic_links():
        entered = cancelling and doctype.name in _LEDGERS
        if doctype.is_single or doctype.name in _INDIFFERENT or entered:
            continue
        for row in site.tables.rows(doctype.name, **{named: about, field: document.name}):
            if row["docstatus"] != 2:
                place = f"at Row: {row['idx']}" if doctype.is_child else ""
                _check_link(call, document, doctype, row, place, cancelling=cancelling)


def _check_link(
    call: Call,
    document: Document,
    doctype: DocType,
    row: Row,
    place: str = "",
    *,
    cancelling: bool,
) -> None:
    holder = row["parenttype"] if doctype.is_child else doctype.name
    name = row["parent"] if doctype.is_child else row["name"]
    itself = doctype.name == document.doctype.name and name == document.name
    if holder in _INDIFFERENT or itself or (cancelling and row["docstatus"] != 1):
        return
    _refuse(call, document, holder, name, place)


def _refuse(call: Call, document: Document, doctype: str, name: str, place: str = "") -> None:
    about = document.doctype.name
    here = form_link(call, about, document.name)
    there = form_link(call, doctype or name, name)
    call.refuse(
        f"Cannot delete or cancel because {about} {here} is linked with {doctype} {there} {place}",
        "LinkExistsError",
    )


def _keep(site: "Site", call: Call, document: Document) -> None:
    """The deleted document, as JSON, in a Deleted Document."""
    if "Deleted Document" not in site.schema or document.doctype.name == "Deleted Document":
        return
    now = site.now()
    row = {
        **{"name": random_name(), "owner": call.user, "modified_by": call.user},
        **{"creation": now, "modified": now},
        **{"deleted_doctype": document.doctype.name, "deleted_name": document.name},
        "data": json.dumps(document.shown(nulls=True), indent=1, sort_keys=True),
    }
    site.tables.insert(site.schema["Deleted Document"], row)
