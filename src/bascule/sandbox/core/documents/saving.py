"""A document on its way into the tables: inserted, updated, submitted and cancelled.

The order of steps is Frappe's, because a document that is wrong twice is refused for the first.
"""

from typing import TYPE_CHECKING

from bascule.sandbox.core.database.columns import check_columns
from bascule.sandbox.core.database.tables import DATABASE, Row, stored
from bascule.sandbox.core.documents import checks
from bascule.sandbox.core.documents.back_links import check_back_links
from bascule.sandbox.core.documents.defaults import set_defaults
from bascule.sandbox.core.documents.document import Document
from bascule.sandbox.core.documents.events import fire
from bascule.sandbox.core.documents.naming import random_name, set_name
from bascule.sandbox.core.errors import Call, Refusal, bold, database_error
from bascule.sandbox.core.values import cint, cstr, is_number
from bascule.sandbox.core.versions import SIXTEEN

if TYPE_CHECKING:
    from bascule.sandbox.core.site import Site


def new(site: "Site", call: Call, doctype: str, values: Row) -> Document:
    """A document that is not stored yet, with a caller's values."""
    document = Document(site.controller(call, doctype), {}, is_new=True)
    document.update(site.schema, values)
    return document


def insert(site: "Site", call: Call, document: Document, *, unchecked: bool = False) -> Document:
    """Stores a new document; `unchecked` asks for no permission."""
    doctype = document.doctype
    document.is_new = True
    set_defaults(site, call, document)
    _stamp(site, call, document)
    _spread_docstatus(document)
    action = _transition(site, call, document, 0)
    checks.check_links(site, call, document)
    if not unchecked:
        site.check(call, document, "create")
    fire(site, call, document, "before_insert")
    _name(site, call, document)
    if not unchecked:
        _reset_levels(site, call, document)
    document.in_insert = True
    _before(site, call, document, action)
    _check(site, call, document)
    document.in_insert = False
    _finish_rows(site, call, document)
    if doctype.is_single:
        site.tables.fill_single(doctype.name, document.values)
    else:
        _insert_row(site, call, document)
    for row in document.children():
        check_columns(row)
        site.tables.insert(row.doctype, row.values)
    document.is_new, document.made = False, True
    fire(site, call, document, "after_insert")
    document.in_insert = True
    _after(site, call, document, action)
    document.in_insert = False
    return document


def save(site: "Site", call: Call, document: Document, *, unchecked: bool = False) -> Document:
    """Stores the changes of a document that is there; what it was is in `document.before`."""
    if document.is_new or not document.name:
        return insert(site, call, document, unchecked=unchecked)
    set_defaults(site, call, document)
    if not unchecked:
        site.check(call, document, "write")
    based_on = document["modified"]
    _stamp(site, call, document)
    _spread_docstatus(document)
    there = document.before = check_latest(site, call, document, based_on)
    before = 0 if document.doctype.is_single else there.docstatus
    action = _transition(site, call, document, before)
    _name_rows(document)
    if not unchecked:
        _reset_levels(site, call, document)
    if action != "cancel":
        checks.check_links(site, call, document)
    _before(site, call, document, action)
    if action != "cancel":
        _check(site, call, document)
    if action == "update_after_submit":
        checks.check_after_submit(call, document)
    _finish_rows(site, call, document)
    _update_rows(site, call, document)
    _after(site, call, document, action)
    return document


def check_latest(site: "Site", call: Call, document: Document, based_on: object) -> Document:
    """The stored document, if its version is the one that this one is based on."""
    there = site.document(call, document.doctype.name, document.name)
    if cstr(there["modified"]) != cstr(based_on):
        about = "Document"
        if call.major >= SIXTEEN:
            about = f"{document.name} ({document.doctype.name})"
        call.refuse(
            f"Error: {about} has been modified after you have opened it"
            f" ({there['modified']}, {document['modified']})."
            " Please refresh to get the latest document.",
            "TimestampMismatchError",
        )
    return there


