"""Documents of a site brought into records: those that are known, new ones, and those that are not
where they were. Which documents, and why, is `pulling`'s.
"""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.connections.tables import Connection
from bascule.frappe import Invalid, Site
from bascule.hub import Hub
from bascule.sync.history import add_change
from bascule.sync.mapping import Mapped, mapped, unchecked
from bascule.sync.queries import LinkedRecord, find
from bascule.sync.receive import renames
from bascule.sync.receive.apply_remote import (
    SITE,
    RemoteSnapshot,
    ahead_of_us,
    apply_remote,
    clock_of,
    refresh_state,
    told,
)
from bascule.sync.receive.party import AT_ONCE, UNREAD, Party, fetch_many, values_of
from bascule.sync.receive.restored_site import agreed_later, are_restored, was_deleted
from bascule.sync.records import new_link, new_record, queue, tell
from bascule.sync.send import create
from bascule.sync.send.plan import is_as_agreed
from bascule.sync.setup import site_fields
from bascule.sync.setup.masks import refuse_masked, refuse_what_looks_masked
from bascule.sync.tables import Link, Record, TwoWay


@dataclass
class ImportSummary:
    """What a look at the site brought. `looked_at`: documents whose time of change was read;
    `fetched`: those of them that were not known as they are; `unchanged`: all the others, and
    those that were fetched and are as they were.
    """

    looked_at: int = 0
    fetched: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    deleted: int = 0
    renamed: int = 0
    conflicts: int = 0

    def told(self) -> dict[str, int]:
        return asdict(self)


@dataclass
class ImportContext:
    hub: Hub
    site: Site
    connection: Connection
    two_way: TwoWay
    source: str
    summary: ImportSummary
    restored: bool = False  # the site turned out to be in an older state than was agreed on

    @property
    def fields(self) -> Mapped:
        return mapped(self.two_way)

    @property
    def doctype(self) -> str:
        return self.fields.type.doctype


async def import_remote(work: ImportContext, names: Sequence[str]) -> list[str]:
    """Fetches these documents and takes them in. Those that have to be looked at again later: a
    send of ours that is not over yet may be what made them.
    """
    later: list[str] = []
    policies = {work.two_way.policy, *work.two_way.field_policies.values()}
    zone = work.connection.time_zone
    ahead = {"ahead": await ahead_of_us(work.site, zone)} if names and "newest" in policies else {}
    for start in range(0, len(names), AT_ONCE):
        some = list(names[start : start + AT_ONCE])
        started = await clock_of(work.hub)
        found = await _fetched(work, some)
        there = {party.name for party in found}
        await not_there(work, [name for name in some if name not in there])
        parties, older = await _not_as_agreed(work, found, started)
        work.restored = work.restored or await are_restored(work.site, older.values())
        work.summary.fetched += len(parties)
        work.summary.unchanged += len(found) - len(parties)
        links = await links_to(work, {party.name for party in parties})
        for party in parties:
            doubt = work.restored and older.get(party.name) is not None
            seen = RemoteSnapshot(party, started, work.source, zone, doubt=doubt, **ahead)
            number = await _by_key(work, party)
            if number is None and party.name in links:
                number = await _whose_name(work, links[party.name], party)
            number = number or await _whose(work, party)
            if number is not None:
                await _take_known(work, number, seen)
            elif await _is_on_its_way(work, party):
                later.append(party.name)
            elif not await _was_made_anew(work, party):
                await _take_new(work, seen)
    return later


async def _not_as_agreed(
    work: ImportContext, parties: list[Party], started: datetime
) -> tuple[list[Party], dict[str, str | None]]:
    """Without those that are, value by value, what both sides last agreed on: nothing is written
    for them. And of each what was agreed on later than it tells of, see `restored`; not by an
    answer that came since it was asked for (`started`).
    """
    async with work.hub.db.session() as session:
        query = select(Link).where(
            Link.two_way_id == work.two_way.id,
            Link.document.in_([party.name for party in parties]),
        )
        links = {str(link.document): link for link in await session.scalars(query)}
        session.expunge_all()
    fields = work.fields
    found = [
        party
        for party in parties
        if (link := links.get(party.name)) is None
        or renames.is_another(link, party.main)
        or not is_as_agreed(fields, link, party)
    ]
    older = {
        party.name: agreed_later(link, party)
        for party in found
        if (link := links.get(party.name))
        and (link.seen_at is None or started > link.seen_at)
        and not renames.is_another(link, party.main)
    }
    return found, older


