"""A record joined with a document that is there, by somebody who knows that the two are one."""

from datetime import UTC, datetime
from uuid import uuid4

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.accounts.tables import User
from bascule.errors import Conflict, Invalid
from bascule.frappe import NotFound
from bascule.hub import Hub
from bascule.sites.pool import open_site
from bascule.sync.fields import RecordType
from bascule.sync.history import add_change
from bascule.sync.mapping import mapped
from bascule.sync.pairing.confirmation import base_of_pair
from bascule.sync.queries import LinkedRecord, find
from bascule.sync.receive.apply_remote import clear_failure
from bascule.sync.receive.party import Party, fetch, values_of
from bascule.sync.receive.pull import load
from bascule.sync.records import (
    chosen_two_way,
    join,
    may_edit,
    name_of,
    new_link,
    queue,
    tell,
)
from bascule.sync.tables import Link, Outbox, Record, TwoWay

NO_DOCUMENT = "Give the name of the document as it is in ERPNext."


async def join_with(
    hub: Hub,
    kind: RecordType,
    record_id: int,
    document: str,
    *,
    by: User | None,
    connector: str | None = None,
) -> LinkedRecord:
    """Both go on as one: each field is merged, and what differs is a conflict, as of any pair.

    Another record that has the document gives it over, and is deleted here: it was the same one
    twice. Conflict: the record has a document, or the other one an edit that is not sent. Invalid:
    the site has no such document.
    """
    may_edit(by)
    two_way, party = await _the_document(hub, kind, record_id, document.strip(), by, connector)
    async with hub.db.session() as session:
        whole = await find(session, kind, record_id, by, lock=True)
        current = await session.get(TwoWay, two_way.id)
        _refuse_joined(whole)
        if current is None or current.status != "on":
            raise Conflict(
                f"Two-way sync of {kind.plural} is not on.", next_step="Turn it on first."
            )
        await _give_over(session, whole, current, party.name, name_of(by))
        await _join(hub, session, whole, current, party, name_of(by))
        await tell(session, whole.record, "changed")
        await session.flush()
        return await find(session, kind, record_id, None)


async def _the_document(
    hub: Hub,
    kind: RecordType,
    record_id: int,
    name: str,
    by: User | None,
    connector: str | None,
) -> tuple[TwoWay, Party]:
    async with hub.db.session() as session:
        whole = await find(session, kind, record_id, by)
        _refuse_joined(whole)
        two_way = whole.two_way or await chosen_two_way(session, kind, by, connector)
        if two_way is None:
            raise Conflict(
                f"{whole.record.title} belongs to no connector.",
                next_step=f"Turn two-way sync of {kind.plural} on for a connector first.",
            )
        loaded = await load(session, two_way.id)
        assert loaded is not None  # noqa: S101 - it was found a moment ago
        session.expunge_all()
    two_way, connection = loaded
    if not name:
        raise Invalid(NO_DOCUMENT, next_step=NO_DOCUMENT, fields={"document": "is needed"})
    async with open_site(hub, connection) as site:
        try:
            return two_way, await fetch(site, kind, name)
        except NotFound:
            raise Invalid(
                f"{connection.name} has no {kind.doctype} {name}.",
                next_step=NO_DOCUMENT,
                fields={"document": f"is no {kind.doctype} there"},
            ) from None


def _refuse_joined(whole: LinkedRecord) -> None:
    link = whole.link
    if whole.record.deleted_at is not None:
        raise Conflict(f"{whole.record.title} is deleted here.", next_step="Restore it first.")
    if link is not None and link.document is not None and link.gone_at is None:
        raise Conflict(
            f"{whole.record.title} is joined with {link.document} already.",
            next_step="Edit that one, or delete the record here and leave the document there.",
        )
    if link is not None and link.state == "sending":
        raise Conflict(
            f"{whole.record.title} is on its way to ERPNext just now.",
            next_step="Wait until it is there, or is told why not.",
        )


async def _give_over(
    session: AsyncSession, whole: LinkedRecord, two_way: TwoWay, document: str, by: str
) -> None:
    """The record that has the document until now, if there is one, goes on without it."""
    query = select(Link.record_id).where(
        Link.two_way_id == two_way.id,
        Link.document == document,
        Link.record_id != whole.record.id,
    )
    number = await session.scalar(query)
    if number is None:
        return
    other = await find(session, None, number, None, lock=True)
    waits = select(Outbox.id).where(Outbox.record_id == number).limit(1)
    if await session.scalar(waits) is not None or other.state == "conflict":
        raise Conflict(
            f"Record {number} has {document} now, with an edit that is not settled.",
            next_step="Settle that one first.",
        )
    await session.delete(other.link)
    if other.record.deleted_at is None:
        other.record.deleted_at = datetime.now(UTC)
        other.record.version += 1
    note = f"{document} is kept the same with record {whole.record.id} now."
    await add_change(session, other.record, "deleted", {}, by=by, note=note)
    await session.flush()
    await tell(session, other.record, "deleted")


async def _take_key(session: AsyncSession, record: Record, key: str) -> None:
    """What stands in the document in the hub's own field is this record's, and no other's."""
    if not key or key == record.key:
        return
    other = await session.scalar(select(Record).where(Record.key == key))
    if other is not None:
        other.key = uuid4().hex
        await session.flush()
    record.key = key


async def _join(
    hub: Hub, session: AsyncSession, whole: LinkedRecord, two_way: TwoWay, party: Party, by: str
) -> None:
    record = whole.record
    await session.execute(delete(Outbox).where(Outbox.record_id == record.id))
    if whole.link is not None:
        clear_failure(whole.link)
        await session.delete(whole.link)
        await session.flush()
    await join(session, record, two_way, by=by)
    await _take_key(session, record, str(party.main.get(two_way.owned_field or "") or ""))
    link = new_link(record, two_way, document=party.name, state="sending")
    link.creation = str(party.main.get("creation") or "") or None
    fields = mapped(two_way)
    link.base = base_of_pair(fields, record, values_of(fields, party))
    session.add(link)
    await session.flush()
    await add_change(session, record, "linked", {}, by=by, note=f"Joined with {party.name}.")
    await queue(hub, session, record, two_way, by=by)
