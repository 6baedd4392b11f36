"""A deletion taken back, here and, where the hub carried it out there, in ERPNext too."""

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.accounts.tables import User
from bascule.hub import Hub
from bascule.sync.fields import RecordType
from bascule.sync.history import add_change
from bascule.sync.queries import LinkedRecord, find
from bascule.sync.records import edits_of, may_edit, name_of, new_link, queue, set_values, tell
from bascule.sync.tables import Change, Outbox

GONE = ("gone", "merged", "deleted_there")  # origins of steps; see `history`


async def restore(hub: Hub, kind: RecordType, record_id: int, *, by: User | None) -> LinkedRecord:
    """Takes a deletion here back, and makes the record active again."""
    may_edit(by)
    async with hub.db.session() as session:
        whole = await find(session, kind, record_id, by, lock=True)
        record, two_way, who = whole.record, whole.two_way, name_of(by)
        if record.deleted_at is None:
            return whole
        if whole.link is not None and await was_deleted_by_us(session, whole):
            await make_again(hub, session, whole, who)
        else:
            record.deleted_at = None
            before = record.values.get("active")
            set_values(record, whole.fields, {**record.values, "active": True}, by=who)
            record.edited = {**record.edited, **edits_of(["active"], who)}
            await add_change(session, record, "restored", {"active": (before, True)})
            if two_way is not None:
                await queue(hub, session, record, two_way, by=who)
        await tell(session, record, "changed")
        await session.flush()
        return await find(session, None, record.id, None)


async def was_deleted_by_us(session: AsyncSession, whole: LinkedRecord) -> bool:
    """Whether its document is gone because somebody deleted the record here."""
    if whole.link is None or whole.link.gone_at is None:
        return False
    query = select(Change.origin).where(
        Change.record_id == whole.record.id, Change.origin.in_(GONE)
    )
    return await session.scalar(query.order_by(Change.id.desc()).limit(1)) == "deleted_there"


async def make_again(hub: Hub, session: AsyncSession, whole: LinkedRecord, by: str) -> None:
    """A document that is gone is made anew, of a record whose row is locked."""
    record, link, two_way = whole.record, whole.link, whole.two_way
    assert link is not None and two_way is not None  # noqa: S101 - it had a document
    await session.execute(delete(Outbox).where(Outbox.record_id == record.id))
    await session.delete(link)
    await session.flush()
    session.add(new_link(record, two_way, state="sending", creation=link.creation))
    record.deleted_at = None
    set_values(record, whole.fields, {**record.values, "active": True}, by=by)
    await add_change(session, record, "restored", {}, by=by, note="To be made in ERPNext again.")
    await session.flush()
    await queue(hub, session, record, two_way, by=by)