async def _fetched(work: ImportContext, names: list[str]) -> list[Party]:
    """A field that is mapped may have gone from the site: then it is looked again what is there.
    What the hub's user may not read is told, and no value that is masked is taken for one.
    """
    await refuse_masked(work.site, work.connection, work.fields)
    try:
        found = await fetch_many(work.site, work.fields, names, more=_own(work))
    except Invalid:
        found = await _fetched_anew(work, names)
    documents = [document for party in found for document in party.documents.values()]
    await refuse_what_looks_masked(work.site, work.connection, work.fields, documents)
    unread = {column for document in documents for column in document[UNREAD]}
    if unread:
        await _look_again(work, unread)
    return found


async def _fetched_anew(work: ImportContext, names: list[str]) -> list[Party]:
    await _look_again(work)
    return await fetch_many(work.site, work.fields, names, more=_own(work))


async def _look_again(work: ImportContext, unread: Collection[str] = ()) -> None:
    """What the site can hold, and the hub's user may read and write. `unread`: columns that were
    asked for and not given, whatever the definition says.
    """
    found = await site_fields.look(work.site, unchecked(work.two_way))
    for one in work.fields.synced():
        if one.place and one.place.field in unread:
            why = f"The site does not give {one.place} to the hub's user."
            found.cannot_hold.setdefault(one.name, why)
    async with work.hub.db.session() as session:
        current = await session.get(TwoWay, work.two_way.id, with_for_update=True)
        if current is not None:
            current.cannot_hold = work.two_way.cannot_hold = found.cannot_hold
            if found.is_read:
                current.owned_field = work.two_way.owned_field = found.own_field


def _own(work: ImportContext) -> list[str]:
    return [work.two_way.owned_field] if work.two_way.owned_field else []


async def _whose_name(work: ImportContext, number: int, party: Party) -> int | None:
    """The record that is linked to a document of this name, if it is this one. It is not where its
    own was renamed, which is followed, and somebody made this one under the name that was free.
    """
    async with work.hub.db.session() as session:
        whole = await find(session, None, number, None)
        session.expunge_all()
    before = whole.link
    if before is None or before.document != party.name:
        return None
    if not renames.is_another(before, party.main):
        return number
    new = await renames.find_renamed(work.site, whole)
    if new is None or new == party.name:
        return number  # its own was deleted, and this was made in its place
    async with work.hub.db.session() as session:
        whole = await find(session, None, number, None, lock=True)
        if whole.link is None or not renames.is_as_it_was(whole.link, before):
            return None
        if await renames.follow_rename(session, whole, new):
            work.summary.renamed += 1
        else:
            whole.link.document = None
            work.summary.deleted += 1
    return None


async def links_to(work: ImportContext, names: set[str]) -> dict[str, int]:
    async with work.hub.db.session() as session:
        query = select(Link.document, Link.record_id).where(
            Link.two_way_id == work.two_way.id, Link.document.in_(names)
        )
        return {str(name): int(number) for name, number in await session.execute(query)}


async def _take_known(work: ImportContext, number: int, seen: RemoteSnapshot) -> None:
    async with work.hub.db.session() as session:
        whole = await find(session, None, number, None, lock=True)
        if whole.link is None and whole.record.connection_id == work.connection.id:
            whole = await _made_after_all(session, work, whole)
        link = whole.link
        if link is None or whole.two_way is None:
            return
        waited = link.remedy == renames.GONE.remedy
        if link.document != seen.party.name:
            await create.free_name(session, link, seen.party.name)
            if link.document is None:
                link.create_begun_at = link.create_seen_from = None
                link.document = seen.party.name
                await add_change(session, whole.record, "linked", {}, note=seen.party.name)
            else:
                await renames.renamed(session, whole, seen.party.name)
                work.summary.renamed += 1
        if link.gone_at is not None:
            await renames.is_back(session, link)
            await add_change(session, whole.record, "back", {}, note="It is in ERPNext again.")
        before, withheld = whole.state, set(link.withheld)
        taken = await apply_remote(session, whole, seen)
        waited = waited or (before == "attention" and bool(withheld - set(link.withheld)))
        if waited or (taken.plan and before != "attention"):
            await queue(work.hub, session, whole.record, whole.two_way, by="", operation="save")
        await refresh_state(session, link)
        await told(session, whole, taken)
        work.summary.conflicts += len(taken.merged.clashes)
        if taken.changed:
            work.summary.updated += 1
        else:
            work.summary.unchanged += 1


async def _made_after_all(
    session: AsyncSession, work: ImportContext, whole: LinkedRecord
) -> LinkedRecord:
    """Its create was given up when nobody could tell that it would still arrive."""
    link = new_link(whole.record, work.two_way, create_title=whole.record.title)
    session.add(link)
    await session.flush()
    return await find(session, None, whole.record.id, None)


