"""Records found: one, those of some numbers, and lists, searched, filtered, page by page."""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from sqlalchemy import ColumnElement, and_, case, func, or_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.accounts.tables import User
from bascule.connections.sharing import seen_by
from bascule.connections.tables import Connection
from bascule.errors import Invalid, NoSuch
from bascule.sync.fields import PARTS, Field, RecordType
from bascule.sync.mapping import Mapped, mapped, unmapped
from bascule.sync.record_types import record_type
from bascule.sync.tables import Link, Record, TwoWay

ANY = "any"  # state
BIGGEST = 2**63 - 1  # of a bigint


@dataclass(frozen=True)
class LinkedRecord:
    """A record with all that is known of it. No link: it is kept here alone."""

    record: Record
    link: Link | None
    two_way: TwoWay | None
    connection: Connection | None

    @property
    def fields(self) -> Mapped:
        return (
            mapped(self.two_way) if self.two_way else unmapped(record_type(self.record.record_type))
        )

    def why_alone(self, one: Field) -> str | None:
        """Why the site has not got a value that is here; None: it has, or there is none."""
        if self.link is None or self.record.values.get(one.name) is None:
            return None
        fields, part = self.fields, one.place.part if one.place else "main"
        if (why := fields.why_not(one)) is not None:
            return why
        if part == "main" or part in self.link.parts or fields.wants(part, self.record.values):
            return None
        needed = "an Address" if part == "address" else "a Contact"
        return f"ERPNext keeps it in {needed}, and there is none: it is kept here alone."

    @property
    def unread(self) -> set[str]:
        """Fields of an Address or a Contact that is there and may not be read: what stands in them
        is not known.
        """
        parts = self.link.withheld if self.link else ()
        return {one.name for part in PARTS if part in parts for one in self.fields.of_part(part)}

    @property
    def is_paused(self) -> bool:
        """Whether it is linked, and nothing is read or written because two-way sync is not on."""
        return self.two_way is not None and self.two_way.status != "on"

    @property
    def state(self) -> str:
        return self.link.state if self.link else "local"


_WHOLES = (
    select(Record, Link, TwoWay, Connection)
    .outerjoin(Link, Link.record_id == Record.id)
    .outerjoin(TwoWay, TwoWay.id == Link.two_way_id)
    .outerjoin(Connection, Connection.id == Record.connection_id)
)


def visible_to(viewer: User | None) -> ColumnElement[bool]:
    """For a query that outer-joins Connection: records of connections that this viewer may see."""
    if viewer is None:
        return Record.id.is_not(None)
    nobodys = and_(
        Record.connection_id.is_(None),
        or_(Record.private_to.is_(None), Record.private_to == viewer.id),
    )
    return or_(nobodys, and_(Record.connection_id.is_not(None), seen_by(viewer)))


async def find(
    session: AsyncSession,
    kind: RecordType | None,
    record_id: int,
    viewer: User | None,
    *,
    lock: bool = False,
) -> LinkedRecord:
    """NoSuch, also where this viewer may not know of it."""
    query = _WHOLES.where(Record.id == record_id, visible_to(viewer))
    if kind is not None:
        query = query.where(Record.record_type == kind.name)
    if lock:
        # Its row first, alone: an outer join cannot be locked, and all who change it come by here.
        await session.execute(select(Record.id).where(Record.id == record_id).with_for_update())
        query = query.execution_options(populate_existing=True)
    row = (await session.execute(query)).one_or_none()
    if row is None:
        plural = kind.plural if kind else "customers"
        raise NoSuch(
            f"There is no {kind.name if kind else 'record'} {record_id}.",
            next_step=f"GET /api/{plural}, or 'bascule records list {plural}', lists those that "
            "there are.",
        )
    return LinkedRecord(*row)


async def of_document(
    session: AsyncSession,
    kind: RecordType,
    viewer: User | None,
    document: str | None,
    connector: str | None,
) -> int:
    """The record that is kept the same with a document. NoSuch: there is none, also where this
    viewer may not know of it. Invalid: none is named, or several sites have one of that name.
    """
    if not document:
        raise Invalid(
            f"Which {kind.name} is meant is not said.",
            next_step="Say its 'id', or the document that it is in ERPNext as 'erpnextId'.",
            fields={"id": "or erpnextId is needed"},
        )
    query = (
        select(Record.id, Connection.slug)
        .join(Link, Link.record_id == Record.id)
        .join(Connection, Connection.id == Record.connection_id)
        .where(Record.record_type == kind.name, Link.document == document, visible_to(viewer))
        .order_by(Connection.slug)
    )
    if connector is not None:
        query = query.where(or_(Connection.slug == connector, _is_id(connector)))
    found = (await session.execute(query)).all()
    if not found:
        raise NoSuch(
            f"No {kind.name} is kept the same with {document!r}.",
            next_step=f"GET /api/{kind.plural}, or 'bascule records list {kind.plural}', lists "
            "those that are.",
        )
    if len(found) > 1:
        slugs = ", ".join(slug for _, slug in found)
        raise Invalid(
            f"Several sites have a {kind.doctype} {document}.",
            next_step=f"Name one as 'connector': {slugs}.",
            fields={"connector": "is needed, because there are several"},
        )
    return int(found[0][0])


