"""A document's new name, and everything that links to the old one."""

import json
from typing import TYPE_CHECKING

from bascule.sandbox.core.database.tables import column, quoted
from bascule.sandbox.core.documents import deleting, saving
from bascule.sandbox.core.documents.document import Document, Renaming, stored_fields
from bascule.sandbox.core.documents.events import fire
from bascule.sandbox.core.documents.naming import valid_name
from bascule.sandbox.core.errors import Call, Refusal, bold
from bascule.sandbox.core.values import sbool

if TYPE_CHECKING:
    from bascule.sandbox.core.site import Site

# What names a document without a link: (DocType, field of the document's DocType, of its name).
_NAMED = (
    ("File", "attached_to_doctype", "attached_to_name"),
    ("Version", "ref_doctype", "docname"),
)


def rename(
    site: "Site",
    call: Call,
    doctype: str,
    old: str,
    new: str,
    *,
    merge: object = False,
    force: bool = False,
) -> str:
    """The new name; `force` renames what its DocType lets nobody rename. See rename_doc.py.

    A comment tells the old one; a Deleted Document is left by a merge alone. Nobody's `modified`
    moves by it but that of Singles, of what a merge leaves, and of documents of DocTypes that
    change a field when they are renamed: see `after_renames`.
    """
    if not new:
        told = "{doctype, old, new} or {doc, new} are required arguments"
        told += " for frappe.model.rename_doc"
        raise Refusal("TypeError", told, module="", status=500)
    document = site.document(call, site.doctype(call, doctype).name, old)
    old, merging = document.name, bool(sbool(merge))
    document.renaming = Renaming(old, new, merging)
    fire(site, call, document, "before_rename")
    new = _checked(site, call, document, new, merge=merging, force=force)
    if merging:
        _join_assignments(site, call, document, new)
    else:
        _rename_row(site, document, new)
    _repoint(site, call, document, new)
    renamed = site.document(call, document.doctype.name, new)
    renamed.renaming = Renaming(old, new, merging)
    fire(site, call, renamed, "after_rename")
    _comment(site, call, renamed, old, merged=merging)
    if merging:
        deleting.delete(site, call, document.doctype.name, old)
    call.tell(f"Document renamed from {bold(old)} to {bold(new)}", indicator="green", alert=True)
    return new


def _join_assignments(site: "Site", call: Call, document: Document, new: str) -> None:
    """What a merge leaves is assigned to whom either was; its `modified` moves by that."""
    there = site.document(call, document.doctype.name, new)
    users = {user for one in (document, there) for user in json.loads(one["_assign"] or "[]")}
    values = {"_assign": json.dumps(sorted(users)), "modified": site.now()}
    site.tables.update(there.doctype.name, new, values | {"modified_by": call.user})


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
    site: "Site", call: Call, document: Document, new: str, *, merge: bool, force: bool
) -> str:
    doctype, old = document.doctype, document.name
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
    if not (force or doctype.definition.get("allow_rename")):
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


def _repoint(site: "Site", call: Call, document: Document, new: str) -> None:
    about, old = document.doctype.name, document.name
    for doctype, field in site.schema.links_to(about):
        if doctype.is_single:
            _repoint_single(site, call, doctype.name, field, old, new)
            continue
        place = column(field)
        site.tables.run(
            f"UPDATE {quoted(doctype.name)} SET {place} = ? WHERE {place} = ?", (new, old)
        )
    named = [(holder, field, names) for holder, names, field in _NAMED if holder in site.schema]
    for doctype, field, names in site.schema.dynamic_links():
        if not doctype.is_single:
            named.append((doctype.name, field, names))
            continue
        kept = stored_fields(site.tables, doctype.name)
        if (kept.get(names), kept.get(field)) == (about, old):
            site.tables.set_single(doctype.name, {field: new})
    for holder, field, names in named:
        site.tables.run(
            f"UPDATE {quoted(holder)} SET {column(field)} = ?"
            f" WHERE {column(names)} = ? AND {column(field)} = ?",
            (new, about, old),
        )


def _repoint_single(site: "Site", call: Call, doctype: str, field: str, old: str, new: str) -> None:
    """A Single is saved as a document, because what it holds may be defaults as well."""
    if stored_fields(site.tables, doctype).get(field) == old:
        stamps = {"modified": site.now(), "modified_by": call.user}
        site.tables.set_single(doctype, {field: new} | stamps)
