"""What people do at a document from its form: comment, assign, tag, share and attach files."""

import json
from html import escape
from typing import Any

from bascule.sandbox.core.access.permissions import GUEST
from bascule.sandbox.core.database.tables import Row
from bascule.sandbox.core.documents import desk_doctypes, saving
from bascule.sandbox.core.errors import Call, Refusal, python_error
from bascule.sandbox.core.methods.whitelist import parsed, whitelisted
from bascule.sandbox.core.site import Site
from bascule.sandbox.core.values import cint, cstr


@whitelisted("frappe.desk.form.utils.add_comment")
def add_comment(
    site: Site,
    call: Call,
    reference_doctype: str,
    reference_name: str,
    content: str,
    comment_email: str,
    comment_by: str,
) -> Row:
    """To anybody who may read the document."""
    site.check(call, site.document(call, reference_doctype, str(reference_name)), "read")
    values = {
        **{"comment_type": "Comment", "content": content},
        **{"reference_doctype": reference_doctype, "reference_name": reference_name},
        **{"comment_email": comment_email, "comment_by": comment_by},
    }
    comment = saving.new(site, call, "Comment", values)
    return site.shown(call, saving.insert(site, call, comment, unchecked=True))


@whitelisted("frappe.desk.form.assign_to.add")
def assign(site: Site, call: Call, **given: Any) -> list[Row]:
    """A task for each of the users that has none about that document yet."""
    try:
        doctype, name = str(given["doctype"]), str(given["name"])
    except KeyError as error:
        raise python_error(error) from error
    already = []
    for user in parsed(given.get("assign_to")) or []:
        document = site.document(call, doctype, name)
        site.check(call, document, "read")
        about = {"reference_type": doctype, "reference_name": name}
        if site.tables.rows("ToDo", **about, status="Open", allocated_to=user):
            already.append(user)
            continue
        values = {
            **{**about, "allocated_to": user, "status": "Open"},
            "description": escape(given.get("description") or f"Assignment for {doctype} {name}"),
            "priority": given.get("priority", "Medium"),
            "date": given.get("date", str(site.clock.now().date())),
            "assigned_by": given.get("assigned_by", call.user),
        }
        saving.insert(site, call, saving.new(site, call, "ToDo", values), unchecked=True)
        if site.access.denied(user, document, "read") is not None:
            share(site, call, doctype, name, user)
    if already:
        listed = "".join(f"<li>{user}</li>" for user in already)
        call.tell(f"Already in the following Users ToDo list:<br><br><ul>{listed}</ul>")
    return _assigned(site, doctype, name)


@whitelisted("frappe.desk.form.assign_to.remove")
def unassign(site: Site, call: Call, doctype: Any, name: Any, assign_to: Any) -> list[Row]:
    return _set_status(site, call, (str(doctype), str(name)), str(assign_to), "Cancelled")


@whitelisted("frappe.desk.form.assign_to.close")
def close(site: Site, call: Call, doctype: str, name: str, assign_to: str) -> list[Row]:
    if assign_to != call.user:
        call.refuse("Only the assignee can complete this to-do.")
    return _set_status(site, call, (str(doctype), str(name)), str(assign_to), "Closed")


def _set_status(
    site: Site, call: Call, about: tuple[str, str], user: str, status: str
) -> list[Row]:
    site.check(call, site.document(call, *about), "read")
    place = {"reference_type": about[0], "reference_name": about[1], "allocated_to": user}
    for row in site.tables.rows("ToDo", "`creation` DESC", **place):
        if row["status"] != status:
            todo = site.document(call, "ToDo", row["name"])
            todo["status"] = status
            saving.save(site, call, todo, unchecked=True)
            break
    return _assigned(site, *about)


def _assigned(site: Site, doctype: str, name: str) -> list[Row]:
    rows = site.tables.rows("ToDo", "`creation` DESC", reference_type=doctype, reference_name=name)
    open_ones = [row for row in rows if row["status"] not in ("Cancelled", "Closed")]
    return [{"owner": row["allocated_to"], "name": row["name"]} for row in open_ones[:5]]


@whitelisted("frappe.desk.doctype.tag.tag.add_tag")
def add_tag(site: Site, call: Call, tag: Any, dt: Any, dn: Any, color: Any = None) -> str:
    tags = _tags(site, call, dt, dn)
    if str(tag) not in tags:
        if site.tables.value("Tag", str(tag), "name") is None:
            made = saving.new(site, call, "Tag", {"name": str(tag)})
            saving.insert(site, call, made, unchecked=True)
        _set_tags(site, call, (str(dt), str(dn)), [*tags, str(tag)])
    return str(tag)


@whitelisted("frappe.desk.doctype.tag.tag.remove_tag")
def remove_tag(site: Site, call: Call, tag: Any, dt: Any, dn: Any) -> None:
    gone = str(tag).lower()
    kept = [one for one in _tags(site, call, dt, dn) if one.lower() != gone]
    _set_tags(site, call, (str(dt), str(dn)), kept)


def _tags(site: Site, call: Call, doctype: Any, name: Any) -> list[str]:
    known = site.doctype(call, doctype)
    kept = site.tables.value(known.name, str(name), "_user_tags")
    return [tag for tag in cstr(kept).split(",") if tag]


