"""Who may do what: roles, DocType permissions, permission levels, owners.

Follows Frappe's role permissions; which documents of a DocType they reach is in `access`.
"""

from dataclasses import dataclass, field
from typing import Any

from bascule.sandbox.core.doctypes.schema import OF_CHILDREN, STANDARD, DocType, Field, Schema
from bascule.sandbox.core.errors import bold
from bascule.sandbox.core.versions import SIXTEEN

ADMINISTRATOR = "Administrator"
GUEST = "Guest"
AUTOMATIC = {GUEST, "All", "Desk User", ADMINISTRATOR}  # roles that nobody gives
RIGHTS = (
    *("select", "read", "write", "create", "delete", "submit", "cancel", "amend"),
    *("print", "email", "report", "import", "export", "share"),
)
# Those that the REST API itself asks for nowhere.
BESIDES = ("print", "email", "report", "import", "export", "share")
# DocTypes whose columns Frappe shows without looking at permission levels.
CORE = (
    *("DefaultValue", "DocType", "DocField", "DocPerm", "DocType Action", "DocType Link"),
    *("User", "Role", "Has Role", "Page", "Module Def", "Print Format", "Report"),
    *("Customize Form", "Customize Form Field", "Property Setter", "Custom Field", "Client Script"),
)


@dataclass
class User:
    """One of the site's people; key, secret and password stay out of the repr."""

    name: str
    api_key: str = field(repr=False)
    api_secret: str = field(repr=False)
    roles: list[str] = field(default_factory=list)
    password: str = field(default="", repr=False)


class Permissions:
    def __init__(self, schema: Schema, users: list[User]) -> None:
        self._schema = schema
        self._roles = {user.name: {*user.roles, "All", "Desk User", GUEST} for user in users}
        self._by_key = {user.api_key: user for user in users}

    def authenticated(self, key: str, secret: str) -> str | None:
        """The user's name, or None when the key is unknown or the secret another."""
        user = self._by_key.get(key)
        return user.name if user is not None and user.api_secret == secret else None

    def user_of(self, key: str) -> str | None:
        user = self._by_key.get(key)
        return user.name if user else None

    def roles(self, user: str) -> set[str]:
        if user == ADMINISTRATOR:
            return {ADMINISTRATOR, "System Manager", "All", "Desk User", GUEST}
        return self._roles.get(user, {GUEST})

    def rights(self, user: str, doctype: DocType, owner: str | None = None) -> dict[str, bool]:
        """Each right at permission level 0; those that only owners have if `owner` is the user.

        Without a document (`owner` None) a right to read what is one's own is a right to read.
        """
        if user == ADMINISTRATOR:
            return dict.fromkeys(RIGHTS, True)
        mine = [entry for entry in self._of_user(user, doctype) if not entry.get("permlevel")]
        granted = {}
        for right in RIGHTS:
            having = [entry for entry in mine if entry.get(right)]
            allowed = bool(having)
            if having and all(entry.get("if_owner") for entry in having) and right != "create":
                mine_too = owner is not None and owner.casefold() == user.casefold()
                allowed = right in ("select", "read") if owner is None else mine_too
            granted[right] = allowed
        if not doctype.is_submittable:
            granted["submit"] = False
        return granted

    def own_only(self, user: str, doctype: DocType) -> bool:
        """Whether that user reads only what that user owns."""
        if user == ADMINISTRATOR:
            return False
        own, any_ones = self.of_owners(user, doctype), self.rights(user, doctype)
        reading = [right for right in ("select", "read") if any_ones[right]]
        return bool(own) and all(right in own for right in reading)

    def of_owners(self, user: str, doctype: DocType) -> set[str]:
        """The rights that user has only to what that user owns."""
        if user == ADMINISTRATOR:
            return set()
        granted: set[str] = set()
        own: set[str] = set()
        for entry in self._of_user(user, doctype):
            if not entry.get("permlevel"):
                here = {right for right in RIGHTS if entry.get(right)}
                (own if entry.get("if_owner") else granted).update(here)
        return own - granted - {"create"}

    def has_owners_rights(self, user: str, doctype: DocType) -> bool:
        mine = self._of_user(user, doctype)
        return any(one.get("if_owner") for one in mine if not one.get("permlevel"))

    def selects_only(self, user: str, doctype: DocType) -> bool:
        """Whether that user may name the documents, in links, and not read them."""
        rights = self.rights(user, doctype)
        return rights["select"] and not rights["read"]

    def levels(self, user: str, doctype: DocType, right: str = "read") -> set[int]:
        """The permission levels at which that user has the right."""
        having = doctype.permissions if user == ADMINISTRATOR else self._of_user(user, doctype)
        return {int(entry.get("permlevel") or 0) for entry in having if entry.get(right)}

    def masked(self, user: str, doctype: DocType) -> list[Field]:
        """The fields that version 16 shows to that user masked; those of a child to everybody but
        the Administrator, as its own permissions are looked at and there are none.
        """
        fields = [entry for entry in doctype.stored if entry.get("mask")]
        if not fields or user == ADMINISTRATOR or self._schema.major < SIXTEEN:
            return []
        levels = self.levels(user, doctype, "mask")
        return [entry for entry in fields if int(entry.get("permlevel") or 0) not in levels]

    def readable(self, user: str, doctype: DocType, parent: str | None = None) -> list[str]:
        """The columns that a list shows to that user; of a child, by its parent's permissions."""
        standard = list(STANDARD)
        names = [entry["fieldname"] for entry in doctype.stored]
        if doctype.name in CORE:
            return list(doctype.kinds)
        if doctype.is_child:
            if parent is None:
                return standard
            standard += OF_CHILDREN
        elif self.selects_only(user, doctype):
            return doctype.search_fields
        held = doctype.is_child and parent is not None and parent in self._schema
        source = self._schema[str(parent)] if held else doctype
        if user != ADMINISTRATOR and source.permissions:
            levels = self.levels(user, source)
            names = [
                entry["fieldname"]
                for entry in doctype.stored
                if int(entry.get("permlevel") or 0) in levels
            ]
        elif source.permissions and user == ADMINISTRATOR:
            levels = {int(entry.get("permlevel") or 0) for entry in source.permissions}
            names = [
                entry["fieldname"]
                for entry in doctype.stored
                if int(entry.get("permlevel") or 0) in levels | {0}
            ]
        return standard + names

    def may(self, user: str, doctype: DocType, right: str, owner: str | None = None) -> bool:
        return self.rights(user, doctype, owner)[right]

    def _of_user(self, user: str, doctype: DocType) -> list[dict[str, Any]]:
        roles = self.roles(user)
        return [entry for entry in doctype.permissions if entry.get("role") in roles]


def no_doctype_access(user: str, doctype: str) -> str:
    return (
        f"User {bold(user)} does not have doctype access via role permission"
        f" for document {bold(doctype)}"
    )
