"""An edit on its way to the site: what differs is written, on the condition that the site has what
both sides last agreed on; else it is read first, merged, and what differs then is written.

One job a record at a time. Everything before and after a write is committed, so a job that is
killed anywhere is simply done again: an update that had arrived is found to be there, and a create
is looked for before it is repeated (see `creating`).

What the newest row of a record's outbox asks for:

    save        the site has what the record has
    delete      the document is not there any more
    withdraw    what was not made yet is not made; if it was after all, as `save`
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.connections import circuit
from bascule.connections.circuit import pause
from bascule.connections.tables import Connection
from bascule.errors import NoSuch
from bascule.frappe import ChangedMeanwhile, FrappeError, NotFound, Site
from bascule.hub import Hub
from bascule.sites.pool import open_site
from bascule.sync.history import add_change
from bascule.sync.mapping import Mapped
from bascule.sync.queries import LinkedRecord, find
from bascule.sync.receive import renames
from bascule.sync.receive.apply_remote import (
    RemoteSnapshot,
    apply_remote,
    clear_failure,
    conflicts_open,
    is_fresh,
    is_on,
    now,
    refresh_state,
    told,
)
from bascule.sync.receive.party import fetch
from bascule.sync.receive.restored_site import agreed_later, are_restored
from bascule.sync.receive.withheld import trouble_of_kept_back
from bascule.sync.records import MACHINE, keep_here_alone, tell
from bascule.sync.send import create
from bascule.sync.send.failures import SendFailure, failure_of
from bascule.sync.send.not_kept import note_not_kept_of_new
from bascule.sync.send.plan import plan_of
from bascule.sync.send.wake import wake
from bascule.sync.send.work import Sending
from bascule.sync.send.write import WritingFailed, ahead, write
from bascule.sync.setup.masks import refuse_masked, refuse_what_looks_masked
from bascule.sync.tables import Change, Outbox
from bascule.telemetry import count

log = logging.getLogger(__name__)
IN_A_ROW = 20  # edits of one record, before the others have their turn
NEVER_OVER = SendFailure(
    "busy",
    f"It was sent {IN_A_ROW} times in a row, and there is more to send.",
    "It goes on by itself in a moment.",
    again=True,
)
ROUNDS = 6  # of reading and writing, where others save the same document meanwhile


async def send(hub: Hub, record_id: int) -> None:
    """Brings the site to what the record is. What goes wrong is told at the record."""
    for left in reversed(range(IN_A_ROW)):
        if (begun := await _begin(hub, record_id)) is None:
            return
        async with open_site(hub, begun.connection) as site:
            work = _work(hub, site, begun)
            trouble = await _do(work, begun)
        count(
            "sends",
            connection=begun.connection.slug,
            record_type=begun.whole.record.record_type,
            outcome=trouble.remedy if trouble is not None else "sent",
        )
        if trouble is None and not left and await _is_left(work):
            trouble = NEVER_OVER
        if trouble is not None:
            await _went_wrong(work, trouble)
            return


@dataclass(frozen=True)
class Begun:
    whole: LinkedRecord
    connection: Connection
    up_to: int
    operation: str
    by: str
    in_conflict: set[str]
    clock: datetime


async def _do(work: Sending, begun: Begun) -> SendFailure | None:
    try:
        await refuse_masked(work.site, work.connection, work.fields)
        if begun.operation != "save" and work.link.document is None:
            await _withdraw(work)
        elif begun.operation == "delete":
            return await _delete_there(work, begun.by)
        else:
            await _bring_there(work)
            return work.refusal_of_all() or await trouble_of_kept_back(work)
    except WritingFailed as failed:
        return failure_of(failed.error, work.fields, failed.part)
    except FrappeError as error:
        return failure_of(error, work.fields)
    return None


def _work(hub: Hub, site: Site, begun: Begun) -> Sending:
    return Sending(
        hub, site, begun.whole, begun.connection, begun.up_to, begun.in_conflict, begun.clock
    )


async def _begin(hub: Hub, record_id: int) -> Begun | None:
    """What there is to send, if it may be sent now. None: nothing, or not now."""
    async with hub.db.session() as session:
        try:
            whole = await find(session, None, record_id, None, lock=True)
        except NoSuch:  # gone with its connection
            return None
        link, connection = whole.link, whole.connection
        query = select(Outbox).where(Outbox.record_id == record_id).order_by(Outbox.id)
        rows = list((await session.scalars(query)).all())
        if link is None or connection is None or not rows or not is_on(whole.two_way):
            if link is not None:
                await refresh_state(session, link)
            return None
        if link.gone_at is not None:
            if whole.record.deleted_at is None:
                lost = link.remedy == renames.LOST.remedy
                await _tell_trouble(session, whole, renames.LOST if lost else renames.GONE)
            else:  # gone on both sides
                await session.execute(delete(Outbox).where(Outbox.record_id == record_id))
                clear_failure(link)
                await refresh_state(session, link)
            return None
        shut = (await circuit.enter(session, connection)).shut
        if shut is not None:
            link.state, link.retry_at = "waiting", shut.open_until
            link.why, link.next_step, link.remedy = shut.why, shut.next_step, "down"
            await tell(session, whole.record, "state")
            return None
        if link.state != "sending":
            link.state = "sending"
            await tell(session, whole.record, "state")
        link.retry_at = None
        in_conflict = set(await conflicts_open(session, whole.record))
        clock = await now(session)
        await session.flush()
        session.expunge_all()
    last = rows[-1]
    return Begun(whole, connection, last.id, last.operation, last.by, in_conflict, clock)


async def _is_left(work: Sending) -> bool:
    async with work.hub.db.session() as session:
        waits = select(Outbox.id).where(Outbox.record_id == work.record_id).limit(1)
        return await session.scalar(waits) is not None


async def _bring_there(work: Sending) -> None:
    """Until the site has all that the record has."""
    link = work.link
    plan = plan_of(work.fields, work.whole.record, link, work.held)
    fresh, to_read = False, "main" not in link.modified or bool(plan.kept_back)
    if link.document is None:
        fresh, to_read = await create.create_there(work), True
    for _ in range(ROUNDS):
        if to_read:
            seen = await _read(work)
            # Somebody may have edited it between our create and this.
            fresh = fresh and seen is not None and is_fresh(seen.party.main)
            if seen is not None and fresh:
                await note_not_kept_of_new(work, seen)
            if seen is None or await _take(work, seen, fresh=fresh):
                return
            fresh = False
        try:
            seen = await write(work)
        except WritingFailed as failed:
            if not isinstance(failed.error, ChangedMeanwhile | NotFound):
                raise
            to_read = True
            continue
        if seen is None:
            to_read = True
        elif await _take(work, seen):
            return
        else:
            to_read = False
    raise ChangedMeanwhile(
        "Somebody saved the document each time before this edit could be.",
        next_step="It is tried again by itself in a moment.",
    )


async def _read(work: Sending) -> RemoteSnapshot | None:
    """None: the document is not there any more, and that is told at the record."""
    kind, zone, started = work.fields.type, work.connection.time_zone, work.clock
    name = str(work.link.document)
    try:
        async with work.record_read(f"{kind.doctype} {name}"):
            party = await fetch(work.site, kind, name)
    except NotFound:
        party = None
    if party is None or renames.is_another(work.link, party.main):
        before, new = work.link, await renames.find_renamed(work.site, work.whole)
        if party is None or new not in (None, name):
            async with work.recording() as (session, whole):
                if not renames.is_as_it_was(whole.link, before):
                    raise ChangedMeanwhile(
                        f"{name} is not this record's document any more.",
                        next_step="It is looked at again by itself in a moment.",
                    )
                if not await renames.follow_rename(session, whole, new):
                    await _answered(session, work)
                    return None
            return await _read(work)
    documents = party.documents.values()
    await refuse_what_looks_masked(work.site, work.connection, work.fields, documents)
    agreed = agreed_later(work.link, party)
    doubt = agreed is not None and await are_restored(work.site, [agreed])
    return RemoteSnapshot(party, started, "send", zone, doubt=doubt, **await ahead(work))


async def _take(work: Sending, seen: RemoteSnapshot, *, fresh: bool = False) -> bool:
    """Merges what the site has; whether nothing is left to be sent, and so all is over."""
    async with work.recording() as (session, whole):
        taken = await apply_remote(session, whole, seen, fresh=fresh, held=work.refused)
        work.kept_back = taken.plan.kept_back
        if taken.plan:
            await told(session, whole, taken)
            work.in_conflict = set(await conflicts_open(session, whole.record))
        elif work.refused or work.kept_back:  # it waits in the outbox, and that is told
            await told(session, whole, taken)
        else:
            await _finish(session, work, whole)
    return not taken.plan


async def _finish(session: AsyncSession, work: Sending, whole: LinkedRecord) -> None:
    """All that was in the outbox is there, or is a conflict that holds up nothing else."""
    assert whole.link is not None  # noqa: S101
    await session.execute(
        delete(Outbox).where(Outbox.record_id == work.record_id, Outbox.id <= work.up_to)
    )
    clear_failure(whole.link)
    if work.not_kept:
        await _tell_trouble(session, whole, _not_kept(work.fields, work.not_kept))
    await refresh_state(session, whole.link)
    await tell(session, whole.record, "state")
    await _answered(session, work)


async def _answered(session: AsyncSession, work: Sending) -> None:
    """The site is there, if only with a no: who waited for it need wait no longer."""
    if await circuit.succeeded(session, work.connection.id):
        await wake(work.hub, session, work.connection)


def _not_kept(fields: Mapped, names: Mapping[str, str]) -> SendFailure:
    labels = ", ".join(fields.by_name[name].label for name in names)
    return SendFailure(
        "not_kept",
        f"ERPNext did not keep: {labels}. It is kept here.",
        "Map it to a field that the site has, or accept that it is kept here alone.",
        wrong=names,
    )


async def _withdraw(work: Sending) -> None:
    """Deleted or given up here before it was there. Nothing is sent, unless it was made after all:
    then it goes on with the document that there is.
    """
    if await create.was_made(work):
        return
    async with work.recording() as (session, whole):
        if whole.record.deleted_at is not None:
            await _finish(session, work, whole)
        elif not await _edited_since(session, work):
            await _answered(session, work)
            note = "ERPNext had not made it: it is kept here alone."
            await keep_here_alone(session, whole, by=MACHINE, note=note)
            await tell(session, whole.record, "changed")


async def _edited_since(session: AsyncSession, work: Sending) -> bool:
    newer = select(Outbox.id).where(Outbox.record_id == work.record_id, Outbox.id > work.up_to)
    return await session.scalar(newer.limit(1)) is not None


async def _delete_there(work: Sending, by: str) -> SendFailure | None:
    """Deletes what was agreed on; what was changed there since is a person's to decide about."""
    seen = await _read(work)
    if seen is None:
        return None
    untouched = not work.link.base and is_fresh(seen.party.main)  # it was made just now
    async with work.recording() as (session, whole):
        taken = await apply_remote(session, whole, seen)
        await told(session, whole, taken)
        await session.flush()
        changed = await _changed_since_deleted(session, work) or bool(taken.merged.clashes)
    if changed and not untouched:
        return renames.CHANGED_SINCE
    doctype, name = work.fields.type.doctype, str(work.link.document)
    async with work.record_attempt("delete", f"{doctype} {name}", None) as said:
        await work.site.delete(doctype, name)
        said.status = 202
    async with work.recording() as (session, whole):
        assert whole.link is not None  # noqa: S101
        whole.link.gone_at = datetime.now(UTC)
        note = "The hub deleted it in ERPNext, as it was deleted here."
        await add_change(session, whole.record, "deleted_there", {}, by=by, note=note)
        await _finish(session, work, whole)
    return None