def _set_tags(site: Site, call: Call, about: tuple[str, str], tags: list[str]) -> None:
    document = site.document(call, *about)
    site.check(call, document, "write")
    site.tables.update(*about, {"_user_tags": "," + ",".join(tags)})
    place = {"document_type": about[0], "document_name": about[1]}
    site.tables.delete("Tag Link", **place)
    title = document[document.doctype.definition.get("title_field") or "name"]
    for tag in tags:
        link = saving.new(site, call, "Tag Link", {**place, "tag": tag, "title": title or ""})
        saving.insert(site, call, link, unchecked=True)


@whitelisted("frappe.core.doctype.deleted_document.deleted_document.restore")
def restore(site: Site, call: Call, name: Any, alert: Any = True) -> None:
    """A deleted document is made again, with a name and times of its own; what was kept of it says
    so, past its own `modified`."""
    kept = site.document(call, "Deleted Document", str(name))
    if cint(kept["restored"]):
        call.refuse(f"Document {name} Already Restored", "DocumentAlreadyRestored")
    values = json.loads(cstr(kept["data"]))
    document = saving.new(site, call, str(kept["deleted_doctype"]), values)
    if document.docstatus == 2:
        call.tell("Cancelled Document restored as Draft")
        document["docstatus"] = 0
    saving.insert(site, call, document)
    about = (document.doctype.name, document.name)
    told = f"restored {kept['deleted_name']} as {document.name}"
    desk_doctypes.add_comment(site, call, *about, "Edit", told)
    restored = {"new_name": document.name, "restored": 1}
    saving.set_values(site, call, kept, restored, moved=False)
    call.tell("Document Restored")


@whitelisted("frappe.share.add")
def share(
    site: Site,
    call: Call,
    doctype: Any,
    name: Any,
    user: Any = None,
    read: Any = 1,
    write: Any = 0,
    submit: Any = 0,
    share: Any = 0,
    everyone: Any = 0,
) -> Row:
    """With a user or with everyone; always to read, whatever else."""
    document = site.document(call, doctype, str(name))
    if not site.may(call, document, "share"):
        call.refuse(f"No permission to share {doctype} {name}", "PermissionError")
    about = {"share_doctype": str(doctype), "share_name": str(name)}
    whom = {"everyone": 1} if cint(everyone) else {"user": str(user or call.user)}
    there = site.tables.rows("DocShare", **about, **whom)
    shared = site.load("DocShare", there[0]["name"]) if there else None
    if shared is None:
        shared = saving.new(site, call, "DocShare", {**about, **whom})
    rights = {"read": 1, "write": cint(write), "submit": cint(submit), "share": cint(share)}
    shared.update(site.schema, rights)
    return site.shown(call, saving.save(site, call, shared, unchecked=True))


@whitelisted("frappe.share.get_users")
def get_shared_users(site: Site, call: Call, doctype: str, name: str) -> list[Row]:
    if not site.may(call, site.document(call, doctype, str(name)), "read"):
        return []
    rows = site.tables.rows("DocShare", share_doctype=doctype, share_name=str(name))
    shown = ("name", "user", "read", "write", "submit", "share", "everyone", "owner", "creation")
    return [{field: row[field] for field in shown} for row in rows]


@whitelisted("upload_file", guests=True)
@whitelisted("frappe.handler.upload_file", guests=True)
def upload_file(site: Site, call: Call, **form: Any) -> Row:
    """A file out of a form in parts, or what a URL names, for those who may write the document."""
    if call.user == GUEST:
        raise Refusal("PermissionError")
    doctype, name = form.get("doctype"), form.get("docname")
    if doctype and name:
        document = site.load(str(doctype), str(name)) if doctype in site.schema else None
        if document is not None:
            site.check(call, document, "write")
    filename, content = call.upload or (form.get("file_name"), None)
    values = {
        **{"attached_to_doctype": doctype, "attached_to_name": name, "file_name": filename},
        **{"attached_to_field": form.get("fieldname"), "folder": form.get("folder")},
        **{"file_url": form.get("file_url"), "is_private": cint(form.get("is_private"))},
        "content": content,
    }
    file = saving.new(site, call, "File", values)
    return site.shown(call, saving.insert(site, call, file))


@whitelisted("frappe.client.attach_file", ("POST", "PUT"))
def attach_file(
    site: Site,
    call: Call,
    filename: Any = None,
    filedata: Any = None,
    doctype: Any = None,
    docname: Any = None,
    folder: Any = None,
    decode_base64: Any = False,
    is_private: Any = None,
    docfield: Any = None,
) -> Row:
    document = site.document(call, doctype, str(docname))
    site.check(call, document, "read")
    values = {
        **{"file_name": filename, "attached_to_doctype": doctype, "attached_to_name": docname},
        **{"attached_to_field": docfield, "folder": folder, "is_private": is_private},
        **{"content": filedata, "decode": decode_base64},
    }
    file = saving.insert(site, call, saving.new(site, call, "File", values))
    if docfield:
        document[str(docfield)] = file["file_url"]
        saving.save(site, call, document)
    return site.shown(call, file)
