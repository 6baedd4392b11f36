"""What Frappe does by itself with tasks, notes, events and comments, and who sees which of them.

Follows the modules of these DocTypes in frappe/desk and frappe/core.
"""

import json
from datetime import timedelta
from typing import TYPE_CHECKING

from bascule.sandbox.core.access.access import RULES, Access, Rule, Write
from bascule.sandbox.core.access.permissions import ADMINISTRATOR, AUTOMATIC, GUEST
from bascule.sandbox.core.database.tables import Row
from bascule.sandbox.core.documents import saving
from bascule.sandbox.core.documents.document import Document
from bascule.sandbox.core.documents.events import on
from bascule.sandbox.core.documents.markup import clean
from bascule.sandbox.core.errors import Call, bold
from bascule.sandbox.core.values import cint, cstr, moment

if TYPE_CHECKING:
    from bascule.sandbox.core.site import Site

_LONGEST = 100


def full_name(site: "Site", user: str) -> str:
    row = site.tables.row("User", user) or {}
    names = filter(None, (row.get("first_name"), row.get("last_name")))
    return " ".join(map(cstr, names)) or user


def add_comment(site: "Site", call: Call, doctype: str, name: str, kind: str, text: str) -> None:
    comment = {"comment_type": kind, "comment_email": call.user, "content": text}
    comment |= {"reference_doctype": doctype, "reference_name": name}
    saving.insert(site, call, saving.new(site, call, "Comment", comment), unchecked=True)


def _todo_roles(access: Access, right: str) -> set[str]:
    granted = access.schema["ToDo"].permissions
    return {
        one["role"] for one in granted if one.get(right) and not one.get("permlevel")
    } - AUTOMATIC


def _allows_todo(access: Access, user: str, todo: Document, right: str) -> bool:
    if _todo_roles(access, right) & access.permissions.roles(user):
        return True
    return user in (todo["allocated_to"], todo["assigned_by"])


def _todos(access: Access, user: str, write: Write) -> str:
    if _todo_roles(access, "read") & access.permissions.roles(user):
        return ""
    mine = write(user)
    return f"(`tabToDo`.allocated_to = {mine} or `tabToDo`.assigned_by = {mine})"


def _notes(access: Access, user: str, write: Write) -> str:
    return f"(`tabNote`.owner = {write(user)} or `tabNote`.public = 1)"


def _events(access: Access, user: str, write: Write) -> str:
    return f"(`tabEvent`.`event_type`='Public' or `tabEvent`.`owner`={write(user)})"


def _users(access: Access, user: str, write: Write) -> str:
    return "" if user == ADMINISTRATOR else "(`tabUser`.name not in ('Administrator', 'Guest'))"


def _communications(access: Access, user: str, write: Write) -> str:
    if {"Super Email User", "System Manager"} & access.permissions.roles(user):
        return ""
    return "`tabCommunication`.communication_medium!='Email'"


def _allows_communication(access: Access, user: str, one: Document, right: str) -> bool | None:
    about, name = cstr(one["reference_doctype"]), cstr(one["reference_name"])
    if right != "read" or not about or not name or (about, name) == ("Communication", one.name):
        return None
    found = access.load(about, name)
    return found is not None and access.denied(user, found, "read") is None


def _allows_file(access: Access, user: str, file: Document, right: str) -> bool:
    if right == "create" or (not file["is_private"] and right in ("read", "select")):
        return True
    if user != GUEST and file["owner"] == user:
        return True
    found = access.load(cstr(file["attached_to_doctype"]), cstr(file["attached_to_name"]))
    held = "write" if right in ("write", "create", "delete") else "read"
    return found is not None and access.denied(user, found, held) is None


RULES["ToDo"] = Rule(_allows_todo, _todos)
RULES["Note"] = Rule(
    lambda access, user, note, right: bool(note["public"]) or note["owner"] == user, _notes
)
RULES["Event"] = Rule(
    lambda access, user, event, right: event["event_type"] == "Public" or event["owner"] == user,
    _events,
)
RULES["User"] = Rule(
    lambda access, user, one, right: False if one.name in (ADMINISTRATOR, GUEST) else None, _users
)
RULES["Communication"] = Rule(_allows_communication, _communications)
RULES["File"] = Rule(_allows_file)


@on("ToDo", "on_update")
def _tell_assignment(site: "Site", call: Call, todo: Document) -> None:
    """A comment at what the task is about, and the users that it now is assigned to."""
    if not (todo["reference_type"] and todo["reference_name"]):
        return
    by, to = (full_name(site, todo[one] or call.user) for one in ("assigned_by", "allocated_to"))
    me, kind, text = full_name(site, call.user), "Assigned", ""
    if todo.before is None:
        text = f"{by} assigned {to}: {todo['description']}"
        if todo["assigned_by"] == todo["allocated_to"]:
            text = f"{by} self assigned this task: {todo['description']}"
    elif todo.before["status"] != todo["status"]:
        kind, text = "Assignment Completed", f"Assignment of {to} removed by {me}"
        if todo["allocated_to"] == call.user:
            text = f"{me} removed their assignment."
    if text:
        about = (str(todo["reference_type"]), str(todo["reference_name"]))
        add_comment(site, call, *about, kind, text)
    _assign(site, call, todo)


