"""A document's new name, and everything that links to the old one."""

from typing import TYPE_CHECKING

from bascule.sandbox import deleting, saving
from bascule.sandbox.document import Document
from bascule.sandbox.errors import Call, Refusal, bold
from bascule.sandbox.events import fire
from bascule.sandbox.naming import valid_name
from bascule.sandbox.tables import column, quoted
from bascule.sandbox.values import sbool

if TYPE_CHECKING:
    from bascule.sandbox.site import Site

# What names a document without a link: (DocType, field of the document's DocType, of its name).
_NAMED = (
    ("File", "attached_to_doctype", "attached_to_name"),
    ("Version", "ref_doctype", "docname"),
)


def rename(
    site: "Site", call: Call, doctype: str, old: str, new: str, *, merge: object = False
) -> str:
    """The new name. A comment tells the old one; a Deleted Document is left by a merge alone, and
    nobody's `modified` moves by it. See frappe/model/rename_doc.py.

    It moves for DocTypes that change a field when they are renamed: Customer, Supplier, Item.
    """
    if not new:
        told = "{doctype, old, new} or {doc, new} are required arguments"
        told += " for frappe.model.rename_doc"
        raise Refusal("TypeError", told, module="", status=500)
    document = site.document(call, site.doctype(call, doctype).name, old)
    new = _checked(site, call, document, old, new, merge=bool(sbool(merge)))
    if sbool(merge):
        _repoint(site, document, new)
    else:
        _rename_row(site, document, new)
        _repoint(site, document, new)
    renamed = site.document(call, document.doctype.name, new)
    fire(site, call, renamed, "after_rename")
    _comment(site, call, renamed, old, merged=bool(sbool(merge)))
    if sbool(merge):
        deleting.delete(site, call, document.doctype.name, old)
    call.tell(f"Document renamed from {bold(old)} to {bold(new)}", indicator="green", alert=True)
    return new


def _comment(site: "Site", call: Call, renamed: Document, old: str, *, merged: bool) -> None:
    if "Comment" not in site.schema:
        return
    what, into = ("merged", "into") if merged else ("renamed from", "to")
    comment = {
        "comment_type": "Edit",
        "comment_email": call.user,
        "comment_by": call.user,
        "reference_doctype": renamed.doctype.name,
        "reference_name": renamed.name,
        "content": f"{what} {bold(old)} {into} {bold(renamed.name)}",
    }
    saving.insert(site, call, saving.new(site, call, "Comment", comment), unchecked=True)


def _checked(
    site: "Site", call: Call, document: Document, old: str, new: str, *, merge: bool
) -> str:
    doctype = document.doctype
    there = site.tables.value(doctype.name, new, "name")
    if old == new:
        call.refuse("No changes made because old and new name are the same.")
    if there is not None and there != new:
        there = None  # only case or accents differ
    if merge and there is None:
        call.refuse(f"{doctype.name} {new} does not exist, select a new target to merge")
    if not merge and there is not None:
        call.refuse(f"Another {doctype.name} with name {new} exists, select another name")
    if site.access.denied(call.user, document, "write") is not None:
        call.refuse("You need write permission to rename")
    if not doctype.definition.get("allow_rename"):
        call.refuse(f"{doctype.name} not allowed to be renamed")
    return valid_name(call, doctype.name, new)


def _rename_row(site: "Site", document: Document, new: str) -> None:
    doctype = document.doctype
    site.tables.update(doctype.name, document.name, {"name": new})
    site.tables.move_passwords(doctype.name, document.name, new)
    field = doctype.autoname.partition("field:")[2]
    if field:
        site.tables.update(doctype.name, new, {field: new})
    for entry in doctype.tables:
        if entry.get("options") in site.schema:
            site.tables.run(
                f"UPDATE {quoted(str(entry['options']))} SET `parent` = ?"
                " WHERE `parent` = ? AND `parenttype` = ?",
                (new, document.name, doctype.name),
            )


def _repoint(site: "Site", document: Document, new: str) -> None:
    about, old = document.doctype.name, document.name
    for doctype, field in site.schema.links_to(about):
        if doctype.is_single:
            site.tables.run(
                "UPDATE `tabSingles` SET `value` = ?"
                " WHERE `doctype` = ? AND `field` = ? AND `value` = ?",
                (new, doctype.name, field, old),
            )
            continue
        place = column(field)
        site.tables.run(
            f"UPDATE {quoted(doctype.name)} SET {place} = ? WHERE {place} = ?", (new, old)
        )
    for holder, names, field in _NAMED:
        if holder in site.schema:
            site.tables.run(
                f"UPDATE {quoted(holder)} SET {column(field)} = ?"
                f" WHERE {column(names)} = ? AND {column(field)} = ?",
                (new, about, old),
            )
    for doctype, field, names in site.schema.dynamic_links():
        if not doctype.is_single:
            site.tables.run(
                f"UPDATE {quoted(doctype.name)} SET {column(field)} = ?"
                f" WHERE {column(names)} = ? AND {column(field)} = ?",
                (new, about, old),
            )
