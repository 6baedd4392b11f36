"""What a DocType is made of: its fields with the site's customisations, and their columns.

Knows no rows; the tables that are made from it are in `tables`.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from bascule.sandbox.core.versions import FIFTEEN, SIXTEEN

STANDARD = ("name", "owner", "creation", "modified", "modified_by", "docstatus", "idx")
OF_CHILDREN = ("parent", "parentfield", "parenttype")
OPTIONAL = ("_user_tags", "_comments", "_assign", "_liked_by", "_seen")
TABLE_TYPES = ("Table", "Table MultiSelect")
_LAYOUT = ("Section Break", "Column Break", "Tab Break", "Fold", "Heading")
NO_VALUE = (*_LAYOUT, "HTML", "Button", "Image", *TABLE_TYPES)
FLOATS = ("Float", "Currency", "Percent", "Rating")
NUMBERS = ("Check", "Int", "Long Int", "Duration", *FLOATS)
# Columns of MariaDB's VARCHAR(140); other texts have no length to speak of.
_SHORT = ("Data", "Link", "Dynamic Link", "Select", "Read Only", "Color", "Icon", "Phone")
SHORT_TEXTS = (*_SHORT, "Autocomplete")

Field = dict[str, Any]


def kind_of(fieldtype: str) -> str:
    """The kind of column: int, float, decimal (which may be null), datetime, date, time or text."""
    if fieldtype == "Duration":
        return "decimal"
    if fieldtype in FLOATS:
        return "float"
    if fieldtype in ("Check", "Int", "Long Int"):
        return "int"
    return fieldtype.lower() if fieldtype in ("Datetime", "Date", "Time") else "text"


_STANDARD_KINDS = dict.fromkeys((*STANDARD, *OF_CHILDREN, *OPTIONAL), "text") | {
    **{"creation": "datetime", "modified": "datetime", "docstatus": "int", "idx": "int"},
}


@dataclass
class DocType:
    """`definition` as a site shows it, `fields` with Custom Fields and Property Setters in."""

    name: str
    definition: dict[str, Any]
    fields: list[Field]
    permissions: list[dict[str, Any]] = field(default_factory=list)
    has_custom_permissions: bool = False
    major: int = FIFTEEN

    @property
    def is_child(self) -> bool:
        return bool(self.definition.get("istable"))

    @property
    def is_single(self) -> bool:
        return bool(self.definition.get("issingle"))

    @property
    def is_submittable(self) -> bool:
        return bool(self.definition.get("is_submittable"))

    @property
    def autoname(self) -> str:
        return self.definition.get("autoname") or ""

    @property
    def search_fields(self) -> list[str]:
        """What a link to this DocType is looked up by."""
        given = self.definition.get("search_fields") or "name"
        fields = [name.strip() for name in given.split(",")]
        return fields if "name" in fields else [*fields, "name"]

    @cached_property
    def by_name(self) -> dict[str, Field]:
        return {entry["fieldname"]: entry for entry in self.fields if entry.get("fieldname")}

    @cached_property
    def stored(self) -> list[Field]:
        """The fields with a column of their own."""
        return [entry for entry in self.with_value if not entry.get("is_virtual")]

    @cached_property
    def with_value(self) -> list[Field]:
        return [entry for entry in self.fields if entry["fieldtype"] not in NO_VALUE]

    @cached_property
    def tables(self) -> list[Field]:
        """The fields that hold child rows."""
        return [entry for entry in self.fields if entry["fieldtype"] in TABLE_TYPES]

    @cached_property
    def kinds(self) -> dict[str, str]:
        """Column -> its kind, in the order in which a document shows them."""
        kinds = {name: _STANDARD_KINDS[name] for name in STANDARD}
        if self.is_child:
            kinds |= {name: _STANDARD_KINDS[name] for name in OF_CHILDREN}
        kinds |= {entry["fieldname"]: kind_of(entry["fieldtype"]) for entry in self.stored}
        return kinds

    @cached_property
    def columns(self) -> list[str]:
        """All columns of the table, those of tags and likes among them."""
        return [*self.kinds, *self.optional]

    @property
    def optional(self) -> tuple[str, ...]:
        if self.is_child:
            return ()
        return OPTIONAL if self.definition.get("track_seen") else OPTIONAL[:4]

    @cached_property
    def indexes(self) -> list[tuple[str, int]]:
        """(column, bytes of a key) of each index besides the names', in order of making."""
        made = [("parent", 563)] if self.is_child else [("modified", 9)]
        if self.major >= SIXTEEN and not self.is_child:
            sorts = self.definition.get("sort_field") == "modified"
            made = [("creation", 9), *(made if sorts else [])]
        sizes = {
            "int": 4,
            "float": 10,
            "decimal": 10,
            "datetime": 9,
            "date": 4,
            "time": 7,
            "text": 563,
        }
        for entry in self.stored:
            if entry.get("search_index") or entry.get("unique"):
                kind = kind_of(entry["fieldtype"])
                made.append((entry["fieldname"], sizes[kind]))
        return made

    def field(self, name: str) -> Field | None:
        return self.by_name.get(name)

    def label(self, name: str) -> str:
        found = self.by_name.get(name)
        return (found or {}).get("label") or name.replace("_", " ").title()

    def of_type(self, *types: str) -> list[Field]:
        return [entry for entry in self.fields if entry["fieldtype"] in types]