async def _changed_since_deleted(session: AsyncSession, work: Sending) -> bool:
    """Whether anybody there did something to it that the person who deleted it had not seen."""
    deleted = select(func.max(Outbox.at)).where(
        Outbox.record_id == work.record_id, Outbox.operation == "delete"
    )
    theirs = select(Change.id).where(
        Change.record_id == work.record_id,
        Change.origin.in_(("erpnext", "overruled", "conflict", "seen")),
        Change.at > deleted.scalar_subquery(),
    )
    return await session.scalar(theirs.limit(1)) is not None


async def _went_wrong(work: Sending, trouble: SendFailure) -> None:
    """Tells it at the record, and to who decides when it is tried again."""
    async with work.recording() as (session, whole):
        link = whole.link
        if link is None:
            return
        until = None
        if trouble.of_site:
            until = await circuit.failed(session, work.connection, trouble.as_failed())
        else:
            await _answered(session, work)
        await _tell_trouble(session, whole, trouble, until)


async def _tell_trouble(
    session: AsyncSession, whole: LinkedRecord, trouble: SendFailure, until: datetime | None = None
) -> None:
    link = whole.link
    assert link is not None  # noqa: S101
    link.why, link.next_step, link.remedy = trouble.why, trouble.next_step, trouble.remedy
    link.wrong = dict(trouble.wrong)
    link.failing_since = link.failing_since or datetime.now(UTC)
    if trouble.again:
        waited = datetime.now(UTC) + pause(link.attempts, trouble.retry_after)
        link.attempts += 1
        link.state, link.retry_at = "waiting", until or waited
    else:
        link.state, link.retry_at = "attention", None
    await tell(session, whole.record, "state")
