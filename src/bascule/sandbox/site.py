"""The site itself: a snapshot made into tables, and the parts that a call works with.

Everything here is synchronous; a call is one transaction.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from datetime import timedelta
from typing import Any

from bascule.sandbox import crm, customs, transactions, webhooks
from bascule.sandbox.clock import Clock
from bascule.sandbox.deleting import check_back_links
from bascule.sandbox.doctypes import builtin
from bascule.sandbox.document import Document, found, load, single_row
from bascule.sandbox.errors import Call, Refusal, bold
from bascule.sandbox.events import virtual_value
from bascule.sandbox.fields import known_doctype
from bascule.sandbox.metadata import as_document
from bascule.sandbox.permissions import Permissions, User, no_doctype_access
from bascule.sandbox.query import Asked, ListQuery
from bascule.sandbox.schema import DocType, Schema, inferred, inferred_fields
from bascule.sandbox.snapshot import Snapshot
from bascule.sandbox.tables import Row, Tables

_MICROSECOND = timedelta(microseconds=1)
# Their events are told to the engine where they are defined.
BEHAVIOURS = (crm, customs, transactions, webhooks)
# Filled on every site, though a snapshot may not have recorded them.
_REFERENCE = {
    *("Country", "Language", "Currency", "Gender", "Salutation", "Role", "User", "Module Def"),
    *("Designation", "Industry Type", "Market Segment", "Mode of Payment", "Email Template"),
    *("Print Heading", "Letter Head", "Incoterm", "Party Type", "Stock Entry Type"),
}
_BORN = "2013-01-10 16:34:14"


class Site:
    def __init__(self, snapshot: Snapshot) -> None:
        self.clock = Clock(snapshot.time_zone)
        self.time_zone = snapshot.time_zone
        self.users = {
            label: User(one["name"], one["api_key"], one["api_secret"], list(one["roles"]))
            for label, one in snapshot.users.items()
        }
        self.schema = Schema(_definitions(snapshot))
        self.permissions = Permissions(self.schema, list(self.users.values()))
        self.tables = Tables()
        self._last = ""
        for doctype in self.schema:
            if not doctype.is_single:
                self.tables.make(doctype)
        with self.tables.transaction():
            self._load(snapshot)

    def _load(self, snapshot: Snapshot) -> None:
        stamps = {"owner": "Administrator", "modified_by": "Administrator"}
        stamps |= {"creation": _BORN, "modified": _BORN}
        own = customs.own_customs(self.schema, snapshot.documents, stamps)
        for name, documents in snapshot.documents.items():
            self._fill(self.schema[name], documents)
        for name, documents in own.items():
            self._fill(self.schema[name], documents)
        definitions = [as_document(self.schema, doctype.name) for doctype in self.schema]
        self._fill(self.schema["DocType"], definitions)
        known = {user["name"] for user in snapshot.documents.get("User", ())}
        users = [
            {**stamps, "name": user.name, "email": user.name, "enabled": 1, "first_name": user.name}
            for user in self.users.values()
            if user.name not in known
        ]
        self._fill(self.schema["User"], users)
        customs.refresh_all(self.schema, self.tables)
        self._unrecorded = {name for name in _REFERENCE if self._is_empty(name)}

    def _is_empty(self, doctype: str) -> bool:
        return doctype not in self.schema or self.tables.is_empty(doctype)

    def _fill(self, doctype: DocType, documents: list[Row]) -> None:
        if doctype.is_single:
            for document in documents:
                self.tables.fill_single(doctype.name, document)
            return
        self.tables.fill(doctype, documents)
        for entry in doctype.tables:
            field, child = entry["fieldname"], entry.get("options")
            rows = [row for document in documents for row in document.get(field) or []]
            if rows and child in self.schema:
                self.tables.fill(self.schema[str(child)], rows)

    def close(self) -> None:
        self.tables.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """What a call does within is kept at its end, and taken back when it is refused."""
        with self.tables.transaction():
            yield

    def now(self) -> str:
        """The local time that a write carries. Two writes at one moment do not share it."""
        moment = self.clock.now()
        if str(moment) == self._last:
            moment += _MICROSECOND
        self._last = str(moment)
        return self._last

    def doctype(self, call: Call, name: str) -> DocType:
        return known_doctype(call, self.schema, name)

    def rows(self, call: Call, asked: Asked) -> list[Any]:
        today = self.clock.now().date()
        return ListQuery(call, self.schema, self.tables, self.permissions, today, asked).answered()

    def document(self, call: Call, doctype: str, name: str) -> Document:
        """The document, whoever asks; 404 if the DocType or the name is unknown."""
        return found(call, self.schema, self.tables, self.doctype(call, doctype), name)

    def load(self, doctype: str, name: str) -> Document | None:
        return load(self.schema, self.tables, self.schema[doctype], name)

    def single(self, doctype: str) -> Row:
        return single_row(self.tables, self.schema[doctype])

    def defaults(self) -> Row:
        """What a new document has in fields of these names, unless it says otherwise."""
        settings = self.single("System Settings") if "System Settings" in self.schema else {}
        names = ("country", "language", "time_zone", "date_format", "number_format")
        defaults = {name: settings[name] for name in names if settings.get(name)}
        companies = self.tables.rows("Company", "`creation`")
        if companies:
            company = companies[0]
            defaults |= {"company": company["name"], "currency": company["default_currency"]}
            defaults.setdefault("country", company["country"])
        return {"language": "en"} | defaults

    def exists(self, doctype: str, name: str) -> bool:
        if self.unrecorded(doctype):
            return True
        return doctype in self.schema and self.tables.value(doctype, name, "name") is not None

    def unrecorded(self, doctype: str) -> bool:
        """Whether links to that DocType are taken as they come: nobody recorded its documents."""
        return doctype in self._unrecorded or doctype not in self.schema

    def webhooks_for(self, document: Document, event: str) -> list[str]:
        if "Webhook" not in self.schema:
            return []
        rows = self.tables.rows(
            "Webhook",
            "`modified` DESC",
            webhook_doctype=document.doctype.name,
            webhook_docevent=event,
            enabled=1,
        )
        return [row["name"] for row in rows if webhooks.meets(row["condition"], document)]

    def check_back_links(self, call: Call, document: Document) -> None:
        """A document is not cancelled while submitted ones link to it."""
        check_back_links(self, call, document, cancelling=True)

    def may(self, call: Call, document: Document, right: str) -> bool:
        """Whether the user has the right to that document; if not, the call is told why."""
        doctype = document.doctype
        if doctype.is_child:
            doctype = self.schema[document["parenttype"]]
        if self.permissions.may(call.user, doctype, right, str(document["owner"] or "")):
            return True
        told = f"User {bold(call.user)} does not have access to this document"
        if self.permissions.may(call.user, doctype, "read"):
            told += f": {doctype.name} - {document['name']}"
        else:
            told = f"{no_doctype_access(call.user, doctype.name)}<br>{told}"
        call.tell(told)
        return False

    def check(self, call: Call, document: Document, right: str) -> None:
        if not self.may(call, document, right):
            call.error_message = (
                f"Insufficient Permission for {document.doctype.name} ({bold(right)})"
            )
            raise Refusal("PermissionError")

    def shown(self, call: Call, document: Document, *, nulls: bool = False) -> Row:
        """The document as that user may see it."""
        fields = self.permissions.visible(call.user, document.doctype)
        return document.shown(nulls=nulls, fields=fields, virtual=virtual_value)


def _definitions(snapshot: Snapshot) -> dict[str, Row]:
    """All DocTypes: the snapshot's, the built-in ones, and inferred ones for the rest."""
    known = builtin() | deepcopy(snapshot.doctypes)
    rows: dict[str, list[Row]] = {}
    children: set[str] = set()
    for name, documents in snapshot.documents.items():
        rows.setdefault(name, []).extend(documents)
        for document in documents:
            for value in document.values():
                if isinstance(value, list):
                    for row in value:
                        rows.setdefault(row["doctype"], []).append(row)
                        children.add(row["doctype"])
    for name, documents in rows.items():
        if name not in known:
            known[name] = inferred(name, documents, child=name in children)
        else:
            names = [entry.get("fieldname") for entry in known[name]["fields"]]
            more = inferred_fields(names, documents)
            known[name]["fields"] += [entry for entry in more if entry["fieldtype"] != "Table"]
    for definition in list(known.values()):
        for entry in definition["fields"]:
            child = entry.get("options")
            if entry["fieldtype"] in ("Table", "Table MultiSelect") and child not in known:
                known[child] = inferred(child, [], child=True)
    _grant(known, snapshot.role_permissions)
    return known


def _grant(known: dict[str, Row], role_permissions: dict[str, dict[str, list[str]]]) -> None:
    """The rights of the site's own roles, beside those that the DocTypes give."""
    for role, rights in role_permissions.items():
        for name, granted in rights.items():
            if name in known:
                known[name]["permissions"] = [
                    *known[name].get("permissions", ()),
                    {"role": role, **dict.fromkeys(granted, 1)},
                ]