class Schema:
    """The site's DocTypes, by name; customisations are put on them by `customise`."""

    def __init__(self, definitions: dict[str, dict[str, Any]], major: int = FIFTEEN) -> None:
        """`major`: Frappe's version, by whose rules the site goes."""
        self.major = major
        self._definitions = definitions
        self._doctypes: dict[str, DocType] = {}
        self._customs: dict[str, list[Field]] = {}
        self._setters: dict[str, list[dict[str, Any]]] = {}
        self._permissions: dict[str, list[dict[str, Any]]] = {}

    def __contains__(self, name: object) -> bool:
        return name in self._definitions

    def __iter__(self) -> Iterator[DocType]:
        return iter([self[name] for name in self._definitions])

    def __getitem__(self, name: str) -> DocType:
        """KeyError when the site has no such DocType."""
        if name not in self._doctypes:
            self._doctypes[name] = self._made(name, self._definitions[name])
        return self._doctypes[name]

    def original(self, name: str) -> dict[str, Any]:
        """The definition without the site's customisations."""
        return self._definitions[name]

    def original_names(self, name: str) -> set[str]:
        """Its fields without the site's customisations."""
        return {str(entry.get("fieldname")) for entry in self._definitions[name]["fields"]}

    def find(self, name: str) -> str | None:
        """The DocType's name as it is written; MariaDB finds it in any case."""
        if name in self._definitions:
            return name
        folded = name.casefold()
        return next((known for known in self._definitions if known.casefold() == folded), None)

    def add(self, definition: dict[str, Any]) -> None:
        self._definitions[definition["name"]] = definition
        self._doctypes.pop(definition["name"], None)

    def remove(self, name: str) -> None:
        for kept in (self._definitions, self._doctypes, self._customs, self._setters):
            kept.pop(name, None)
        self._permissions.pop(name, None)

    def customise(
        self,
        name: str,
        fields: list[Field] | None = None,
        setters: list[dict[str, Any]] | None = None,
        permissions: list[dict[str, Any]] | None = None,
    ) -> None:
        """From now on that DocType has these Custom Fields, Property Setters, Custom DocPerms."""
        if fields is not None:
            self._customs[name] = fields
        if setters is not None:
            self._setters[name] = setters
        if permissions is not None:
            self._permissions[name] = permissions
        self._doctypes.pop(name, None)

    def links_to(self, name: str) -> list[tuple[DocType, str]]:
        """(DocType, field) of every Link to that DocType."""
        return [
            (doctype, entry["fieldname"])
            for doctype in self
            for entry in doctype.stored
            if entry["fieldtype"] == "Link" and entry.get("options") == name
        ]

    def dynamic_links(self) -> list[tuple[DocType, str, str]]:
        """(DocType, field, field that names the DocType) of every Dynamic Link."""
        return [
            (doctype, entry["fieldname"], entry["options"])
            for doctype in self
            for entry in doctype.stored
            if entry["fieldtype"] == "Dynamic Link" and entry.get("options")
        ]

    def _made(self, name: str, definition: dict[str, Any]) -> DocType:
        fields = [dict(entry) for entry in definition.get("fields", ())]
        for custom in self._customs.get(name, ()):
            fields.insert(_place(fields, custom), dict(custom))
        changed = dict(definition)
        by_name = {entry.get("fieldname"): entry for entry in fields}
        for setter in self._setters.get(name, ()):
            target = by_name.get(setter.get("field_name")) if setter.get("field_name") else changed
            if target is not None:
                target[setter["property"]] = _set_value(setter)
        customised = self._permissions.get(name)
        permissions = customised or definition.get("permissions", [])
        copied = bool(customised)
        return DocType(name, changed, fields, permissions, copied, self.major)


def _place(fields: list[Field], custom: Field) -> int:
    """Where a custom field goes: after the field it names, or last."""
    after = custom.get("insert_after")
    for position, entry in enumerate(fields):
        if entry.get("fieldname") == after:
            return position + 1
    return len(fields)


def _set_value(setter: dict[str, Any]) -> Any:
    value = setter.get("value")
    if setter.get("property_type") in ("Check", "Int") and re.fullmatch(r"-?\d+", str(value)):
        return int(str(value))
    return value


def inferred(name: str, documents: list[dict[str, Any]], *, child: bool) -> dict[str, Any]:
    """A definition for documents whose DocType nobody has: its fields are what they show."""
    return {
        **{"doctype": "DocType", "name": name, "module": "Custom", "custom": 1},
        **{"owner": "Administrator", "modified_by": "Administrator", "docstatus": 0, "idx": 0},
        **{"creation": "2013-01-10 16:34:14", "modified": "2013-01-10 16:34:14"},
        **{"istable": int(child), "issingle": 0, "is_submittable": 0, "autoname": "hash"},
        "fields": inferred_fields((), documents),
        "permissions": [] if child else [{"role": "System Manager", "read": 1, "write": 1}],
    }


def inferred_fields(known: Iterable[str], documents: list[dict[str, Any]]) -> list[Field]:
    """Fields for what the documents hold beyond `known`."""
    skipped = {*known, *STANDARD, *OF_CHILDREN, *OPTIONAL, "doctype"}
    found: dict[str, Field] = {}
    for document in documents:
        for name, value in document.items():
            if name in skipped or name.startswith("__"):
                continue
            fieldtype, options = _type_of(value)
            if fieldtype and found.get(name, {}).get("fieldtype") in (None, "Int"):
                found[name] = {
                    "fieldname": name,
                    "label": name.replace("_", " ").title(),
                    "fieldtype": fieldtype,
                } | ({"options": options} if options else {})
    return list(found.values())


def _type_of(value: Any) -> tuple[str | None, str | None]:
    if isinstance(value, list):
        return ("Table", value[0]["doctype"]) if value else (None, None)
    if isinstance(value, bool | int):
        return "Int", None
    if isinstance(value, float):
        return "Float", None
    if value is None:
        return None, None
    return ("Data" if len(value) <= 140 else "Long Text"), None
