"""The site itself: a snapshot made into tables, and the parts that a call works with.

Everything here is synchronous; a call is one transaction.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from bascule.sandbox.core.access.access import Access, no_access
from bascule.sandbox.core.access.masks import mask_values
from bascule.sandbox.core.access.permissions import ADMINISTRATOR, Permissions, User
from bascule.sandbox.core.access.sessions import Sessions, seconds_of
from bascule.sandbox.core.clock import Clock
from bascule.sandbox.core.database.tables import Row, Tables
from bascule.sandbox.core.doctypes import customization
from bascule.sandbox.core.doctypes.metadata import as_document
from bascule.sandbox.core.doctypes.schema import DocType, Schema
from bascule.sandbox.core.documents.document import Document, found, load, single_row, stored_fields
from bascule.sandbox.core.documents.virtual_fields import virtual_value
from bascule.sandbox.core.errors import Call, Refusal, bold
from bascule.sandbox.core.moments import Moment
from bascule.sandbox.core.query.engine import Engine
from bascule.sandbox.core.query.fields import known_doctype
from bascule.sandbox.core.query.query import Asked, ListQuery
from bascule.sandbox.core.snapshot import Snapshot
from bascule.sandbox.core.values import cstr
from bascule.sandbox.core.versions import SIXTEEN

# What an app adds to the values that a new document has in fields of these names.
DEFAULTS: list[Callable[[Tables], Row]] = []
_MICROSECOND = timedelta(microseconds=1)


class Site:
    """`linked` counts links to (DocType, name) and `to_repost` holds (item, warehouse) for jobs."""

    def __init__(self, snapshot: Snapshot, schema: Schema, tables: Tables) -> None:
        self.clock = Clock(snapshot.time_zone)
        self.time_zone = snapshot.time_zone
        self.users = {
            label: User(
                one["name"],
                one["api_key"],
                one["api_secret"],
                list(one["roles"]),
                one.get("password", ""),
            )
            for label, one in snapshot.users.items()
        }
        self.schema = schema
        self.permissions = Permissions(self.schema, list(self.users.values()))
        self.tables = tables
        self.access = Access(self.schema, self.tables, self.permissions)
        self.sessions = Sessions()
        self.jobs: list[Any] = []  # see `queue`; the oldest first
        self.linked: Counter[tuple[str, str]] = Counter()
        self.to_repost: set[tuple[str, str]] = set()
        self.half_made: dict[str, str] = {}  # DocType -> a field without a column
        self._last = ""
        self._unrecorded: set[str] = set()
        self._customised: set[str] = set()

    def close(self) -> None:
        self.tables.close()

    @contextmanager
    def transaction(self, *, keep: bool = True) -> Iterator[None]:
        """What a call does within is kept at its end, unless it is refused or not to be kept."""
        try:
            with self.tables.transaction(keep=keep):
                yield
        finally:  # what came of it, whether or not it was kept
            for name in self._customised:
                self._refresh(name)
            self._customised.clear()

    def keep(self) -> Moment:
        """The site as it is now."""
        definitions = {doctype.name: self.schema.original(doctype.name) for doctype in self.schema}
        waiting = Counter(self.linked), frozenset(self.to_repost)
        return Moment(*self.tables.kept(), definitions, *waiting)

    def restore(self, moment: Moment) -> None:
        """The site as it was then; its clock goes on."""
        for doctype in [one.name for one in self.schema]:
            self.schema.remove(doctype)
        for definition in moment.definitions.values():
            self.schema.add(definition)
        self.tables.restore(moment.rows, moment.made)
        customization.refresh_all(self.schema, self.tables)
        self.linked, self.to_repost = Counter(moment.linked), set(moment.to_repost)

    def set_time_zone(self, name: str) -> None:
        """From now on the site tells its local time of there; what was written stays as it is."""
        self.clock.zone, self.time_zone = ZoneInfo(name), name

    def customise(self, doctype: str) -> None:
        """That DocType, its Custom Fields, Property Setters or rights changed."""
        self._customised.add(doctype)
        self._refresh(doctype)

    def _refresh(self, doctype: str) -> None:
        if self.tables.value("DocType", doctype, "name") is None:
            self.schema.remove(doctype)
        else:
            customization.refresh(self.schema, self.tables, doctype)

    def now(self) -> str:
        """The local time that a write carries. Two writes at one moment do not share it."""
        moment = self.clock.now()
        if str(moment) == self._last:
            moment += _MICROSECOND
        self._last = str(moment)
        return self._last

    def doctype(self, call: Call, name: str) -> DocType:
        return known_doctype(call, self.schema, name)

    def rows(self, call: Call, asked: Asked, *, compat: bool = True) -> list[Any]:
        """`compat`: as the older API asks; see `Engine`."""
        query = self._query(call, asked)
        if isinstance(query, Engine):
            query.compat = compat
        return query.answered()

    def count(self, call: Call, asked: Asked) -> int:
        return self._query(call, asked).counted()

    def _query(self, call: Call, asked: Asked) -> Engine | ListQuery:
        kind = Engine if self.schema.major >= SIXTEEN else ListQuery
        today = self.clock.now().date()
        return kind(call, self.schema, self.tables, self.access, today, asked)

    def controller(self, call: Call, doctype: str) -> DocType:
        """The DocType of a document; of an unknown one Frappe lacks the module, which is a 500."""
        if self.schema.find(str(doctype)) is None:
            module = re.sub(r"[ -]", "_", str(doctype)).lower()
            told = f"Error: No module named 'frappe.core.doctype.{module}'"
            raise Refusal("ImportError", told, module="", status=500)
        return self.doctype(call, doctype)

    def document(self, call: Call, doctype: str, name: str) -> Document:
        """The document, whoever asks; 404 if the name is unknown. Masked for who may not see it."""
        document = found(call, self.schema, self.tables, self.controller(call, doctype), name)
        mask_values(self.permissions.masked(call.user, document.doctype), document.values)
        return document

    def load(self, doctype: str, name: str) -> Document | None:
        return load(self.schema, self.tables, self.schema[doctype], name)

    def single(self, doctype: str) -> Row:
        return single_row(self.tables, self.schema[doctype])

    def stored_single(self, doctype: str) -> Row:
        """What is kept of a Single, each value as the text that MariaDB has of it."""
        kept = stored_fields(self.tables, doctype)
        return {name: None if value is None else cstr(value) for name, value in kept.items()}

    def defaults(self) -> Row:
        """What a new document has in fields of these names, unless it says otherwise."""
        settings = self.single("System Settings") if "System Settings" in self.schema else {}
        names = ("country", "language", "time_zone", "date_format", "number_format")
        defaults = {name: settings[name] for name in names if settings.get(name)}
        for of_app in DEFAULTS:
            defaults = of_app(self.tables) | defaults
        return {"language": "en"} | defaults

    def session_seconds(self) -> int:
        """How long a session lasts without a request."""
        settings = self.single("System Settings") if "System Settings" in self.schema else {}
        return seconds_of(cstr(settings.get("session_expiry")) or "170:00")

    def exists(self, doctype: str, name: str) -> bool:
        if self.unrecorded(doctype):
            return True
        return doctype in self.schema and self.tables.value(doctype, name, "name") is not None

    @property
    def all_unrecorded(self) -> frozenset[str]:
        return frozenset(self._unrecorded)

    def take_unrecorded(self, doctypes: set[str]) -> None:
        """Links to these are taken as they come: nobody recorded their documents."""
        self._unrecorded = doctypes

    def unrecorded(self, doctype: str) -> bool:
        """Whether links to that DocType are taken as they come."""
        return doctype in self._unrecorded or doctype not in self.schema

    def may(self, call: Call, document: Document, right: str) -> bool:
        """Whether the user has the right to that document; if not, the call is told why."""
        told = self.access.denied(call.user, document, right)
        if told is None:
            return True
        call.tell("<br>".join(told))
        return False

    def check(self, call: Call, document: Document, right: str) -> None:
        if self.may(call, document, right):
            return
        doctype = document.doctype
        if self.schema.major < SIXTEEN:
            call.error_message = (
                f"Insufficient Permission for {document.doctype.name} ({bold(right)})"
            )
        elif not doctype.is_child and not self.permissions.may(call.user, doctype, right):
            raise no_access(call, doctype, right)
        else:
            about = f"{bold(doctype.name)} {document.name}"
            told = f"You need the '{right}' permission on {about} to perform this action."
            call.error_message = told
        raise Refusal("PermissionError")

    def shown(self, call: Call, document: Document, *, nulls: bool = False) -> Row:
        """The document as that user may see it."""
        if document.doctype.name == "DocType":
            return as_document(self.schema, document.name)
        levels = self.levels(call.user, document, "read")
        return document.shown(nulls=nulls, levels=levels, virtual=virtual_value)

    def levels(self, user: str, document: Document, right: str) -> set[int] | None:
        """The permission levels at which the user has the right, a row by its parent; None: all."""
        if user == ADMINISTRATOR:
            return None
        doctype = document.doctype
        if doctype.is_child and document["parenttype"] in self.schema:
            doctype = self.schema[str(document["parenttype"])]
        return self.permissions.levels(user, doctype, right)