async def _take_new(work: ImportContext, seen: RemoteSnapshot) -> None:
    """A document that no record is linked to: a new record."""
    fields, party = work.fields, seen.party
    values = {one.name: None for one in fields.fields} | values_of(fields, party)
    try:
        async with work.hub.db.session() as session:
            by = str(party.main.get("modified_by") or SITE)
            record = new_record(fields.type, fields, values, work.connection.id, by)
            key = _key_of(work, party)
            if key and not await _is_known(session, key):
                record.key = key
            session.add(record)
            await session.flush()
            session.add(new_link(record, work.two_way, document=party.name))
            await session.flush()
            whole = await find(session, None, record.id, None)
            await apply_remote(session, whole, seen)
            changes = {name: (None, value) for name, value in values.items() if value is not None}
            await add_change(session, record, "erpnext", changes, by=by, note=seen.source)
            await tell(session, record, "created")
    except IntegrityError:  # somebody was faster, with the same document
        return
    work.summary.created += 1


async def _is_known(session: AsyncSession, key: str) -> bool:
    """Whether a record has this key: then the document is a copy of that one's."""
    return await session.scalar(select(Record.id).where(Record.key == key)) is not None


def _key_of(work: ImportContext, party: Party) -> str:
    return str(party.main.get(work.two_way.owned_field or "") or "")


async def _was_made_anew(work: ImportContext, party: Party) -> bool:
    """Whether a record goes on with another document in this one's stead, which was deleted since
    it was fetched. (If it is there still, it is a copy of that one, key and all.)
    """
    key = _key_of(work, party)
    async with work.hub.db.session() as session:
        if not key or not await _is_known(session, key):
            return False
    rows = await work.site.list(
        work.doctype, ("creation",), filters=[["name", "=", party.name]], limit=1
    )
    return not rows or str(rows[0]["creation"]) != str(party.main["creation"])


async def _by_key(work: ImportContext, party: Party) -> int | None:
    """The record that has this one's key and no document: it has not heard of its create, or gave
    that up, or its document was renamed away from a name that another took. This one's name may be
    one that the document of another record had, which is gone.
    """
    key = _key_of(work, party)
    if not key:
        return None
    async with work.hub.db.session() as session:
        query = (
            select(Record.id)
            .outerjoin(Link, Link.record_id == Record.id)
            .where(
                Record.key == key,
                Record.record_type == work.fields.type.name,
                Record.connection_id == work.connection.id,
                Link.document.is_(None),
            )
        )
        found: int | None = await session.scalar(query)
    return found


async def _whose(work: ImportContext, party: Party) -> int | None:
    """The record whose document this is, though it is not called as it was: it was renamed, or the
    answer that would have told its name was lost.
    """
    key = _key_of(work, party)
    born = str(party.main.get("creation") or "")
    async with work.hub.db.session() as session:
        of_it = select(Link.record_id, Link.document, Link.creation).where(
            Link.two_way_id == work.two_way.id
        )
        by_key = of_it.join(Record, Record.id == Link.record_id).where(Record.key == key)
        rows = (await session.execute(by_key)).all()
        if not rows and born:
            rows = (await session.execute(of_it.where(Link.creation == born))).all()
    if len(rows) != 1:
        return None
    number, old, creation = rows[0]
    if old is not None and old != party.name:
        still = await work.site.list(
            work.doctype, ("name", "creation"), filters=[["name", "=", old]], limit=1
        )
        if still and creation in (None, str(still[0]["creation"])):
            return None  # a copy of it, and no new name
    return int(number)


async def _is_on_its_way(work: ImportContext, party: Party) -> bool:
    """Whether a send of ours may be what made this one, and has not heard of it yet."""
    if work.two_way.owned_field:
        return False  # it would have our key, and be known by it
    title = next(f for f in work.fields.fields if f.name == work.fields.type.title)
    named = values_of(work.fields, party).get(title.name)
    async with work.hub.db.session() as session:
        query = select(Link.record_id).where(
            Link.two_way_id == work.two_way.id,
            Link.document.is_(None),
            Link.create_begun_at.is_not(None),
            Link.create_title == named,
        )
        return await session.scalar(query.limit(1)) is not None


async def not_there(work: ImportContext, names: list[str]) -> None:
    """Documents that are not there: renamed, merged into others, or deleted."""
    for name, number in (await links_to(work, set(names))).items():
        async with work.hub.db.session() as session:
            whole = await find(session, None, number, None)
            session.expunge_all()
        before = whole.link
        if before is None or before.document != name or before.gone_at is not None:
            continue
        new = await renames.find_renamed(work.site, whole)
        into = None if new else await renames.merged_into(work.site, whole)
        told = bool(new or into) or await was_deleted(work.site, work.doctype, name)
        lost = told is False or (told is None and work.restored)
        async with work.hub.db.session() as session:
            whole = await find(session, None, number, None, lock=True)
            if not renames.is_as_it_was(whole.link, before):
                continue
            if lost:
                await renames.mark_missing(session, whole)
            elif await renames.follow_rename(session, whole, new, into=into):
                work.summary.renamed += 1
                continue
            work.summary.deleted += 1
