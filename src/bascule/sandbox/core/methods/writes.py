"""The whitelisted methods that change documents: frappe.client's and their likes."""

from typing import Any

from bascule.sandbox.core.database.tables import Row
from bascule.sandbox.core.doctypes.schema import OF_CHILDREN, STANDARD
from bascule.sandbox.core.documents import deleting, saving
from bascule.sandbox.core.documents.document import Document
from bascule.sandbox.core.documents.renaming import rename
from bascule.sandbox.core.errors import Call, Refusal, python_error
from bascule.sandbox.core.methods.whitelist import parsed, whitelisted
from bascule.sandbox.core.site import Site
from bascule.sandbox.core.values import sbool

_CHANGING = ("POST", "PUT")
_MOST = 200


def given(site: Site, call: Call, doc: Any) -> Document:
    """The document that a caller sent whole; one with a name that is stored is not new."""
    values = dict(parsed(doc))
    document = saving.new(site, call, str(values.get("doctype")), values)
    document.is_new = bool(values.get("__islocal")) or not values.get("name")
    return document


def inserted(site: Site, call: Call, doc: Any) -> Document:
    """A child row is appended to its parent, which is what is stored and given back."""
    values = dict(parsed(doc))
    if not values.get("doctype"):
        raise Refusal("ValueError", '"doctype" is a required key', module="", status=500)
    doctype = site.controller(call, str(values["doctype"]))
    if not doctype.is_child:
        return saving.insert(site, call, saving.new(site, call, doctype.name, values))
    if not all(values.get(field) for field in OF_CHILDREN):
        call.refuse("Parenttype, Parent and Parentfield are required to insert a child record")
    parent = site.document(call, str(values["parenttype"]), str(values["parent"]))
    row = parent.append(site.schema, str(values["parentfield"]), values)
    row.is_new = True
    return saving.save(site, call, parent)


@whitelisted("frappe.client.insert", _CHANGING)
def insert(site: Site, call: Call, doc: Any = None) -> Row:
    return site.shown(call, inserted(site, call, doc), nulls=True)


@whitelisted("frappe.client.insert_many", _CHANGING)
def insert_many(site: Site, call: Call, docs: Any = None) -> list[str]:
    """All or none: the call is one transaction."""
    documents = parsed(docs)
    if len(documents) > _MOST:
        call.refuse(f"Only {_MOST} inserts allowed in one request")
    return [inserted(site, call, doc).name for doc in documents]


@whitelisted("frappe.client.save", _CHANGING)
def save(site: Site, call: Call, doc: Any) -> Row:
    return site.shown(call, saving.save(site, call, given(site, call, doc)), nulls=True)


@whitelisted("frappe.client.submit", _CHANGING)
def submit(site: Site, call: Call, doc: Any) -> Row:
    document = given(site, call, doc)
    document["docstatus"] = 1
    return site.shown(call, saving.save(site, call, document), nulls=True)


@whitelisted("frappe.client.cancel", _CHANGING)
def cancel(site: Site, call: Call, doctype: Any, name: Any) -> Row:
    document = site.document(call, doctype, str(name))
    document["docstatus"] = 2
    return site.shown(call, saving.save(site, call, document), nulls=True)


@whitelisted("frappe.client.set_value", _CHANGING)
def set_value(
    site: Site, call: Call, doctype: Any, name: Any, fieldname: Any, value: Any = None
) -> Row:
    if isinstance(fieldname, str) and fieldname in (*STANDARD, *OF_CHILDREN, "doctype"):
        call.refuse("Cannot edit standard fields")
    values = {fieldname: value} if value else fieldname
    if not value and isinstance(fieldname, str):
        try:
            values = parsed(fieldname)
        except Refusal:
            values = {fieldname: ""}
    known = site.doctype(call, doctype)
    document = site.document(call, known.name, str(name))
    if known.is_child:
        parent = site.document(call, str(document["parenttype"]), str(document["parent"]))
        for row in parent.rows[str(document["parentfield"])]:
            if row.name == document.name:
                row.update(site.schema, values)
        document = parent
    else:
        document.update(site.schema, values)
    return site.shown(call, saving.save(site, call, document), nulls=True)


@whitelisted("frappe.client.bulk_update", _CHANGING)
def bulk_update(site: Site, call: Call, docs: Any) -> Row:
    """Each by itself; those that were refused are given back."""
    failed = []
    if not isinstance(docs, str):
        kind = type(docs).__name__
        told = f"the JSON object must be str, bytes or bytearray, not {kind}"
        raise Refusal("TypeError", told, module="", status=500)
    for doc in parsed(docs):
        doc.pop("flags", None)
        try:
            with site.tables.savepoint():
                _update_one(site, call, doc)
        except Refusal as refusal:
            trace = f"Traceback (most recent call last):\n{refusal.line(call.major)}\n"
            failed.append({"doc": doc, "exc": trace})
    return {"failed_docs": failed}


def _update_one(site: Site, call: Call, doc: Row) -> None:
    try:
        doctype, name = doc["doctype"], doc["docname"]
    except KeyError as error:
        raise python_error(error) from error
    document = site.document(call, doctype, str(name))
    document.update(site.schema, doc)
    saving.save(site, call, document)


@whitelisted("frappe.client.delete", ("DELETE", "POST"))
def delete(site: Site, call: Call, doctype: Any, name: Any) -> None:
    delete_document(site, call, doctype, str(name))


def delete_document(site: Site, call: Call, doctype: str, name: str) -> None:
    """A child row is taken out of its parent, which is stored anew."""
    known = site.schema.find(doctype)
    if known is None or not site.schema[known].is_child:
        deleting.delete(site, call, doctype, name)
        return
    row = site.load(known, name)
    if row is None:
        raise Refusal("DoesNotExistError")
    parent = site.document(call, str(row["parenttype"]), str(row["parent"]))
    rows = parent.rows[str(row["parentfield"])]
    parent.rows[str(row["parentfield"])] = kept = [one for one in rows if one.name != row.name]
    for number, one in enumerate(kept, start=1):
        one["idx"] = number
    saving.save(site, call, parent)


@whitelisted("frappe.rename_doc", _CHANGING)
def rename_doc_in_short(
    site: Site,
    call: Call,
    doctype: Any,
    old: Any,
    new: Any,
    force: Any = False,
    merge: Any = False,
) -> str:
    forced = bool(sbool(force))
    return rename(site, call, doctype, str(old), str(new), merge=merge, force=forced)


@whitelisted("frappe.model.rename_doc.update_document_title")
def update_document_title(site: Site, call: Call, doctype: Any, docname: Any, **given: Any) -> str:
    """Another name, another title or both: what a person changes at the head of a form."""
    title, name = (given.get(f"new_{what}") or given.get(what) for what in ("title", "name"))
    document = site.document(call, doctype, str(docname))
    site.check(call, document, "write")
    named = str(document.doctype.definition.get("title_field") or "name")
    if name and name != document.name:
        rename(
            site, call, document.doctype.name, document.name, str(name), merge=given.get("merge")
        )
        document = site.document(call, document.doctype.name, str(name))
    if title and named != "name" and title != document[named]:
        document[named] = title
        saving.save(site, call, document)
        call.tell("Saved", indicator="green", alert=True)
    return document.name


@whitelisted("frappe.client.rename_doc", _CHANGING)
def rename_doc(
    site: Site, call: Call, doctype: Any, old_name: Any, new_name: Any, merge: Any = False
) -> str:
    return rename(site, call, doctype, str(old_name), str(new_name), merge=merge)
