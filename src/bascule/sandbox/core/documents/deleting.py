"""A document's end: who may delete it, what still links to it, and what is left behind."""

import json
from typing import TYPE_CHECKING

from bascule.sandbox.core.access.permissions import ADMINISTRATOR
from bascule.sandbox.core.documents import saving
from bascule.sandbox.core.documents.back_links import check_back_links
from bascule.sandbox.core.documents.document import Document
from bascule.sandbox.core.documents.events import fire
from bascule.sandbox.core.documents.naming import random_name, take_back
from bascule.sandbox.core.errors import Call, Refusal
from bascule.sandbox.core.versions import SIXTEEN

if TYPE_CHECKING:
    from bascule.sandbox.core.site import Site

_HELP = (
    "<a href='https://docs.erpnext.com//docs/user/manual/en/setting-up/articles/"
    "delete-submitted-document' target='_blank'>"
)
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
_UNTOLD = {"Comment", "Communication", "DocShare", "File", "Version", "Deleted Document"}


def delete(site: "Site", call: Call, doctype: str, name: str, *, unchecked: bool = False) -> None:
    """404 without a word when there is no such document."""
    known = site.schema.find(doctype)
    document = site.load(known, name) if known is not None else None
    if known is None or document is None:
        raise Refusal("DoesNotExistError")
    _check_allowed(site, call, document, unchecked=unchecked)
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
