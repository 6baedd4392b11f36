"""Before two-way sync begins: which record is which document, so that nothing is made twice.

Paired by tax number, then by e-mail address, then by name. A person sees the pairs before they
count, and may change them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.accounts.tables import User
from bascule.connections.tables import Connection
from bascule.errors import Conflict, HubError, Invalid
from bascule.events.live import publish
from bascule.frappe import FrappeError
from bascule.hub import Hub
from bascule.sites.pool import open_site
from bascule.sync.fields import RecordType
from bascule.sync.mapping import Mapped, mapped
from bascule.sync.pairing.likeness import collated, key_of
from bascule.sync.pairing.pairs import Candidate, Proposal, pairs
from bascule.sync.receive.party import AT_ONCE, fetch_many, values_of
from bascule.sync.receive.pull import load
from bascule.sync.setup.settings import may_set_up, the_two_way
from bascule.sync.tables import Link, Match, Record, TwoWay

OTHERS = 5  # documents that are offered where several would fit
DECISIONS = ("pair", "bring", "send", "leave")


async def prepare(hub: Hub, two_way_id: int) -> None:
    """Fills the preview. What goes wrong is told at the two-way sync."""
    async with hub.db.session() as session:
        loaded = await load(session, two_way_id)
        session.expunge_all()
    if loaded is None or loaded[0].status != "matching":
        return
    two_way, connection = loaded
    fields = mapped(two_way)
    try:
        documents = await _documents(hub, two_way, connection, fields)
    except (FrappeError, HubError) as error:
        async with hub.db.session() as session:
            current = await session.get(TwoWay, two_way_id)
            if current is not None:
                current.status, current.last_summary = "off", {}
                current.last_error, current.last_error_step = str(error), error.next_step
                await publish(session, "record", connection_id=connection.id, change="matched")
        return
    async with hub.db.session() as session:
        linked = set(
            await session.scalars(select(Link.document).where(Link.two_way_id == two_way_id))
        )
        records = await unlinked_records(session, connection, fields.type)
        free = [one for one in documents if one.key not in linked]
        decided = await _decided(session, two_way_id)
        await session.execute(delete(Match).where(Match.two_way_id == two_way_id))
        for proposal in [
            *(by_hand := _joined_by_hand(decided, records, free)),
            *pairs(fields.type, *_without(by_hand, records, free)),
        ]:
            row = _row(two_way_id, fields, proposal)
            proposed = row.decision
            row.decision = decided.get((row.record_id, row.document), proposed)
            session.add(row)
            if proposed == "pair" and row.decision != "pair":
                await session.flush()
                await _bring_if_free(session, row)
        current = await session.get(TwoWay, two_way_id)
        if current is not None:
            current.last_summary = {**current.last_summary, "matching": "ready"}
        await publish(session, "record", connection_id=connection.id, change="matched")


Decided = dict[tuple[int | None, str | None], str]


async def _decided(session: AsyncSession, two_way_id: int) -> Decided:
    """What would become of each as of the last look, for who looks again."""
    query = select(Match).where(Match.two_way_id == two_way_id)
    return {
        (one.record_id, one.document): one.decision
        for one in await session.scalars(query)
        if not (one.ambiguous and one.decision == "leave")
    }


def _joined_by_hand(
    decided: Decided, records: Sequence[Candidate], documents: Sequence[Candidate]
) -> list[Proposal]:
    here, there = ({one.key: one for one in side} for side in (records, documents))
    return [
        Proposal(here[record], there[document])
        for (record, document), decision in decided.items()
        if decision == "pair" and record in here and document in there
    ]


def _without(
    joined: Sequence[Proposal], records: Sequence[Candidate], documents: Sequence[Candidate]
) -> tuple[list[Candidate], list[Candidate]]:
    here = {one.record.key for one in joined if one.record}
    there = {one.document.key for one in joined if one.document}
    return (
        [one for one in records if one.key not in here],
        [one for one in documents if one.key not in there],
    )


def _row(two_way_id: int, fields: Mapped, proposal: Proposal) -> Match:
    record, document = proposal.record, proposal.document
    decision = "pair" if record and document else "send" if record else "bring"
    return Match(
        two_way_id=two_way_id,
        record_id=record.key if record else None,
        document=document.key if document else None,
        matched_by=proposal.matched_by,
        ambiguous=proposal.ambiguous,
        there=dict(document.values) if document else {},
        decision="leave" if proposal.ambiguous else decision,
    )


async def _documents(
    hub: Hub, two_way: TwoWay, connection: Connection, fields: Mapped
) -> list[Candidate]:
    found: list[Candidate] = []
    shown = (fields.type.title, fields.type.tax, fields.type.email)
    async with open_site(hub, connection) as site:
        names: list[str] = []
        async for page in site.pages(fields.type.doctype, ("name",)):
            names += [str(name) for (name,) in page.rows()]
        for start in range(0, len(names), AT_ONCE):
            for party in await fetch_many(site, fields, names[start : start + AT_ONCE]):
                values = values_of(fields, party)
                found.append(Candidate(party.name, {n: values.get(n) for n in shown}))
            await _tell_how_far(hub, two_way, len(found), len(names))
    return found


async def _tell_how_far(hub: Hub, two_way: TwoWay, read: int, of: int) -> None:
    async with hub.db.session() as session:
        current = await session.get(TwoWay, two_way.id)
        if current is not None and current.status == "matching":
            current.last_summary = {**current.last_summary, "read": read, "of": of}
        await publish(
            session, "record", connection_id=two_way.connection_id, keep=False, change="matching"
        )


def _unlinked(connection: Connection, kind: RecordType) -> ColumnElement[bool]:
    """Records that may be paired with this connection's documents: nobody's, or its own."""
    private = Record.private_to
    alone = private.is_(None) if connection.shared else private == (connection.owner_id or 0)
    return and_(
        Record.record_type == kind.name,
        Record.deleted_at.is_(None),
        Link.record_id.is_(None),
        or_(Record.connection_id == connection.id, and_(Record.connection_id.is_(None), alone)),
    )


async def unlinked_records(
    session: AsyncSession, connection: Connection, kind: RecordType
) -> list[Candidate]:
    query = (
        select(Record.id, Record.values)
        .outerjoin(Link, Link.record_id == Record.id)
        .where(_unlinked(connection, kind))
        .order_by(Record.id)
    )
    return [Candidate(number, values) for number, values in await session.execute(query)]


async def preview(
    session: AsyncSession,
    two_way: TwoWay,
    *,
    decision: str | None = None,
    after: int = 0,
    limit: int = 100,
) -> list[tuple[Match, Record | None]]:
    query = (
        select(Match, Record)
        .outerjoin(Record, Record.id == Match.record_id)
        .where(Match.two_way_id == two_way.id, Match.id > after)
        .order_by(Match.id)
        .limit(limit)
    )
    if decision is not None:
        query = query.where(Match.decision == decision)
    return [(row[0], row[1]) for row in (await session.execute(query)).all()]


async def preview_counts(session: AsyncSession, two_way: TwoWay) -> dict[str, int]:
    query = (
        select(Match.decision, func.count())
        .where(Match.two_way_id == two_way.id)
        .group_by(Match.decision)
    )
    found = {name: int(count) for name, count in await session.execute(query)}
    return {name: found.get(name, 0) for name in DECISIONS}


async def decide(
    hub: Hub,
    connection: Connection,
    kind: RecordType,
    match_id: int,
    decision: str,
    *,
    by: User | None,
    document: str | None = None,
) -> None:
    """Changes one row of the preview. A record may be paired, sent or left alone; a document that
    no record is paired with is brought. `document`: of the preview's, the one that the record is
    paired with, where another or none was proposed.
    """
    may_set_up(by, connection)
    async with hub.db.session() as session:
        two_way = await the_two_way(session, connection, kind, lock=True)
        match = await session.get(Match, match_id)
        if match is None or match.two_way_id != two_way.id:
            raise Invalid(
                "There is no such row in the preview.",
                next_step="Load the preview again.",
                fields={"id": "is none of the preview's"},
            )
        if document is not None and match.record_id and decision == "pair":
            await _take_document(session, match, document)
        possible = ["send", "leave"] if match.record_id else ["bring"]
        if match.record_id and match.document:
            possible.append("pair")
        if decision not in possible:
            raise Invalid(
                f"This row can be: {', '.join(possible)}.",
                next_step="Choose one of these.",
                fields={"decision": "is none of these"},
            )
        if decision == "pair" and await _paired_with_another(session, match):
            raise Conflict(
                f"{match.document} is paired with another record already.",
                next_step="Take that pair apart first, or send this one.",
            )
        match.decision = decision
        await session.flush()
        if match.record_id and match.document:
            await _bring_if_free(session, match)


async def _take_document(session: AsyncSession, match: Match, document: str) -> None:
    """The document that somebody names takes the place of the one that was proposed."""
    if document == match.document:
        return
    query = select(Match).where(Match.two_way_id == match.two_way_id, Match.document == document)
    named = (await session.scalars(query.limit(1))).first()
    if named is None:
        raise Invalid(
            f"The preview has no document {document}.",
            next_step="Give the name as it is in ERPNext, or look at both sides again.",
            fields={"document": "is none of the preview's"},
        )
    if match.document is not None and match.decision == "pair":
        match.decision = "leave"
        await session.flush()
        await _bring_if_free(session, match)
    match.document, match.there = named.document, named.there
    match.matched_by, match.ambiguous = None, False


async def _bring_if_free(session: AsyncSession, match: Match) -> None:
    """A document that is in no pair is brought, and one that is in one is not."""
    of_it = (Match.two_way_id == match.two_way_id, Match.document == match.document)
    paired = await session.scalar(select(Match.id).where(*of_it, Match.decision == "pair").limit(1))
    brought = (*of_it, Match.decision == "bring")
    if paired is not None:
        await session.execute(delete(Match).where(*brought))
    elif await session.scalar(select(Match.id).where(*brought).limit(1)) is None:
        session.add(
            Match(
                two_way_id=match.two_way_id,
                document=match.document,
                there=match.there,
                decision="bring",
            )
        )
    await session.flush()


async def others_that_fit(
    session: AsyncSession, kind: RecordType, rows: Sequence[tuple[Match, Record | None]]
) -> dict[int, list[str]]:
    """Of each of these rows for which several would fit: the documents of the preview with the same
    tax number, e-mail address or name as the record, but for the one that is proposed; a few.
    """
    doubtful = [(one, record) for one, record in rows if record is not None and one.ambiguous]
    if not doubtful:
        return {}
    of_it = Match.two_way_id == doubtful[0][0].two_way_id
    by_field = {
        one.id: {"tax_id": kind.tax, "email": kind.email}.get(one.matched_by or "", kind.title)
        for one, _ in doubtful
    }
    names: dict[tuple[str, str], list[str]] = {
        (by_field[one.id], _likeness(kind, by_field[one.id], record.values)): []
        for one, record in doubtful
    }
    for field in set(by_field.values()):
        query = select(Match.document, Match.there[field]).where(of_it, Match.document.is_not(None))
        for name, value in await session.execute(query.distinct()):
            fitting = names.get((field, _likeness(kind, field, {field: value})), [])
            fitting.append(str(name))
    return {
        one.id: [
            name
            for name in names[by_field[one.id], _likeness(kind, by_field[one.id], record.values)]
            if name != one.document
        ][:OTHERS]
        for one, record in doubtful
    }


def _likeness(kind: RecordType, field: str, values: Mapping[str, Any]) -> str:
    value = values.get(field)
    return collated(value) if field == kind.title else key_of(kind, field, value)


async def _paired_with_another(session: AsyncSession, match: Match) -> bool:
    query = select(Match.id).where(
        Match.two_way_id == match.two_way_id,
        Match.document == match.document,
        Match.decision == "pair",
        Match.id != match.id,
    )
    return await session.scalar(query.limit(1)) is not None
