"""Custom Fields, Property Setters and Custom DocPerms: their checks, and when they apply."""

import re
from typing import TYPE_CHECKING

from bascule.sandbox.core.doctypes.schema import TABLE_TYPES
from bascule.sandbox.core.documents.document import Document
from bascule.sandbox.core.documents.events import on
from bascule.sandbox.core.errors import Call, Refusal, bold
from bascule.sandbox.core.values import cint, cstr

if TYPE_CHECKING:
    from bascule.sandbox.core.site import Site

_RESERVED = {
    *("name", "parent", "creation", "modified", "modified_by", "parentfield", "parenttype"),
    *("file_list", "flags", "docstatus"),
}
# Linked to by a DocType of ERPNext 15.90's own, Customer, though no site has it.
_NOWHERE = ("WhatsApp Message",)


@on("Custom Field", "before_insert", "autoname")
def _name_custom_field(site: "Site", call: Call, custom: Document) -> None:
    name = cstr(custom["fieldname"])
    if not name:
        if not custom["label"]:
            call.refuse("Label is mandatory")
        spaced = cstr(custom["label"]).replace(" ", "_")
        name = "custom_" + "".join(one for one in spaced if one.isalnum() or one == "_")
    name = name.lower()
    custom["fieldname"] = f"{name}1" if name in _RESERVED else name
    custom["name"] = f"{cstr(custom['dt'])}-{custom['fieldname']}"


@on("Custom Field", "validate")
def _check_custom_field(site: "Site", call: Call, custom: Document) -> None:
    if custom["dt"] not in site.schema:
        return
    site.half_made.pop(str(custom["dt"]), None)  # the definition is read anew for this
    names = [entry["fieldname"] for entry in site.schema[str(custom["dt"])].fields]
    if custom.is_new and custom["fieldname"] in names:
        name = bold(custom["fieldname"])
        call.refuse(f"A field with the name {name} already exists in {custom['dt']}")
    if custom["insert_after"] == "append" and names:
        custom["insert_after"] = names[-1]
    if custom["insert_after"] in names:
        custom["idx"] = names.index(custom["insert_after"]) + 1
    _check_column(call, custom)
    _check_options(site, call, custom)


def _check_column(call: Call, custom: Document) -> None:
    odd = re.findall(r"[\W]", cstr(custom["fieldname"]))
    if not odd:
        return
    listed = ", ".join(f'"{one}"' for one in odd)
    told = f"Fieldname {bold(custom['fieldname'])} cannot have special characters like {listed}"
    module = "frappe.database.database.Database"
    call.raise_told(Refusal("InvalidColumnName", told, module=module, status=417))


def _check_options(site: "Site", call: Call, custom: Document) -> None:
    """A link or a table needs a DocType that is there."""
    if custom["fieldtype"] not in ("Link", *TABLE_TYPES):
        return
    about = f"field {custom['label']} in row {cint(custom['idx']) + 1}"
    if not custom["options"]:
        kind, told = "DoctypeLinkError", f"Options required for Link or Table type {about}"
    elif custom["options"] not in site.schema:
        kind, told = "WrongOptionsDoctypeLinkError", f"Options must be a valid DocType for {about}"
    else:
        return
    module = "frappe.core.doctype.doctype.doctype"
    call.raise_told(Refusal(kind, f"{custom['dt']}: {told}", module=module, status=417))


@on("Custom Field", "on_update")
def _check_links(site: "Site", call: Call, custom: Document) -> None:
    """Checked when the definition with the new field in it is kept for everybody, where it stays
    though the field does not: a document of that DocType is written to a column that is not there.
    """
    doctype = str(custom["dt"])
    links = site.schema.original(doctype).get("links") or [] if doctype in site.schema else []
    for number, row in enumerate(links, start=1):
        if row["link_doctype"] in _NOWHERE:
            site.half_made[doctype] = str(custom["fieldname"])
            told = f"Document Links Row #{number}: Invalid doctype or fieldname."
            told += f"<br>('DocType', '{row['link_doctype']}')"
            module = "frappe.core.doctype.doctype.doctype"
            call.raise_told(Refusal("InvalidFieldNameError", told, module=module, status=417))


@on("Custom Field", "on_update", "after_delete")
def _apply_custom_field(site: "Site", call: Call, custom: Document) -> None:
    if custom["dt"] in site.schema:
        site.customise(str(custom["dt"]))


@on("Property Setter", "autoname")
def _name_property_setter(site: "Site", call: Call, setter: Document) -> None:
    about = setter["field_name"] or setter["row_name"] or "main"
    setter["name"] = f"{setter['doc_type']}-{about}-{setter['property']}"


@on("Property Setter", "validate")
def _replace_property_setter(site: "Site", call: Call, setter: Document) -> None:
    """Of one property there is one setter: the last."""
    if setter.is_new:
        site.tables.delete("Property Setter", name=setter.name)


@on("Property Setter", "on_update", "after_delete")
def _apply_property_setter(site: "Site", call: Call, setter: Document) -> None:
    if setter["doc_type"] in site.schema:
        site.customise(str(setter["doc_type"]))


@on("Custom DocPerm", "on_update", "after_delete")
def _apply_permission(site: "Site", call: Call, permission: Document) -> None:
    """A DocType that has any of these has no other rights than they say."""
    if permission["parent"] in site.schema:
        site.customise(str(permission["parent"]))
