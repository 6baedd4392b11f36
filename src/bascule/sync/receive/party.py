"""A document with its primary Address and Contact, as the site has them: read, and as one record.

Which requests are made; what is done with the answers is `merge`'s, `sending`'s and `pulling`'s.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bascule.frappe import NoPermission, NotFound, Site
from bascule.sync.fields import PARTS, Field, Part, Place, RecordType, from_site
from bascule.sync.mapping import Mapped

Document = dict[str, Any]
AT_ONCE = 200  # documents in one request
DOCTYPES: dict[Part, str] = {"address": "Address", "contact": "Contact"}
# Rows of these are read with their parents: table field -> (child DocType, what is read of a row).
CHILDREN: dict[str, tuple[str, tuple[str, ...]]] = {
    "credit_limits": ("Customer Credit Limit", ("company", "credit_limit")),
    "email_ids": ("Contact Email", ("email_id", "is_primary")),
    "phone_nos": ("Contact Phone", ("phone", "is_primary_phone", "is_primary_mobile_no")),
}
UNREAD = "__unread"  # columns that were asked for and not given: the user may not read them
_STAMPS = ("name", "modified", "modified_by", "creation", "owner")
_NAME_PARTS = ("first_name", "middle_name", "last_name")


@dataclass
class Party:
    """`documents`: by part, those that were given, with the child tables that are mapped.
    `looked_at`: the parts that are known, there or not. `withheld`: by part, the name of what the
    document names and the site did not give; nothing else is known of that. `moved`: parts that
    the site itself has saved since, so that their time of change is a later one.
    """

    documents: dict[Part, Document] = field(default_factory=dict)
    looked_at: frozenset[Part] = frozenset(PARTS)
    withheld: dict[Part, str] = field(default_factory=dict)
    moved: frozenset[Part] = frozenset()

    @property
    def main(self) -> Document:
        return self.documents["main"]

    @property
    def name(self) -> str:
        return str(self.main["name"])

    @property
    def changed_by(self) -> str:
        """Who changed the latest of them."""
        latest = max(self.documents.values(), key=lambda document: str(document["modified"]))
        return str(latest.get("modified_by") or "ERPNext")

    def modified(self) -> dict[str, str]:
        return {part: str(doc["modified"]) for part, doc in self.documents.items()}

    def parts(self) -> dict[str, str]:
        return {part: str(doc["name"]) for part, doc in self.documents.items() if part != "main"}


def doctype_of(kind: RecordType, part: Part) -> str:
    return kind.doctype if part == "main" else DOCTYPES[part]


def link_field(kind: RecordType, part: Part) -> str:
    """The field that names a document's primary Address or Contact."""
    return f"{kind.prefix}_primary_{part}"


def saves_parts(kind: RecordType, versions: Mapping[str, Any]) -> bool:
    """Whether a site with these versions of its apps saves a document's Address and Contact each
    time it saves that.
    """
    major = str(versions.get("erpnext") or "").partition(".")[0]
    since = kind.saves_parts_since
    return since is not None and major.isdigit() and int(major) >= since


def values_of(fields: Mapped, party: Party) -> dict[str, Any]:
    """The record that the documents make: the fields whose document is there."""
    values: dict[str, Any] = {}
    for one in fields.synced():
        assert one.place is not None  # noqa: S101 - what is synced has a place
        document = party.documents.get(one.place.part)
        if document is not None and one.place.field not in document.get(UNREAD, ()):
            values[one.name] = value_in(fields, one, document)
    return values


def value_in(fields: Mapped, one: Field, document: Mapping[str, Any]) -> Any:
    assert one.place is not None  # noqa: S101
    if one.conversion == "person_name":
        words = (str(document.get(name) or "").strip() for name in _NAME_PARTS)
        return from_site(one, " ".join(filter(None, words)))
    if one.place.table is None:
        value = from_site(one, document.get(one.place.field))
        return not value if one.conversion == "inverted" else value
    row = _row(fields, one.place, document.get(one.place.table) or [])
    return from_site(one, row.get(one.place.field)) if row else None


def _row(
    fields: Mapped, place: Place, rows: Sequence[Mapping[str, Any]]
) -> Mapping[str, Any] | None:
    wanted = fields.row_of(place)
    for row in rows:
        if all(str(row.get(name) or "") == str(value or "") for name, value in wanted.items()):
            return row
    return None


def changes_for(
    fields: Mapped,
    part: Part,
    values: Mapping[str, Any],
    names: Iterable[str],
    document: Mapping[str, Any] | None,
) -> Document:
    """What a document is sent so that these fields have these values; its other child rows stay."""
    sent: Document = {}
    wanted = set(names)
    for one in fields.of_part(part):
        if one.name not in wanted or one.place is None:
            continue
        value = values.get(one.name)
        if one.conversion == "person_name":
            first, _, rest = str(value or "").partition(" ")
            sent |= {"first_name": first, "middle_name": "", "last_name": rest.strip()}
        elif one.place.table is not None:
            table = one.place.table
            rows = sent[table] if table in sent else (document or {}).get(table) or []
            sent[table] = _with_row(fields, one.place, rows, value)
        elif one.kind == "flag":
            sent[one.place.field] = int(bool(value) != (one.conversion == "inverted"))
        else:
            sent[one.place.field] = "" if value is None and one.kind != "number" else value
    return sent


