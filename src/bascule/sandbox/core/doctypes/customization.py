"""What Custom Fields, Property Setters and Custom DocPerms make of a DocType.

Also those that an app makes on every site, where a snapshot does not bring its own.
"""

from bascule.sandbox.core.database.tables import Row, Tables
from bascule.sandbox.core.doctypes.schema import DocType, Schema

# (fieldname, fieldtype, options, the field that it comes after)
OwnField = tuple[str, str, str | None, str]
# DocType -> what an app adds on every site: fields, and (fieldname, property, value).
OWN_FIELDS: dict[str, list[OwnField]] = {}
OWN_SETTERS: dict[str, list[tuple[str, str, str]]] = {}


def refresh(schema: Schema, tables: Tables, name: str) -> None:
    """The DocType as its Custom Fields and Property Setters now have it, with its columns."""
    fields = [_as_field(row) for row in tables.rows("Custom Field", "`idx`, `creation`", dt=name)]
    setters = tables.rows("Property Setter", "`creation`", doc_type=name)
    rights = [_as_field(row) for row in tables.rows("Custom DocPerm", "`creation`", parent=name)]
    schema.customise(name, fields=fields, setters=setters, permissions=rights)
    if not schema[name].is_single:
        tables.make(schema[name])


def refresh_all(schema: Schema, tables: Tables) -> None:
    named = {row["dt"] for row in tables.rows("Custom Field")}
    named |= {row["doc_type"] for row in tables.rows("Property Setter")}
    named |= {row["parent"] for row in tables.rows("Custom DocPerm")}
    for name in named:
        if name in schema:
            refresh(schema, tables, name)


def _as_field(row: Row) -> Row:
    unset = {"dt", "owner", "creation", "modified", "modified_by", "docstatus", "name"}
    field = {key: value for key, value in row.items() if value is not None and key not in unset}
    field.pop("_user_tags", None)
    return field


def own_customizations(
    schema: Schema, known: dict[str, list[Row]], stamps: Row
) -> dict[str, list[Row]]:
    """The apps' own Custom Fields and Property Setters, for DocTypes that have none in `known`."""
    made: dict[str, list[Row]] = {"Custom Field": [], "Property Setter": []}
    taken = {row["dt"] for row in known.get("Custom Field", ())}
    for doctype, fields in OWN_FIELDS.items():
        if doctype in schema and doctype not in taken:
            made["Custom Field"] += [
                _custom_field(schema[doctype], stamps, field)
                for field in fields
                if field[0] not in schema.original_names(doctype)
            ]
    taken = {row["doc_type"] for row in known.get("Property Setter", ())}
    for doctype, changes in OWN_SETTERS.items():
        if doctype in schema and doctype not in taken:
            there = all(schema[doctype].field(name) for name, _, _ in changes)
            made["Property Setter"] += [
                _property_setter(doctype, stamps, *change) for change in changes if there
            ]
    return made


def _custom_field(doctype: DocType, stamps: Row, field: OwnField) -> Row:
    name, kind, options, after = field
    return {
        **stamps,
        **{"name": f"{doctype.name}-{name}", "dt": doctype.name, "fieldname": name},
        **{"fieldtype": kind, "options": options, "insert_after": after},
        **{"label": name.replace("_", " ").title(), "is_system_generated": 1, "doctype": ""},
    }


def _property_setter(doctype: str, stamps: Row, field: str, what: str, value: str) -> Row:
    return {
        **stamps,
        **{"name": f"{doctype}-{field}-{what}", "doctype_or_field": "DocField"},
        **{"doc_type": doctype, "field_name": field, "property": what, "value": value},
        **{"property_type": "Check", "is_system_generated": 1, "doctype": ""},
    }
