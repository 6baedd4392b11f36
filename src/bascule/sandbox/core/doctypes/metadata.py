"""DocTypes as documents: what a site shows of one, with all that it keeps for a field."""

from typing import Any

from bascule.sandbox.core.doctypes.schema import TABLE_TYPES, DocType, Schema
from bascule.sandbox.core.versions import SIXTEEN

Row = dict[str, Any]

_FIELD_FLAGS = (
    *("search_index", "show_dashboard", "hidden", "set_only_once", "allow_in_quick_entry"),
    *("print_hide", "report_hide", "reqd", "bold", "in_global_search", "collapsible", "unique"),
    *("no_copy", "allow_on_submit", "show_preview_popup", "permlevel", "in_list_view"),
    *("ignore_user_permissions", "columns", "fetch_if_empty", "in_filter", "in_preview"),
    *("remember_last_selected_value", "ignore_xss_filter", "print_hide_if_no_value"),
    *("allow_bulk_edit", "in_standard_filter", "read_only", "length", "translatable"),
    *("hide_border", "hide_days", "hide_seconds", "non_negative", "is_virtual"),
    *("sort_options", "show_on_timeline", "make_attachment_public"),
)
_FIELD_FLAGS_16 = ("not_nullable", "mask", "sticky", "show_description_on_click")
_PERMISSION_FLAGS = (
    *("permlevel", "read", "write", "create", "submit", "cancel", "delete", "amend", "report"),
    *("export", "import", "share", "print", "email", "if_owner", "select"),
)
_PERMISSION_FLAGS_16 = ("mask", "impersonate")


def _flags(major: int) -> dict[str, tuple[str, ...]]:
    """What a field and a permission have by number: 0 where they do not say."""
    if major < SIXTEEN:
        return {"fields": _FIELD_FLAGS, "permissions": _PERMISSION_FLAGS}
    return {
        "fields": (*_FIELD_FLAGS, *_FIELD_FLAGS_16),
        "permissions": (*_PERMISSION_FLAGS, *_PERMISSION_FLAGS_16),
    }


def as_document(schema: Schema, name: str) -> Row:
    """The DocType as its own document: without the site's customisations, all rows numbered."""
    definition = schema.original(name)
    shown = _scalars(definition)
    shown["doctype"] = "DocType"
    tables = {"permissions": "DocPerm", "fields": "DocField", "actions": "DocType Action"}
    for field, child in (tables | {"states": "DocType State", "links": "DocType Link"}).items():
        flags = _flags(schema.major).get(field, ())
        rows = definition.get(field) or []
        shown[field] = [
            _row(definition, field, child, flags, number, row)
            for number, row in enumerate(rows, start=1)
        ]
    return shown


def meta(doctype: DocType) -> Row:
    """The DocType as forms see it: Custom Fields and Property Setters are in."""
    nothing: Row = {"fields": [], "permissions": [], "actions": [], "links": [], "states": []}
    if doctype.major >= SIXTEEN:
        nothing = {}
    definition = doctype.definition
    shown: Row = {"doctype": "DocType"}
    shown |= _scalars(definition)
    lists = {"fields": doctype.fields, "permissions": doctype.permissions}
    kinds, flags_of = {"fields": "DocField", "permissions": "DocPerm"}, _flags(doctype.major)
    for field, rows in lists.items():
        child, flags = kinds[field], flags_of[field]
        shown[field] = [
            _row(definition, field, child, flags, number, row) | nothing
            for number, row in enumerate(rows, start=1)
        ]
    if doctype.has_custom_permissions:
        for row in shown["permissions"]:
            row["doctype"] = "Custom DocPerm"
            del row["parentfield"], row["parenttype"]
    for field in ("links", "actions", "states"):
        shown[field] = list(definition.get(field) or [])
    if doctype.major >= SIXTEEN:
        return shown | {"is_large_table": False}
    shown["_table_fields"] = [row for row in shown["fields"] if row["fieldtype"] in TABLE_TYPES]
    return shown


def _scalars(definition: Row) -> Row:
    return {
        key: value
        for key, value in definition.items()
        if key != "migrated" and not isinstance(value, list)
    }


def _row(
    definition: Row, field: str, child: str, flags: tuple[str, ...], number: int, row: Row
) -> Row:
    stamps = ("creation", "modified_by", "owner")
    full: dict[str, Any] = {key: definition.get(key) for key in stamps}
    full["modified"] = definition.get("migrated")
    full |= {"docstatus": 0, "parent": definition["name"], "parentfield": field}
    full |= {"parenttype": "DocType", "idx": number}
    full |= dict.fromkeys(flags, 0)
    full |= row
    full |= {"idx": number, "doctype": child}
    return full
