"""The site itself: a snapshot made into tables, and the parts that a call works with.

Everything here is synchronous; a call is one transaction.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from datetime import timedelta
from typing import Any

from bascule.sandbox.clock import Clock
from bascule.sandbox.doctypes import builtin
from bascule.sandbox.document import Document, found, load
from bascule.sandbox.errors import Call, Refusal, bold
from bascule.sandbox.fields import known_doctype
from bascule.sandbox.metadata import as_document
from bascule.sandbox.permissions import Permissions, User, no_doctype_access
from bascule.sandbox.query import Asked, ListQuery
from bascule.sandbox.schema import DocType, Schema, inferred, inferred_fields
from bascule.sandbox.snapshot import Snapshot
from bascule.sandbox.tables import Row, Tables

_MICROSECOND = timedelta(microseconds=1)


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
            for name, documents in snapshot.documents.items():
                self._fill(self.schema[name], documents)
            definitions = [as_document(self.schema, doctype.name) for doctype in self.schema]
            self._fill(self.schema["DocType"], definitions)

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
                self.tables.fill(self.schema[child], rows)

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

    def list(self, call: Call, asked: Asked) -> list[Any]:
        today = self.clock.now().date()
        return ListQuery(call, self.schema, self.tables, self.permissions, today, asked).answered()

    def document(self, call: Call, doctype: str, name: str) -> Document:
        """The document, whoever asks; 404 if the DocType or the name is unknown."""
        return found(call, self.schema, self.tables, self.doctype(call, doctype), name)

    def load(self, doctype: str, name: str) -> Document | None:
        return load(self.schema, self.tables, self.schema[doctype], name)

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
        return document.shown(nulls=nulls, fields=fields)


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