def _stamp(site: "Site", call: Call, document: Document) -> None:
    document["modified"] = site.now()
    document["modified_by"] = call.user
    if document.is_new:
        document["creation"] = document["modified"]
        document["owner"] = call.user
    place = document["idx"]
    if isinstance(place, str) and place and not (is_number(place) or document.doctype.is_single):
        column = f"`{DATABASE}`.`tab{document.doctype.name}`.`idx`"
        told = f"Incorrect integer value: '{place}' for column {column} at row 1"
        raise database_error("DataError", 1366, told)
    document["idx"] = cint(place) if not document.doctype.is_single else place
    for row in document.children():
        row["modified"] = document["modified"]
        row["modified_by"] = call.user
        row["owner"] = row["owner"] or document["owner"]
        row["creation"] = row["creation"] or document["creation"]


def _spread_docstatus(document: Document) -> None:
    given = document["docstatus"]
    if isinstance(given, str) and not is_number(given):
        told = f"invalid literal for int() with base 10: '{given}'"
        raise Refusal("ValueError", told, module="", status=500)
    document["docstatus"] = document.docstatus
    for row in document.children():
        row["docstatus"] = document.docstatus


def _transition(site: "Site", call: Call, document: Document, before: int) -> str:
    """What this save is: save, submit, update_after_submit or cancel; refuses any other way."""
    after = document.docstatus
    if before == 2:
        raise Refusal("ValidationError", "Cannot edit cancelled document")
    if after not in (0, 1, 2):
        raise Refusal("ValidationError", repr(("Invalid docstatus", after)))
    if before == 0 and after == 2:
        told = "Cannot change docstatus from 0 (Draft) to 2 (Cancelled)"
        raise Refusal("DocstatusTransitionError", told)
    if before == 1 and after == 0:
        told = "Cannot change docstatus from 1 (Submitted) to 0 (Draft)"
        raise Refusal("DocstatusTransitionError", told)
    action = {(0, 0): "save", (0, 1): "submit", (1, 1): "update_after_submit"}
    doing = action.get((before, after), "cancel")
    if doing != "save":
        site.check(call, document, "cancel" if doing == "cancel" else "submit")
    return doing


def _name(site: "Site", call: Call, document: Document) -> None:
    set_name(site, call, document)
    _name_rows(document, again=True)


def _name_rows(document: Document, *, again: bool = False) -> None:
    for row in document.children():
        if again or not row.name:
            row["name"] = random_name()
        row["parent"] = document.name
        row["parenttype"] = document.doctype.name


def _finish_rows(site: "Site", call: Call, document: Document) -> None:
    """Rows that came up while the document was worked on have no name and no time yet."""
    for row in document.children():
        if not row.name:
            row["name"] = random_name()
            row["creation"] = row["modified"] = site.now()
            row["owner"] = row["modified_by"] = call.user
            row["docstatus"] = document.docstatus
            row["parent"] = document.name


def _reset_levels(site: "Site", call: Call, document: Document) -> None:
    """Fields above the user's permission level keep the value that they had, or their default, and
    masked ones the mask: what was there is known as that user gets it.

    So do those of the rows of a document that is there; rows of a new one stay as they came.
    """
    levels = site.levels(call.user, document, "write")
    if levels is None:
        return
    masked = [entry["fieldname"] for entry in site.permissions.masked(call.user, document.doctype)]
    if fields := _above(document, levels) + masked:
        _reset(document, document.before or _blank(site, call, document), fields)
    if document.before is None:
        return
    old = {row.name: row for row in document.before.children()}
    for row in document.children():
        if fields := _above(row, levels):
            _reset(row, old.get(row.name) or _blank(site, call, row), fields)


def _above(document: Document, levels: set[int]) -> list[str]:
    return [
        entry["fieldname"]
        for entry in document.doctype.fields
        if entry.get("permlevel") and entry["permlevel"] not in levels
    ]


def _blank(site: "Site", call: Call, document: Document) -> Document:
    """A new document of the kind, with its defaults."""
    blank = Document(document.doctype, {}, is_new=True)
    set_defaults(site, call, blank)
    return blank


def _reset(document: Document, before: Document, fields: list[str]) -> None:
    for field in fields:
        if field in document.rows:
            document.rows[field] = before.rows[field]
        elif field in document.doctype.kinds:
            document[field] = before[field]


