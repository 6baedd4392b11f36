"""Which documents of a DocType a user may have: its own rule, user permissions, owners, shares.

What a user's roles grant is in `permissions`. Follows frappe/permissions.py and the conditions that
frappe/model/db_query.py puts to a list.
"""

from collections.abc import Callable
from dataclasses import dataclass

from bascule.sandbox.core.access.permissions import (
    ADMINISTRATOR,
    GUEST,
    Permissions,
    no_doctype_access,
)
from bascule.sandbox.core.database.tables import Row, Tables, quoted
from bascule.sandbox.core.doctypes.schema import DocType, Field, Schema
from bascule.sandbox.core.documents.document import Document, load
from bascule.sandbox.core.errors import Call, Refusal, bold, not_found
from bascule.sandbox.core.query.filters import escaped, literal
from bascule.sandbox.core.values import cint, cstr

_SHAREABLE = {"read": "read", "write": "write", "share": "share", "submit": "submit"}
_SHAREABLE |= {"email": "read", "print": "read"}


Write = Callable[[str], str]


@dataclass
class Rule:
    """A DocType's own: `allows` a document to a user, by None it has no say in it.

    `where` is the condition of what a list shows to a user, who is written into it by `write`.
    """

    allows: Callable[["Access", str, Document, str], bool | None]
    where: Callable[["Access", str, Write], str] = lambda access, user, write: ""


RULES: dict[str, Rule] = {}
# user -> DocType -> [(name, the DocType that it is meant for, or none)]
_Limits = dict[str, list[tuple[str, str]]]