@on("ToDo", "on_trash")
def _assign(site: "Site", call: Call, todo: Document) -> None:
    about, name = cstr(todo["reference_type"]), cstr(todo["reference_name"])
    if about not in site.schema or site.schema[about].is_single or not name:
        return
    rows = site.tables.rows("ToDo", "`modified` DESC", reference_type=about, reference_name=name)
    open_ones = [row for row in rows if row["status"] not in ("Cancelled", "Closed")]
    users = [row["allocated_to"] for row in open_ones if row["allocated_to"]][::-1]
    site.tables.update(about, name, {"_assign": json.dumps(users) if users else ""})


@on("Note", "validate")
def _fill_note(site: "Site", call: Call, note: Document) -> None:
    if cint(note["notify_on_login"]) and not note["expire_notification_on"]:
        made = moment(note["creation"]) or site.clock.now()
        note["expire_notification_on"] = str((made + timedelta(days=7)).date())
    if not cint(note["public"]):
        note["notify_on_login"] = 0
    note["content"] = note["content"] or "<span></span>"


@on("Event", "validate")
def _check_event(site: "Site", call: Call, event: Document) -> None:
    event["starts_on"] = event["starts_on"] or site.now()
    if event["starts_on"] == event["ends_on"]:
        event["ends_on"] = None
    starts, ends = moment(event["starts_on"]), moment(event["ends_on"])
    if starts and ends and ends.date() < starts.date():
        labels = [bold(event.doctype.label(field)) for field in ("ends_on", "starts_on")]
        call.refuse(f"{labels[0]} must be after {labels[1]}", "InvalidDates")
    if event["repeat_on"] == "Daily" and starts and ends and starts.date() != ends.date():
        call.refuse("Daily Events should finish on the Same Day.")
    if not cint(event["sync_with_google_calendar"]):
        event["add_video_conferencing"] = 0


@on("Comment", "validate")
def _fill_comment(site: "Site", call: Call, comment: Document) -> None:
    comment["comment_email"] = comment["comment_email"] or call.user
    if comment["content"]:
        comment["content"] = clean(cstr(comment["content"]))


@on("Comment", "on_update")
def _show_comment(site: "Site", call: Call, comment: Document) -> None:
    if comment["comment_type"] != "Comment" or not comment["content"]:
        return
    text = cstr(comment["content"])
    shown = {"comment": text[:97] + "..." if len(text) > _LONGEST else text}
    shown |= {"by": comment["comment_email"], "name": comment.name}
    others = [one for one in _comments(site, comment) if one["name"] != comment.name]
    _keep_comments(site, comment, [*others, shown])


@on("Comment", "on_trash")
def _drop_comment(site: "Site", call: Call, comment: Document) -> None:
    kept = [one for one in _comments(site, comment) if one["name"] != comment.name]
    _keep_comments(site, comment, kept)


def _about(site: "Site", comment: Document) -> tuple[str, str] | None:
    about, name = cstr(comment["reference_doctype"]), cstr(comment["reference_name"])
    if about not in site.schema or not name:
        return None
    doctype = site.schema[about]
    return (about, name) if "_comments" in doctype.optional and not doctype.is_single else None


def _comments(site: "Site", comment: Document) -> list[Row]:
    place = _about(site, comment)
    kept = place and site.tables.value(*place, "_comments")
    return json.loads(kept) if kept else []


def _keep_comments(site: "Site", comment: Document, comments: list[Row]) -> None:
    if place := _about(site, comment):
        site.tables.update(*place, {"_comments": json.dumps(comments[-_LONGEST:])})


@on("User Permission", "validate")
def _check_user_permission(site: "Site", call: Call, permission: Document) -> None:
    same = {field: permission[field] for field in ("user", "allow", "for_value")}
    for row in site.tables.rows("User Permission", **same):
        if row["name"] != permission.name and all(
            cstr(row[field]) == cstr(permission[field])
            for field in ("applicable_for", "apply_to_all_doctypes")
        ):
            call.refuse("User permission already exists", "DuplicateEntryError")


@on("DocShare", "validate")
def _check_share(site: "Site", call: Call, share: Document) -> None:
    if cint(share["everyone"]):
        share["user"] = None
    elif not share["user"]:
        call.refuse("User is mandatory for Share", "MandatoryError")
    about = site.document(call, str(share["share_doctype"]), str(share["share_name"]))
    if not site.may(call, about, "share"):
        call.refuse('You need to have "Share" permission', "PermissionError")
    if cint(share["submit"]) and not about.doctype.is_submittable:
        call.refuse(
            f"Cannot share {bold(about.name)} with submit permission as the doctype"
            f" {bold(about.doctype.name)} is not submittable"
        )
    if cint(share["submit"]):
        share["write"] = 1
    if any(cint(share[right]) for right in ("share", "write", "submit")):
        share["read"] = 1


@on("DocShare", "after_insert")
def _tell_share(site: "Site", call: Call, share: Document) -> None:
    whom = "everyone" if cint(share["everyone"]) else full_name(site, cstr(share["user"]))
    _comment_share(site, call, share, "Shared", f"shared this document with {whom}")


@on("DocShare", "on_trash")
def _tell_end_of_share(site: "Site", call: Call, share: Document) -> None:
    whom = full_name(site, cstr(share["user"]) or call.user)
    _comment_share(site, call, share, "Unshared", f"un-shared this document with {whom}")


def _comment_share(site: "Site", call: Call, share: Document, kind: str, text: str) -> None:
    about = (cstr(share["share_doctype"]), cstr(share["share_name"]))
    add_comment(site, call, *about, kind, f"{full_name(site, cstr(share['owner']))} {text}")
