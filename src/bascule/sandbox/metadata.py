"""DocTypes as documents: what a site shows of one, with all that it keeps for a field."""

from typing import Any

from bascule.sandbox.schema import TABLE_TYPES, DocType, Schema

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
_PERMISSION_FLAGS = (
    *("permlevel", "read", "write", "create", "submit", "cancel", "delete", "amend", "report"),
    *("export", "import", "share", "print", "email", "if_owner", "select"),
)


def as_document(schema: Schema, name: str) -> Row:
    """The DocType as its own document: without the site's customisations, all rows numbered."""
    definition = schema.original(name)
    shown = _scalars(definition)
    shown["doctype"] = "DocType"
    tables = {"permissions": "DocPerm", "fields": "DocField", "actions": "DocType Action"}
    for field, child in (tables | {"states": "DocType State", "links": "DocType Link"}).items():
        flags = {"fields": _FIELD_FLAGS, "permissions": _PERMISSION_FLAGS}.get(field, ())
        rows = definition.get(field) or []
        shown[field] = [
            _row(definition, field, child, flags, number, row)
            for number, row in enumerate(rows, start=1)
        ]
    return shown


def meta(doctype: DocType) -> Row:
    """The DocType as forms see it: Custom Fields and Property Setters are in."""
    nothing: Row = {"fields": [], "permissions": [], "actions": [], "links": [], "states": []}
    definition = doctype.definition
    shown: Row = {"doctype": "DocType"}
    shown |= _scalars(definition)
    lists = {"fields": doctype.fields, "permissions": doctype.permissions}
    kinds = {"fields": ("DocField", _FIELD_FLAGS), "permissions": ("DocPerm", _PERMISSION_FLAGS)}
    for field, rows in lists.items():
        child, flags = kinds[field]
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