def _with_row(
    fields: Mapped, place: Place, rows: Sequence[Mapping[str, Any]], value: Any
) -> list[Document]:
    """The child rows with this one's value set; without it where the value is nothing."""
    found = _row(fields, place, rows)
    kept = [dict(row) for row in rows if row is not found]
    if value in (None, ""):
        return kept
    return [*kept, {**(found or fields.row_of(place)), place.field: value}]


async def fetch(site: Site, kind: RecordType, name: str) -> Party:
    """One document with what belongs to it; NotFound where it is not there."""
    main = await site.document(kind.doctype, name)
    parts: list[Part] = [part for part in DOCTYPES if main.get(link_field(kind, part))]
    found = await asyncio.gather(
        *(_part(site, part, str(main[link_field(kind, part)])) for part in parts)
    )
    return _party(kind, main, {part: doc for part, doc in zip(parts, found, strict=True) if doc})


async def _part(site: Site, part: Part, name: str) -> Document | None:
    try:
        return await site.document(DOCTYPES[part], name)
    except (NoPermission, NotFound):
        return None


def _party(kind: RecordType, main: Document, given: Mapping[Part, Document]) -> Party:
    """What the document names and the site did not give is there for all that anybody knows: a list
    leaves out what the user may not read, as it does what is not there.
    """
    named = {part: str(main.get(link_field(kind, part)) or "") for part in DOCTYPES}
    withheld = {part: name for part, name in named.items() if name and part not in given}
    return Party({"main": main, **given}, frozenset(PARTS) - set(withheld), withheld)


async def fetch_many(
    site: Site, fields: Mapped, names: Sequence[str], *, more: Sequence[str] = ()
) -> list[Party]:
    """Those of these documents that are there, in a handful of requests for `AT_ONCE` of them.
    `more`: other columns of the documents.
    """
    found: list[Party] = []
    for start in range(0, len(names), AT_ONCE):
        found += await _fetch_some(site, fields, names[start : start + AT_ONCE], more)
    return found


async def _fetch_some(
    site: Site, fields: Mapped, names: Sequence[str], more: Sequence[str]
) -> list[Party]:
    kind = fields.type
    mains = await _listed(site, fields, "main", kind.doctype, names, more)
    there: dict[Part, dict[str, Document]] = {}
    for part, doctype in DOCTYPES.items():
        field_name = link_field(kind, part)
        wanted = sorted({str(main[field_name]) for main in mains if main.get(field_name)})
        try:
            given = await _listed(site, fields, part, doctype, wanted, ())
        except NoPermission:
            given = []
        there[part] = {str(document["name"]): document for document in given}
    return [_party(kind, main, _own(kind, main, there)) for main in mains]


def _own(
    kind: RecordType, main: Document, there: Mapping[Part, Mapping[str, Document]]
) -> dict[Part, Document]:
    """Of all that were given, the Address and the Contact that the document names."""
    named = {part: str(main.get(link_field(kind, part)) or "") for part in there}
    return {part: there[part][name] for part, name in named.items() if name in there[part]}


async def _listed(
    site: Site, fields: Mapped, part: Part, doctype: str, names: Sequence[str], more: Sequence[str]
) -> list[Document]:
    if not names:
        return []
    columns, tables = _columns(fields, part)
    rows = await site.list(
        doctype,
        [*dict.fromkeys((*_STAMPS, *columns, *more))],
        filters=[["name", "in", list(names)]],
        order_by="name asc",
        limit=0,
    )
    for row in rows:
        row[UNREAD] = set(columns) - set(row)
    documents = {str(row["name"]): row for row in rows}
    for table in tables:
        child, wanted = CHILDREN[table]
        for document in documents.values():
            document[table] = []
        children = (
            await site.list(
                child,
                ("name", "parent", "idx", *wanted),
                filters=[["parent", "in", list(documents)], ["parenttype", "=", doctype]],
                order_by="idx asc",
                limit=0,
                parent=doctype,
            )
            if documents
            else []
        )
        for row in children:
            documents[str(row["parent"])][table].append(row)
    return list(documents.values())


def _columns(fields: Mapped, part: Part) -> tuple[list[str], list[str]]:
    columns: list[str] = []
    tables: list[str] = []
    if part == "main":
        columns += [link_field(fields.type, other) for other in DOCTYPES]
    for one in fields.of_part(part):
        assert one.place is not None  # noqa: S101
        if one.conversion == "person_name":
            columns += _NAME_PARTS
        elif one.place.table is None:
            columns.append(one.place.field)
        elif one.place.table not in tables:
            tables.append(one.place.table)
    return columns, tables


async def find_part(site: Site, kind: RecordType, part: Part, owner: str) -> Document | None:
    """An Address or Contact that is linked to this document, though it is not its primary one; an
    Address that is disabled there is in use no more.
    """
    doctype = DOCTYPES[part]
    filters: list[list[Any]] = [
        ["Dynamic Link", "link_doctype", "=", kind.doctype],
        ["Dynamic Link", "link_name", "=", owner],
    ]
    if part == "address":
        filters.append([doctype, "disabled", "=", 0])
    found = await site.list(
        doctype,
        ("name",),
        filters=filters,
        order_by=f"`tab{doctype}`.creation asc",  # the rows that are filtered by have one too
        limit=1,
    )
    return await site.document(doctype, str(found[0]["name"])) if found else None
