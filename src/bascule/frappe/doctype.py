"""What a DocType is: its fields, which of them have a column, who may do what.

Reads the definition as a site gives it; which route gives it is `_meta`'s business.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

STANDARD_FIELDS = ("name", "owner", "creation", "modified", "modified_by", "docstatus", "idx")
CHILD_FIELDS = (*STANDARD_FIELDS, "parent", "parentfield", "parenttype")

# Frappe's no_value_fields (frappe/model/__init__.py, versions 13 to 16): these have no column.
TABLE_TYPES = frozenset({"Table", "Table MultiSelect"})
LAYOUT_TYPES = frozenset(
    {
        "Section Break",
        "Column Break",
        "Tab Break",
        "HTML",
        "Button",
        "Image",
        "Fold",
        "Heading",
    }
)

# Roles that nobody gives: Administrator is one user's, the others are everybody's.
AUTOMATIC_ROLES = frozenset({"Administrator", "All", "Desk User", "Guest"})
# Roles of parts that have left ERPNext (education, agriculture) or that are of one small thing.
# They still stand in permission rows, and nobody has a use for them.
LEFT_OVER_ROLES = frozenset(
    {"Academics User", "Agriculture Manager", "Agriculture User", "Fulfillment User", "Inbox User"}
)


@dataclass(frozen=True, slots=True)
class Field:
    """`type` is Frappe's fieldtype. `options`: the DocType of a Link or Table, the choices of a
    Select, one a line.
    """

    name: str
    type: str
    label: str | None = None
    options: str | None = None
    required: bool = False
    unique: bool = False
    permlevel: int = 0
    length: int = 0  # 0: the type's own, 140 for Data
    read_only: bool = False
    hidden: bool = False
    virtual: bool = False
    custom: bool = False
    masked: bool = False  # shown as X's to who has no right to see it; from version 16 on
    default: str | None = None

    @property
    def has_column(self) -> bool:
        return not self.virtual and self.type not in TABLE_TYPES and self.type not in LAYOUT_TYPES


@dataclass(frozen=True, slots=True)
class DocType:
    name: str
    fields: list[Field]
    module: str | None = None
    child: bool = False
    single: bool = False
    submittable: bool = False
    virtual: bool = False
    tree: bool = False
    title_field: str | None = None
    permissions: list[Mapping[str, Any]] = field(default_factory=list, repr=False)
    masked_for_user: frozenset[str] = frozenset()  # fields that this user gets as XXXXXXXX

    @property
    def columns(self) -> list[Field]:
        """The fields that have a column in the site's table, beside the standard ones."""
        return [f for f in self.fields if f.has_column]

    @property
    def children(self) -> list[tuple[str, str]]:
        """(fieldname, child DocType) of each child table."""
        return [
            (f.name, f.options)
            for f in self.fields
            if f.type in TABLE_TYPES and not f.virtual and f.options
        ]

    def field(self, name: str) -> Field | None:
        return next((f for f in self.fields if f.name == name), None)

    def roles_that_may(self, action: str, level: int = 0) -> tuple[str, ...]:
        """Roles that can be given to a user, with this right (read, write, create, delete, submit,
        cancel, mask) to any document, or at another permission level to its fields. Those that
        open least come first, and what is left over of old parts only where nothing else is there.
        """
        having = dict.fromkeys(
            str(rule["role"])
            for rule in self.permissions
            if rule.get("role") not in (None, *AUTOMATIC_ROLES)
            and rule.get(action)
            and not rule.get("if_owner")
            and int(rule.get("permlevel") or 0) == level
        )
        in_use = [role for role in having if role not in LEFT_OVER_ROLES]
        return tuple(sorted(in_use or having, key=_opens))


def _opens(role: str) -> int:
    """How much a role opens beside the one right, as its name tells."""
    return 2 if role == "System Manager" else int(role.endswith("Manager"))


def doctype_from(definition: Mapping[str, Any]) -> DocType:
    """From a DocType document or its meta. KeyError, TypeError, ValueError where it is neither.

    Version 16 masks fields. For whom, only the meta of the desk says (`masked_fields`); without it
    all that may be masked are taken to be.
    """
    fields = [field_from(row) for row in definition["fields"]]
    told = definition.get("masked_fields")
    masked = (f.name for f in fields if f.masked) if told is None else map(str, told)
    return DocType(
        name=str(definition["name"]),
        fields=fields,
        module=definition.get("module"),
        child=_yes(definition, "istable"),
        single=_yes(definition, "issingle"),
        submittable=_yes(definition, "is_submittable"),
        virtual=_yes(definition, "is_virtual"),
        tree=_yes(definition, "is_tree"),
        title_field=definition.get("title_field") or None,
        permissions=list(definition.get("permissions") or []),
        masked_for_user=frozenset(masked),
    )


def field_from(row: Mapping[str, Any]) -> Field:
    return Field(
        name=str(row.get("fieldname") or ""),
        type=str(row["fieldtype"]),
        label=row.get("label") or None,
        options=row.get("options") or None,
        required=_yes(row, "reqd"),
        unique=_yes(row, "unique"),
        permlevel=int(row.get("permlevel") or 0),
        length=int(row.get("length") or 0),
        read_only=_yes(row, "read_only"),
        hidden=_yes(row, "hidden"),
        virtual=_yes(row, "is_virtual"),
        custom=_yes(row, "is_custom_field"),
        masked=_yes(row, "mask"),
        default=None if row.get("default") is None else str(row["default"]),
    )


def fieldname_of(label: str, fields: Iterable[Field]) -> str | None:
    """The field with this label; None where none or several have it."""
    found = [f.name for f in fields if f.label == label]
    return found[0] if len(found) == 1 else None


def _yes(row: Mapping[str, Any], key: str) -> bool:
    return bool(int(row.get(key) or 0))
