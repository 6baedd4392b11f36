"""What the setup of Frappe and its apps puts on every site, where a snapshot does not bring it."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from bascule.sandbox.core.access.permissions import AUTOMATIC
from bascule.sandbox.core.database.tables import Row

if TYPE_CHECKING:
    from bascule.sandbox.core.site import Site

# Filled on every site, though a snapshot may not have recorded them. An app adds its own.
REFERENCE = {
    *("Country", "Language", "Currency", "Gender", "Salutation", "Role", "User", "Module Def"),
    *("Email Template", "Print Heading", "Letter Head", "Address Template"),
}
# What an app puts on every site: DocType -> its documents, without stamps.
OF_APPS: list[Callable[["Site"], dict[str, list[Row]]]] = []
# DocType -> (the field that names it, the names).
_NAMES: dict[str, tuple[str, str]] = {
    "Gender": (
        "gender",
        "Male, Female, Other, Transgender, Genderqueer, Non-Conforming, Prefer not to say",
    ),
    "Salutation": ("salutation", "Mr, Ms, Mx, Dr, Mrs, Madam, Miss, Master, Prof"),
}


def named(names: dict[str, tuple[str, str]]) -> dict[str, list[Row]]:
    """Documents that are no more than their name, which also stands in a field."""
    return {
        doctype: [{"name": name, field: name} for name in listed.split(", ")]
        for doctype, (field, listed) in names.items()
    }


def of_every_site(site: "Site") -> dict[str, list[Row]]:
    """DocType -> its documents, without stamps."""
    found = named(_NAMES)
    for of_app in OF_APPS:
        found |= of_app(site)
    roles = {row["role"] for doctype in site.schema for row in doctype.permissions}
    roles |= {role for user in site.users.values() for role in user.roles} | AUTOMATIC
    found["Role"] = [
        {"name": role, "role_name": role, "desk_access": int(role not in ("Guest", "All"))}
        for role in sorted(roles)
    ]
    modules = {str(doctype.definition.get("module") or "") for doctype in site.schema} - {""}
    found["Module Def"] = [{"name": one, "module_name": one} for one in sorted(modules)]
    found["File"] = [
        {"name": "Home", "file_name": "Home", "is_folder": 1},
        {"name": "Home/Attachments", "file_name": "Attachments", "is_folder": 1, "folder": "Home"},
    ]
    return found