class Access:
    def __init__(self, schema: Schema, tables: Tables, permissions: Permissions) -> None:
        self.schema = schema
        self._tables = tables
        self.permissions = permissions

    def load(self, doctype: str, name: str) -> Document | None:
        known = doctype in self.schema and name
        return load(self.schema, self._tables, self.schema[doctype], name) if known else None

    def denied(self, user: str, document: Document, right: str) -> list[str] | None:
        """None where the user has the right to the document, or why not, as Frappe tells it."""
        if user == ADMINISTRATOR:
            return None
        if document.doctype.is_child:
            return self._denied_child(user, document, right)
        told: list[str] = []
        if self.rights(user, document, right, told).get(right):
            return None
        doctype = document.doctype
        about = f"User {bold(user)} does not have access to this document"
        if self.may_list(user, doctype):
            about += f": {doctype.name} - {document['name']}"
        else:
            told.append(no_doctype_access(user, doctype.name))
        told.append(about)
        return None if document.name in self.shared(user, doctype, right) else told

    def _denied_child(self, user: str, row: Document, right: str) -> list[str] | None:
        """A row is its parent's: also where the table has a permission level."""
        child, named = bold(row.doctype.name), cstr(row["parenttype"])
        if not named:
            return [f"Please specify a valid parent DocType for {child}"]
        tables = self.schema[named].tables if named in self.schema else []
        fields = [entry for entry in tables if entry.get("options") == row.doctype.name]
        if not fields:
            return [f"{bold(named)} is not a valid parent DocType for {child}"]
        place = cstr(row["parentfield"])
        if not place:
            return [f"Parentfield not specified in {child}: {bold(row['name'])}"]
        entry = next((one for one in fields if one["fieldname"] == place), None)
        if entry is None:
            return [f"{bold(place)} is not a valid parentfield for {child}"]
        parent = self.schema[named]
        level = cint(entry.get("permlevel"))
        if level and level not in self.permissions.levels(user, parent, right):
            return [f"Insufficient Permission Level for {bold(parent.name)}"]
        found = self.load(parent.name, cstr(row["parent"]))
        if found is None:
            raise not_found(parent.name, row["parent"])
        return self.denied(user, found, right)

    def may_list(self, user: str, doctype: DocType, right: str = "read") -> bool:
        """Whether the user may have the right to any document of that DocType."""
        if self.permissions.may(user, doctype, right):
            return True
        return bool(self.shared(user, doctype, right))

    def check_list(self, call: Call, doctype: DocType, parent: str | None = None) -> None:
        """403 unless the user may read lists of that DocType, or of the parent of a child."""
        if doctype.is_child:
            if parent is None or parent not in self.schema:
                raise Refusal("PermissionError")
            doctype = self.schema[parent]
        right = "select" if self.permissions.selects_only(call.user, doctype) else "read"
        if not self.may_list(call.user, doctype, right):
            call.tell(no_doctype_access(call.user, doctype.name))
            call.error_message = f"No permission for {doctype.name}"
            raise Refusal("PermissionError")

    def check_parent(self, call: Call, child: DocType, parent: str | None) -> None:
        """A child's rows are given with the name of a parent DocType that has them."""
        found = self.schema.find(parent) if isinstance(parent, str) else None
        if found is None:
            raise Refusal("PermissionError")
        holder = self.schema[found]
        if all(entry.get("options") != child.name for entry in holder.tables):
            raise Refusal("PermissionError")
        if not self.may_list(call.user, holder):
            call.tell(no_doctype_access(call.user, holder.name))
            raise Refusal("PermissionError")

    def rights(self, user: str, document: Document, right: str, told: list[str]) -> dict[str, bool]:
        doctype, owner = document.doctype, cstr(document["owner"])
        rule = RULES.get(doctype.name)
        if rule and rule.allows(self, user, document, right) is False:
            told.append("Not allowed via controller permission check")
            return {right: False}
        granted = self.permissions.rights(user, doctype, owner)
        if not doctype.definition.get("allow_import"):
            granted["import"] = False
        if self._limited(user, document, told):
            if owner.casefold() != user.casefold():
                return {}
            own = self.permissions.of_owners(user, doctype)
            granted = {name: name in own and name != "create" for name in granted}
        return granted

    def told_rights(self, user: str, document: Document) -> Row:
        """Each right as 0 or 1, and apart those that the user has only as an owner."""
        granted = {right: int(may) for right, may in self.rights(user, document, "", []).items()}
        if user == ADMINISTRATOR:
            return granted | ({} if document.doctype.is_submittable else {"submit": 0})
        owner = cstr(document["owner"]).casefold() == user.casefold()
        own = {right: int(owner) for right in self.permissions.of_owners(user, document.doctype)}
        enabled = self.permissions.has_owners_rights(user, document.doctype)
        return {"if_owner": own, "has_if_owner_enabled": enabled, **granted, **own}

    def limits(self, user: str) -> _Limits:
        """The User Permissions of that user, with the descendants of what they name in a tree."""
        limits: _Limits = {}
        if user in (ADMINISTRATOR, GUEST):
            return limits
        for row in self._tables.rows("User Permission", user=user):
            allow, value = cstr(row["allow"]), cstr(row["for_value"])
            names = [value]
            if not cint(row["hide_descendants"]):
                names += self._below(allow, value)
            meant = cstr(row["applicable_for"])
            limits.setdefault(allow, []).extend((name, meant) for name in names)
        return limits

    def _below(self, doctype: str, name: str) -> list[str]:
        if doctype not in self.schema or "lft" not in self.schema[doctype].kinds:
            return []
        node = self._tables.row(doctype, name) or {}
        rows = self._tables.run(
            f"SELECT `name` FROM {quoted(doctype)} WHERE `lft` > ? AND `rgt` < ?",
            (cint(node.get("lft")), cint(node.get("rgt"))),
        )
        return [row[0] for row in rows]

    def _limited(self, user: str, document: Document, told: list[str]) -> bool:
        limits = self.limits(user)
        doctype = document.doctype.name
        allowed = _meant(limits.get(doctype, []), doctype)
        if allowed and document.name not in allowed:
            told.append(f"Not allowed for {doctype}: {document.name}")
            return True
        return any(
            self._limited_link(limits, doctype, one, entry, told)
            for one in document.family()
            for entry in _links(one.doctype)
        )

    def _limited_link(
        self, limits: _Limits, doctype: str, one: Document, entry: Field, told: list[str]
    ) -> bool:
        value, linked = one[entry["fieldname"]], str(entry.get("options"))
        allowed = _meant(limits.get(linked, []), doctype)
        if not value or not allowed or value in allowed:
            return False
        place = f"row {one['idx']}, field" if one["parentfield"] else "field"
        told.append(
            f"You are not allowed to access this {one.doctype.name} record because it is linked to"
            f" {linked} '{value}' in {place} {entry.get('label') or entry['fieldname']}"
        )
        return True

    def shared(self, user: str, doctype: DocType, right: str = "read") -> list[str]:
        """The names of the documents to which somebody gave the user that right."""
        column = _SHAREABLE.get(right)
        if column is None:
            return []
        return [
            cstr(row["share_name"])
            for row in self._tables.rows("DocShare", share_doctype=doctype.name)
            if row[column] and (row["user"] == user or (user != GUEST and row["everyone"]))
        ]

    def match(self, user: str, doctype: DocType) -> tuple[str, str]:
        """The condition of what a list shows to that user: for SQLite, and as MariaDB gets it."""
        texts = [self._match(user, doctype, write) for write in (literal, escaped)]
        return texts[0], texts[1]

    def _match(self, user: str, doctype: DocType, write: Write) -> str:
        name = f"{quoted(doctype.name)}."
        shared = self.shared(user, doctype)
        among = f"{name}name in ({', '.join(map(write, shared))})" if shared else ""
        may = any(self.permissions.may(user, doctype, right) for right in ("select", "read"))
        if not doctype.is_child and not may:
            return f"({among})" if among else ""
        where = ""
        if self.permissions.own_only(user, doctype):
            where = f"(({name}`owner` = {write(user)}))"
        elif conditions := self._limit_conditions(user, doctype, write):
            where = f"(({' and '.join(conditions)}))"
        rule = RULES.get(doctype.name)
        only = rule.where(self, user, write) if rule else ""
        both = " and ".join(filter(None, (where, only)))
        if both and where and among:
            return f"((({both}) or ({among})))"
        return f"({both})" if both else ""

    def _limit_conditions(self, user: str, doctype: DocType, write: Write) -> list[str]:
        limits, conditions = self.limits(user), []
        itself = {"fieldname": "name", "options": doctype.name}
        for entry in (*_links(doctype), itself) if limits else ():
            allowed = _meant(limits.get(str(entry.get("options")), []), doctype.name)
            if allowed:
                place = f"{quoted(doctype.name)}.`{entry['fieldname']}`"
                listed = ", ".join(map(write, allowed))
                conditions.append(f"(ifnull({place}, '')='' or {place} in ({listed}))")
        return conditions


def no_access(call: Call, doctype: DocType, right: str = "read") -> Refusal:
    """How version 16 refuses who may have no document of that DocType: it tells of that alone."""
    call.messages.clear()
    submitting = right == "submit" and not doctype.is_submittable
    told = "Document Type is not submittable" if submitting else ""
    call.tell(told or no_doctype_access(call.user, doctype.name))
    call.error_message = f"No permission for {doctype.name}"
    refusal = Refusal("PermissionError")
    refusal.untraced = True
    return refusal


def _meant(limits: list[tuple[str, str]], doctype: str) -> list[str]:
    return [name for name, meant in limits if meant in ("", doctype)]


def _links(doctype: DocType) -> list[Row]:
    links = doctype.of_type("Link")
    return [entry for entry in links if not entry.get("ignore_user_permissions")]