@dataclass(frozen=True)
class RecordQuery:
    """Which records. `state`: a link's, or "local", "deleted", ANY; none: all but the deleted.
    `words`: each has to be in it.
    """

    state: str | None = None
    words: str = ""
    connector: str | None = None
    active: bool | None = None


async def find_page(
    session: AsyncSession,
    kind: RecordType,
    viewer: User | None,
    wanted: RecordQuery,
    *,
    after: tuple[str, int] | None = None,
    limit: int = 50,
) -> list[LinkedRecord]:
    """In the order of their titles; `after`: the title and the id of the last that one has."""
    query = (
        _WHOLES.where(*_conditions(kind, viewer, wanted))
        .order_by(Record.title, Record.id)
        .limit(limit)
    )
    if after is not None:
        query = query.where(tuple_(Record.title, Record.id) > after)
    return [LinkedRecord(*row) for row in (await session.execute(query)).all()]


async def of_numbers(
    session: AsyncSession, viewer: User | None, numbers: Iterable[int]
) -> dict[int, LinkedRecord]:
    """Those of these ids that this viewer may see."""
    query = _WHOLES.where(Record.id.in_(set(numbers)), visible_to(viewer))
    return {row[0].id: LinkedRecord(*row) for row in (await session.execute(query)).all()}


async def counts(
    session: AsyncSession, kind: RecordType, viewer: User | None, wanted: RecordQuery | None = None
) -> dict[str, int]:
    """How many of the records wanted are in each state, whichever state is wanted. Those that are
    deleted here are "deleted".
    """
    state = case(
        (Record.deleted_at.is_not(None), "deleted"), else_=func.coalesce(Link.state, "local")
    )
    anywhere = replace(wanted or RecordQuery(), state=ANY)
    query = (
        select(state, func.count())
        .select_from(Record)
        .outerjoin(Link, Link.record_id == Record.id)
        .outerjoin(Connection, Connection.id == Record.connection_id)
        .where(*_conditions(kind, viewer, anywhere))
        .group_by(state)
    )
    return {name: int(count) for name, count in (await session.execute(query)).all()}


def _conditions(
    kind: RecordType, viewer: User | None, wanted: RecordQuery
) -> Sequence[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = [Record.record_type == kind.name, visible_to(viewer)]
    if wanted.state == "deleted":
        found.append(Record.deleted_at.is_not(None))
    elif wanted.state != ANY:
        found.append(Record.deleted_at.is_(None))
        if wanted.state is not None:
            found.append(func.coalesce(Link.state, "local") == wanted.state)
    if wanted.connector is not None:
        found.append(or_(Connection.slug == wanted.connector, _is_id(wanted.connector)))
    if wanted.active is not None:
        found.append(Record.values["active"].as_boolean().is_(wanted.active))
    found += [Record.search.contains(word, autoescape=True) for word in _words(wanted.words)]
    return found


def _is_id(text: str) -> ColumnElement[bool]:
    try:
        return Connection.id == UUID(text)
    except ValueError:
        return Connection.id.is_(None) & Connection.id.is_not(None)


def _words(text: str) -> list[str]:
    plain = text.replace("\0", "").encode("utf-8", "replace").decode()
    return list(dict.fromkeys(plain.lower().split()))[:10]


def cursor_of(whole: LinkedRecord) -> str:
    """The place in the list behind this record, for `after`."""
    position = [whole.record.title, whole.record.id]
    return urlsafe_b64encode(json.dumps(position).encode()).decode().rstrip("=")


def position_of(after: str | None) -> tuple[str, int] | None:
    if not after:
        return None
    try:
        title, number = json.loads(urlsafe_b64decode(after + "=" * (-len(after) % 4)))
        if not isinstance(title, str) or not isinstance(number, int) or abs(number) > BIGGEST:
            raise ValueError  # noqa: TRY301
        title.encode()
    except (ValueError, TypeError):
        raise Invalid(
            "'after' is not what a page before gave as 'next'.",
            next_step="Leave it out to begin with the first page.",
            fields={"after": "is no place in the list"},
        ) from None
    return title.replace("\0", ""), number
