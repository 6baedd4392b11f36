"""Records as people and applications have them: made, changed, deleted. Never waits for a
site: what has to be sent is in the outbox when the edit is committed, and a job is on its way.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import delete as delete_from
from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.accounts.access import refuse_without
from bascule.accounts.tables import User
from bascule.connections.sharing import seen_by
from bascule.connections.tables import Connection
from bascule.errors import Conflict as NotNow
from bascule.errors import Invalid
from bascule.events.live import publish
from bascule.hub import Hub
from bascule.sync.fields import RecordType, same
from bascule.sync.history import add_change
from bascule.sync.mapping import Mapped, check_values, check_whole, mapped, unmapped
from bascule.sync.permissions import RECORDS_EDIT
from bascule.sync.queries import LinkedRecord, find
from bascule.sync.tables import Conflict, Link, Outbox, Record, TwoWay

MACHINE = "the hub's machine"
BEHIND = -1  # priority of jobs that are started many at a time


async def chosen_two_way(
    session: AsyncSession, kind: RecordType, viewer: User | None, connector: str | None
) -> TwoWay | None:
    """Where a new record belongs: the connection named, else the only one on which two-way sync
    is on; None where there is none. Invalid: there are several and none is named.
    """
    query = (
        select(TwoWay, Connection)
        .join(Connection, Connection.id == TwoWay.connection_id)
        .where(TwoWay.record_type == kind.name, TwoWay.status == "on", seen_by(viewer))
        .order_by(Connection.slug)
    )
    found = (await session.execute(query)).all()
    if connector is not None:
        for two_way, connection in found:
            if connector in (connection.slug, str(connection.id)):
                return two_way
        raise Invalid(
            f"{kind.label} are not kept the same with a connector {connector!r}.",
            next_step=f"Turn two-way sync of {kind.plural} on for it, or leave 'connector' out.",
            fields={"connector": "has no two-way sync of these records"},
        )
    if len(found) > 1:
        slugs = ", ".join(connection.slug for _, connection in found)
        raise Invalid(
            f"{kind.label} are kept the same with several sites: say which this one belongs to.",
            next_step=f"Name one as 'connector': {slugs}.",
            fields={"connector": "is needed, because there are several"},
        )
    return found[0][0] if found else None


async def create(
    hub: Hub,
    kind: RecordType,
    values: Mapping[str, Any],
    *,
    by: User | None,
    connector: str | None = None,
) -> LinkedRecord:
    """Saved, and on its way to ERPNext where two-way sync is on. Invalid names each field."""
    may_edit(by)
    async with hub.db.session() as session:
        two_way = await chosen_two_way(session, kind, by, connector)
        fields = mapped(two_way) if two_way else unmapped(kind)
        given = check_values(fields, values)
        whole = fields.completed(given)
        needed = {one.name for one in fields.fields if one.needed}
        check_whole(fields, whole, given=set(given) | needed)
        record = new_record(
            kind, fields, whole, two_way.connection_id if two_way else None, name_of(by)
        )
        # Defaults are nobody's edits.
        record.edited = edits_of([name for name in given if name in whole], record.updated_by)
        session.add(record)
        await session.flush()
        if two_way is not None:
            session.add(new_link(record, two_way, state="sending"))
            await session.flush()
            await queue(hub, session, record, two_way, by=record.updated_by)
        await add_change(session, record, "here", {n: (None, v) for n, v in whole.items()})
        await tell(session, record, "created")
        return await _whole(session, record)


async def change(
    hub: Hub,
    kind: RecordType,
    record_id: int,
    values: Mapping[str, Any],
    *,
    by: User | None,
    version: int | None = None,
    document: str | None = None,
) -> LinkedRecord:
    """Changes what is named and leaves the rest. Conflict: somebody changed it since `version`, or
    it is kept the same with another document than this.
    """
    may_edit(by)
    async with hub.db.session() as session:
        whole = await find(session, kind, record_id, by, lock=True)
        record, fields = whole.record, whole.fields
        if version is not None and version != record.version:
            raise NotNow(
                f"{record.title} was changed meanwhile: it is at version {record.version} now.",
                next_step="Read it again and repeat the change on what is there now.",
            )
        _refuse_another(whole, document)
        given = check_values(fields, values)
        new = {
            name: value
            for name, value in given.items()
            if not same(fields.by_name[name], record.values.get(name), value)
        }
        usual = fields.defaults_of_new_parts(record.values, {**record.values, **given})
        unread = whole.unread  # neither new nor empty: it has values that nobody knows
        new |= {n: value for n, value in usual.items() if n not in given and n not in unread}
        after = {**record.values, **new}
        check_whole(fields, after, given=set(new) - unread)
        if not new:
            return await _whole(session, record)
        before = {name: record.values.get(name) for name in new}
        set_values(record, fields, after, by=name_of(by))
        said = [name for name in new if name in given]  # defaults are nobody's edits
        record.edited = {**record.edited, **edits_of(said, record.updated_by)}
        await add_change(session, record, "here", {name: (before[name], new[name]) for name in new})
        if whole.link is not None and whole.two_way is not None:
            await queue(hub, session, record, whole.two_way, by=record.updated_by)
            whole.link.wrong = {n: w for n, w in whole.link.wrong.items() if n not in new}
        await tell(session, record, "changed")
        return await _whole(session, record)


def _refuse_another(whole: LinkedRecord, document: str | None) -> None:
    own = whole.link.document if whole.link else None
    if document and document != own:
        told = f"is kept the same with {own}" if own else "has no document in ERPNext"
        raise NotNow(
            f"{whole.record.title} {told}, and not with {document}.",
            next_step="Leave 'erpnextId' out, or join the record with that document.",
        )


async def delete(
    hub: Hub, kind: RecordType, record_id: int, *, by: User | None, there: str | None = None
) -> LinkedRecord:
    """Gone from the lists here; it can be restored. `there`: disable, delete or keep the document,
    else as its two-way sync says.
    """
    may_edit(by)
    async with hub.db.session() as session:
        whole = await find(session, kind, record_id, by, lock=True)
        record, link, two_way = whole.record, whole.link, whole.two_way
        if record.deleted_at is not None:
            return whole
        record.deleted_at = datetime.now(UTC)
        record.version += 1
        record.updated_at, record.updated_by = record.deleted_at, name_of(by)
        await add_change(session, record, "deleted", {})
        if link is not None and two_way is not None:
            what = there or two_way.on_delete
            if what == "disable" and record.values.get("active"):
                record.values = {**record.values, "active": False}
                record.edited = {**record.edited, **edits_of(["active"], record.updated_by)}
                await add_change(session, record, "here", {"active": (True, False)})
            operation = "delete" if what == "delete" else "save" if link.document else "withdraw"
            if what != "keep" or operation == "withdraw":
                by_whom = record.updated_by
                await queue(hub, session, record, two_way, by=by_whom, operation=operation)
        await tell(session, record, "deleted")
        return await _whole(session, record)


async def send_anew(
    hub: Hub, kind: RecordType, record_id: int, *, by: User | None, connector: str | None = None
) -> LinkedRecord:
    """Lets a record that is kept here alone be made in ERPNext. Conflict: it has a document, or no
    connector has two-way sync of these records on.
    """
    may_edit(by)
    async with hub.db.session() as session:
        whole = await find(session, kind, record_id, by, lock=True)
        record = whole.record
        two_way = await chosen_two_way(session, kind, by, connector)
        if whole.link is not None or two_way is None:
            why = "is sent already" if whole.link else "belongs to no connector"
            raise NotNow(
                f"{record.title} {why}.",
                next_step=f"Turn two-way sync of {kind.plural} on for a connector, or look at how "
                "its send stands.",
            )
        check_whole(mapped(two_way), record.values, given=set(record.values))
        await join(session, record, two_way, by=name_of(by))
        session.add(new_link(record, two_way, state="sending"))
        await session.flush()
        await queue(hub, session, record, two_way, by=name_of(by))
        await tell(session, record, "state")
        return await _whole(session, record)


# What the engine does with records


async def join(session: AsyncSession, record: Record, two_way: TwoWay, *, by: str) -> None:
    """It belongs to this connection from now on. Of one that belonged to none the defaults that
    nobody chose become the connection's.
    """
    fields = mapped(two_way)
    usual = {one.name: one.default for one in fields.type.fields}
    changes = {
        one.name: (record.values[one.name], one.default)
        for one in fields.fields
        if record.connection_id is None
        and one.name not in record.edited
        and record.values.get(one.name) is not None
        and same(one, record.values[one.name], usual.get(one.name))
        and not same(one, record.values[one.name], one.default)
    }
    record.connection_id = two_way.connection_id
    # With a connection that is deleted, what was undecided about it ended.
    await session.execute(
        update(Conflict)
        .where(Conflict.record_id == record.id, Conflict.settled_at.is_(None))
        .values(settled_at=datetime.now(UTC), settled_by=by, choice="ended")
    )
    if changes:
        after = {**record.values, **{name: new for name, (_, new) in changes.items()}}
        set_values(record, fields, after, by=by)
        note = "Nobody chose it, so it is the default of the connector."
        await add_change(session, record, "here", changes, by=by, note=note)


async def keep_here_alone(
    session: AsyncSession, whole: LinkedRecord, *, by: str, note: str
) -> None:
    """No site is told of it any more, and none has it."""
    await session.execute(delete_from(Outbox).where(Outbox.record_id == whole.record.id))
    await session.delete(whole.link)
    await add_change(session, whole.record, "gave_up", {}, by=by, note=note)
    await session.flush()


def new_record(
    kind: RecordType,
    fields: Mapped,
    values: dict[str, Any],
    connection_id: UUID | None,
    by: str,
) -> Record:
    record = Record(record_type=kind.name, connection_id=connection_id, version=0, edited={})
    set_values(record, fields, values, by=by)
    return record


def new_link(record: Record, two_way: TwoWay, **values: Any) -> Link:
    return Link(record_id=record.id, two_way_id=two_way.id, **values)


def set_values(record: Record, fields: Mapped, values: dict[str, Any], *, by: str) -> None:
    """A new version of it, with what it is called and found by."""
    record.values = values
    record.title = str(values.get(fields.type.title) or "")
    texts = [str(values[f.name]) for f in fields.fields
             if f.kind not in ("flag", "long") and values.get(f.name) is not None]  # fmt: skip
    record.search = " ".join(texts).lower()
    record.version += 1
    record.updated_at, record.updated_by = datetime.now(UTC), by


async def queue(
    hub: Hub,
    session: AsyncSession,
    record: Record,
    two_way: TwoWay,
    *,
    by: str,
    operation: str = "save",
) -> None:
    """What has to be sent commits with the edit, and so does the job that sends it."""
    link = await session.get(Link, record.id)
    if link is None or two_way.status == "off":
        return
    session.add(
        Outbox(
            record_id=record.id,
            two_way_id=two_way.id,
            operation=operation,
            version=record.version,
            by=by,
        )
    )
    if link.state in ("in_sync", "attention", "waiting"):
        link.state = "sending"
    link.retry_at = None
    await session.flush()
    await start(hub, session, record.id)


async def start(hub: Hub, session: AsyncSession, *record_ids: int) -> None:
    """One job at a time for a record, in order; one that waits is enough. Of many each lets what
    people do meanwhile go first.
    """
    await hub.jobs.defer_each(
        "twoway.send",
        {f"record:{number}": {"record_id": number} for number in record_ids},
        connection=session,
        priority=0 if len(record_ids) == 1 else BEHIND,
    )


async def start_again(hub: Hub, session: AsyncSession, record_ids: Sequence[int]) -> None:
    """Those that waited for something: however many, in two statements."""
    await session.execute(
        text(
            "UPDATE bascule.links SET state = 'sending', retry_at = NULL"
            " WHERE record_id = ANY(:numbers)"
        ),
        {"numbers": list(record_ids)},
    )
    await start(hub, session, *record_ids)


async def tell(session: AsyncSession, record: Record, change: str) -> None:
    await publish(
        session,
        "record",
        connection_id=record.connection_id,
        private_to=record.private_to,
        record_id=record.id,
        record_type=record.record_type,
        version=record.version,
        change=change,
    )


async def _whole(session: AsyncSession, record: Record) -> LinkedRecord:
    await session.flush()
    return await find(session, None, record.id, None)


def edits_of(names: Iterable[str], by: str) -> dict[str, Any]:
    """What `Record.edited` says of fields that somebody changed just now."""
    at = datetime.now(UTC).isoformat()
    return {name: {"at": at, "by": by} for name in names}


def name_of(by: User | None) -> str:
    return by.username if by else MACHINE


def may_edit(by: User | None) -> None:
    if by is not None:
        refuse_without(RECORDS_EDIT, by)
