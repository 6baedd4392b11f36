"""DocTypes that a call makes: they are there at once, with their tables, and go with a deletion.

Only custom ones, as on any site that is not in developer mode.
"""

import re
from typing import TYPE_CHECKING

from bascule.sandbox.core.database.tables import Row, quoted
from bascule.sandbox.core.doctypes.schema import NO_VALUE, TABLE_TYPES
from bascule.sandbox.core.documents.document import Document
from bascule.sandbox.core.documents.events import on
from bascule.sandbox.core.errors import Call, Refusal
from bascule.sandbox.core.values import cint, cstr

if TYPE_CHECKING:
    from bascule.sandbox.core.site import Site

_MODULE = "frappe.core.doctype.doctype.doctype"
_NAME = re.compile(r"^(?![\W])[^\d_\s][\w -]+$")


@on("DocType", "validate")
def _check_doctype(site: "Site", call: Call, made: Document) -> None:
    if not cint(made["custom"]):
        told = "Not in Developer Mode! Set in site_config.json or make 'Custom' DocType."
        kind = "CannotCreateStandardDoctypeError"
        call.raise_told(Refusal(kind, told, module=_MODULE, status=417))
    if not _NAME.match(made.name):
        told = "A DocType's name should start with a letter and can only consist of letters,"
        call.refuse(f"{told} numbers, spaces, underscores and hyphens", "NameError")
    for entry in made.rows["fields"]:
        if not entry["fieldname"]:
            scrubbed = re.sub(r"[ -]", "_", cstr(entry["label"])).lower()
            kind = re.sub(r" ", "_", cstr(entry["fieldtype"])).lower()
            entry["fieldname"] = scrubbed or f"{kind}_{entry['idx']}"
    names = [cstr(entry["fieldname"]) for entry in made.rows["fields"]]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        told = f"{made.name}: Fieldname {twice} appears multiple times in rows"
        rows = ", ".join(str(place) for place, name in enumerate(names, 1) if name == twice)
        call.raise_told(
            Refusal("UniqueFieldnameError", f"{told} {rows}", module=_MODULE, status=417)
        )
    for entry in made.rows["fields"]:
        linked = entry["fieldtype"] in ("Link", "Table", "Table MultiSelect")
        if linked and entry["options"] not in site.schema and entry["options"] != made.name:
            told = f"{made.name}: Options must be a valid DocType for field {entry['label']}"
            kind = "WrongOptionsDoctypeLinkError"
            told += f" in row {entry['idx']}"
            call.raise_told(Refusal(kind, told, module=_MODULE, status=417))


@on("DocType", "on_update")
def _make(site: "Site", call: Call, made: Document) -> None:
    definition = made.shown()
    for entry in definition["fields"]:
        if entry["fieldtype"] in NO_VALUE:
            entry.pop("default", None)
    definition.setdefault("modified", made["modified"])
    definition["migrated"] = made["modified"]
    site.schema.add(definition)
    site.customise(made.name)


@on("DocType", "after_delete")
def _unmake(site: "Site", call: Call, gone: Document) -> None:
    site.customise(gone.name)


@on("DocType", "before_rename")
def _check_rename(site: "Site", call: Call, renamed: Document) -> None:
    if not cint(renamed["custom"]):
        call.refuse("DocType can only be renamed by Administrator")
    if renamed.renaming is not None and renamed.renaming.merge:
        call.refuse("DocType can not be merged")


@on("DocType", "after_rename")
def _rename(site: "Site", call: Call, renamed: Document) -> None:
    """Its table, its fields' places, and every Link and Table that leads to it."""
    if renamed.renaming is None:
        return
    old, new = renamed.renaming.old, renamed.renaming.new
    for holder in ("DocField", "Custom Field"):
        if holder in site.schema:
            site.tables.run(
                f"UPDATE {quoted(holder)} SET `options` = ? WHERE `options` = ?"
                " AND `fieldtype` IN ('Link', 'Table', 'Table MultiSelect')",
                (new, old),
            )
    own = site.schema.original(old)
    for doctype in [one.name for one in site.schema]:
        definition = site.schema.original(doctype)
        if any(_leads_to(entry, old) for entry in definition["fields"]):
            fields = [
                {**entry, "options": new} if _leads_to(entry, old) else entry
                for entry in definition["fields"]
            ]
            site.schema.add({**definition, "fields": fields})
    if not cint(own.get("issingle")):
        site.tables.rename(old, new)
    site.schema.add({**site.schema.original(old), "name": new})
    for entry in site.schema[new].tables:
        site.tables.run(
            f"UPDATE {quoted(str(entry['options']))} SET `parenttype` = ? WHERE `parenttype` = ?",
            (new, old),
        )
    for doctype in (old, new):
        site.customise(doctype)


def _leads_to(entry: Row, doctype: str) -> bool:
    linked = entry["fieldtype"] in ("Link", *TABLE_TYPES)
    return linked and entry.get("options") == doctype