def _before(site: "Site", call: Call, document: Document, action: str) -> None:
    events = {
        "save": ("before_validate", "validate", "before_save"),
        "submit": ("before_validate", "validate", "before_submit"),
        "cancel": ("before_cancel",),
        "update_after_submit": ("before_update_after_submit",),
    }
    for event in events[action]:
        fire(site, call, document, event)
    _set_title(document)


def _set_title(document: Document) -> None:
    if document.doctype.definition.get("title_field") != "title":
        return
    entry = document.doctype.field("title") or {}
    pattern = entry.get("options")
    if not pattern and document.is_new and not document["title"]:
        pattern = entry.get("default")
    if pattern:
        values = {name: cstr(document[name]) for name in document.doctype.kinds}
        document["title"] = str(pattern).format(**values)


def _check(site: "Site", call: Call, document: Document) -> None:
    checks.check_mandatory(call, document)
    checks.make_plain(call, document)
    checks.check_values(call, document)
    _hide_passwords(site, document)
    checks.check_constants(call, document)


def _hide_passwords(site: "Site", document: Document) -> None:
    """Passwords are kept apart; the document has as many asterisks."""
    for entry in document.doctype.of_type("Password"):
        field = entry["fieldname"]
        value = cstr(document[field])
        if not value:
            site.tables.keep_password(document.doctype.name, document.name, field, None)
        if not value.strip("*"):
            continue
        site.tables.keep_password(document.doctype.name, document.name, field, value)
        document[field] = "*" * len(value)


def _insert_row(site: "Site", call: Call, document: Document) -> None:
    doctype, name = document.doctype.name, document.name
    check_columns(document)
    if site.tables.value(doctype, name, "name") is not None:
        told = f"{doctype} {bold(name)} already exists"
        call.tell(told, title="Duplicate Name", indicator="red")
        error = f"IntegrityError(1062, \"Duplicate entry '{name}' for key 'PRIMARY'\")"
        raise Refusal("DuplicateEntryError", f"({doctype!r}, {name!r}, {error})")
    if unmade := site.half_made.get(doctype):
        told = f"Unknown column '{unmade}' in 'INSERT INTO'"
        raise database_error("OperationalError", 1054, told)
    checks.check_unique(site, call, document)
    site.tables.insert(document.doctype, document.values)


def _update_rows(site: "Site", call: Call, document: Document) -> None:
    if document.doctype.is_single:
        site.tables.fill_single(document.doctype.name, document.values)
        return
    check_columns(document)
    checks.check_unique(site, call, document)
    _update_row(site, document)
    for field, rows in document.rows.items():
        child = (document.doctype.field(field) or {})["options"]
        kept = {row.name for row in rows if not row.is_new}
        place = {"parent": document.name, "parenttype": document.doctype.name}
        for old in site.tables.rows(child, parentfield=field, **place):
            if old["name"] not in kept:
                site.tables.delete(child, name=old["name"])
        for row in rows:
            if row.is_new:
                check_columns(row)
                site.tables.insert(row.doctype, row.values)
                row.is_new = False
            else:
                check_columns(row)
                _update_row(site, row)


def _update_row(site: "Site", document: Document) -> None:
    values = {
        field: stored(kind, document[field])
        for field, kind in document.doctype.kinds.items()
        if field != "name"
    }
    site.tables.update(document.doctype.name, document.name, values)


def _after(site: "Site", call: Call, document: Document, action: str) -> None:
    events = {
        "save": ("on_update",),
        "submit": ("on_update", "on_submit"),
        "cancel": ("on_cancel",),
        "update_after_submit": ("on_update_after_submit",),
    }
    for event in events[action]:
        fire(site, call, document, event)
    if action == "cancel":
        check_back_links(site, call, document, cancelling=True)
    fire(site, call, document, "on_change")


def set_values(site: "Site", call: Call, document: Document, values: Row, *, moved: bool) -> None:
    """Frappe's `db_set`: straight into the table, without checks, and told of by `on_change`.
    `moved` moves `modified`.
    """
    if document.before is None and not document.made:
        document.before = site.load(document.doctype.name, document.name)
    document.values |= values
    if moved:
        values = values | {"modified": site.now(), "modified_by": call.user}
        document.values |= values
    kinds = document.doctype.kinds
    row = {field: stored(kinds[field], value) for field, value in values.items()}
    site.tables.update(document.doctype.name, document.name, row)
    fire(site, call, document, "on_change")
