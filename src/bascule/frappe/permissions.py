"""What the user of an API key may do, by the user's roles and a DocType's permission rows.

Follows frappe/permissions.py and frappe/model/meta.py: any role of the user gives a right, for the
fields of a permission level, and some only to documents that the user owns. Limits to single
documents (User Permissions, shares) stand in no definition: `has_permission` asks the site.
"""

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from bascule.frappe.doctype import DocType, Field
from bascule.frappe.errors import Invalid, NoPermission, NotFound

if TYPE_CHECKING:
    from bascule.frappe._site import Site

ADMINISTRATOR = "Administrator"
Roles = Collection[str]


async def roles_of_user(site: "Site") -> frozenset[str] | None:
    """The roles of the user whose key this is; None where the site does not say."""
    user = await site.logged_user()
    try:
        told = await site.get("frappe.core.doctype.user.user.get_roles", uid=user)
    except (NoPermission, NotFound, Invalid):
        return None
    return frozenset(map(str, told)) if isinstance(told, list) else None


async def has_permission(site: "Site", doctype: str, right: str, name: str = "") -> bool | None:
    """Whether the user has the right (read, write, create, mask, ...) to that document, or to any
    of the DocType; None where the site does not say.
    """
    method = "frappe.client.has_permission"
    try:
        told = await site.get(method, doctype=doctype, docname=name, perm_type=right)
    except (NoPermission, NotFound, Invalid):
        return None
    return bool(told["has_permission"]) if isinstance(told, dict) else None


def is_only_if_owner(meta: DocType, roles: Roles, right: str) -> bool:
    """Whether the user has the right to what it made itself, and to nothing else."""
    having = [rule for rule in _rules(meta, roles, right) if not _level(rule)]
    alone = all(rule.get("if_owner") for rule in having)
    return bool(having) and alone and ADMINISTRATOR not in roles


def fields_above(meta: DocType, roles: Roles, right: str) -> list[Field]:
    """Fields with a permission level at which the user does not have the right (read, write): what
    is read of them is empty, and what is written to them is put back without a word.
    """
    if ADMINISTRATOR in roles:
        return []
    levels = {_level(rule) for rule in _rules(meta, roles, right)}
    return [one for one in meta.fields if one.permlevel and one.permlevel not in levels]


def _rules(meta: DocType, roles: Roles, right: str) -> list[Any]:
    return [rule for rule in meta.permissions if rule.get("role") in roles and rule.get(right)]


def _level(rule: Any) -> int:
    return int(rule.get("permlevel") or 0)
