"""Conflicts, found and settled; and what else a person decides about a record that waits."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.accounts.tables import User
from bascule.connections import circuit
from bascule.connections.tables import Connection
from bascule.errors import Conflict as NotNow
from bascule.errors import Invalid, NoSuch
from bascule.hub import Hub
from bascule.sync.fields import RecordType, clean, same
from bascule.sync.history import add_change
from bascule.sync.mapping import invalid
from bascule.sync.queries import LinkedRecord, find, visible_to
from bascule.sync.receive import renames
from bascule.sync.receive.apply_remote import clear_failure, conflicts_open, refresh_state
from bascule.sync.receive.undelete import make_again
from bascule.sync.records import (
    edits_of,
    keep_here_alone,
    may_edit,
    name_of,
    queue,
    send_anew,
    set_values,
    start,
    start_again,
    tell,
)
from bascule.sync.send.plan import unsent
from bascule.sync.tables import Conflict, Link, Outbox, Record, TwoWay

CHOICES = ("here", "there", "base", "value")
ACTS = ("send", "retry", "give_up", "recreate", "delete_anyway", "disable_instead", "accept")


async def open_conflicts(
    session: AsyncSession,
    viewer: User | None,
    *,
    kind: RecordType | None = None,
    record_id: int | None = None,
    before: int | None = None,
    limit: int = 100,
) -> list[tuple[Conflict, Record, Link]]:
    """Newest first, of the records that this viewer may see. What was open with a connection that
    was deleted is nobody's to decide any more.
    """
    query = (
        select(Conflict, Record, Link)
        .join(Record, Record.id == Conflict.record_id)
        .join(Link, Link.record_id == Conflict.record_id)
        .outerjoin(Connection, Connection.id == Record.connection_id)
        .where(Conflict.settled_at.is_(None), visible_to(viewer))
        .order_by(Conflict.id.desc())
        .limit(limit)
    )
    if kind is not None:
        query = query.where(Record.record_type == kind.name)
    if record_id is not None:
        query = query.where(Record.id == record_id)
    if before is not None:
        query = query.where(Conflict.id < before)
    return [(row[0], row[1], row[2]) for row in (await session.execute(query)).all()]


async def resolve(
    hub: Hub,
    kind: RecordType,
    record_id: int,
    field: str,
    choice: str,
    *,
    by: User | None,
    value: Any = None,
) -> LinkedRecord:
    """Decides one field: what is `here`, `there`, what both had before (`base`), or another
    `value`. What lost is in the history. NoSuch: there is no open conflict about it.
    """
    _check(choice, by)
    async with hub.db.session() as session:
        whole = await find(session, kind, record_id, by, lock=True)
        found = (await conflicts_open(session, whole.record)).get(field)
        if found is None or whole.link is None or whole.two_way is None:
            raise NoSuch(
                f"There is no open conflict about {field!r} of {whole.record.title}.",
                next_step="Perhaps somebody settled it; look at the record again.",
            )
        _refuse_base_of_none(whole.link, choice, [found])
        differs = await _settle(session, whole, found, choice, name_of(by), value)
        await _settled(hub, session, whole, name_of(by), send=differs)
        return await find(session, kind, record_id, None)


async def resolve_all(
    hub: Hub,
    kind: RecordType,
    record_id: int,
    choice: str,
    *,
    by: User | None,
    restored: bool = False,
) -> LinkedRecord:
    """Decides all that is open about one record: what is `here`, `there`, or was before (`base`).
    `restored`: of it what came up because the site was restored. NoSuch: nothing is open.
    """
    _check(choice, by)
    async with hub.db.session() as session:
        whole = await find(session, kind, record_id, by, lock=True)
        found = {
            name: one
            for name, one in (await conflicts_open(session, whole.record)).items()
            if one.restored or not restored
        }
        if not found or whole.link is None or whole.two_way is None:
            raise NoSuch(
                f"There is no open conflict about {whole.record.title}.",
                next_step="Perhaps somebody settled it; look at the record again.",
            )
        _refuse_base_of_none(whole.link, choice, list(found.values()))
        differ = [await _settle(session, whole, one, choice, name_of(by)) for one in found.values()]
        await _settled(hub, session, whole, name_of(by), send=any(differ))
        return await find(session, kind, record_id, None)


def _check(choice: str, by: User | None) -> None:
    may_edit(by)
    if choice not in CHOICES:
        raise Invalid(
            f"A conflict is settled with one of: {', '.join(CHOICES)}.",
            next_step="Choose one of these.",
            fields={"choice": "is none of these"},
        )


def _refuse_base_of_none(link: Link, choice: str, found: Sequence[Conflict]) -> None:
    never = [one.field for one in found if not link.ever_agreed(one.field)]
    if choice == "base" and never:
        raise Invalid(
            f"Both sides never had the same in {', '.join(never)}, so there is nothing to go back "
            "to.",
            next_step="Choose what is here, what is in ERPNext, or another value.",
            fields={"choice": f"is nothing that both ever had in {', '.join(never)}"},
        )


async def _settle(
    session: AsyncSession,
    whole: LinkedRecord,
    found: Conflict,
    choice: str,
    by: str,
    value: Any = None,
) -> bool:
    """Whether the site has it otherwise now."""
    record, (link, _) = whole.record, _both(whole)
    field, one = found.field, whole.fields.by_name[found.field]
    here = record.values.get(field)
    chosen = {"here": here, "there": found.there, "base": found.base, "value": value}[choice]
    if choice == "value":
        try:
            chosen = clean(one, value)
        except ValueError as error:
            raise invalid(whole.fields, {field: str(error)}) from None
    lost = here if not same(one, here, chosen) else found.there
    found.settled_at, found.settled_by = datetime.now(UTC), by
    found.choice, found.value = choice, chosen
    link.base = {**link.base, field: found.there}
    if not same(one, here, chosen):
        set_values(record, whole.fields, {**record.values, field: chosen}, by=by)
    edited = {k: v for k, v in record.edited.items() if k != field}
    differs = not same(one, chosen, found.there)
    if differs:
        edited |= edits_of([field], by)
    record.edited = edited
    note = f"Here it was {here!r}, in ERPNext {found.there!r}."
    await add_change(session, record, "settled", {field: (lost, chosen)}, by=by, note=note)
    return differs


async def _settled(
    hub: Hub, session: AsyncSession, whole: LinkedRecord, by: str, *, send: bool
) -> None:
    link, two_way = _both(whole)
    if send:
        await queue(hub, session, whole.record, two_way, by=by)
    await session.flush()
    await refresh_state(session, link)
    await tell(session, whole.record, "changed")
    await session.flush()


async def act(
    hub: Hub, kind: RecordType, record_id: int, what: str, *, by: User | None
) -> LinkedRecord:
    """What a person decides about a record that waits or needs attention.

    send: it is kept here alone; make it there. retry: try again now. give_up: the record becomes
    what ERPNext has; one that was never there is kept here alone. recreate: make it there again.
    delete_anyway, disable_instead: of a deletion that was not carried out. accept: what the site
    did not keep is kept here alone.
    """
    may_edit(by)
    if what not in ACTS:
        raise Invalid(
            f"There is nothing called {what!r} to do.",
            next_step=f"There are: {', '.join(ACTS)}.",
            fields={"act": "is none of these"},
        )
    if what == "send":
        return await send_anew(hub, kind, record_id, by=by)
    async with hub.db.session() as session:
        whole = await find(session, kind, record_id, by, lock=True)
        if whole.link is None or whole.two_way is None:
            raise NotNow(
                f"{whole.record.title} is kept here alone, so there is nothing to do about it.",
                next_step=f"Turn two-way sync of {kind.plural} on for a connector first.",
            )
        await _ACTS[what](hub, session, whole, name_of(by))
        await session.flush()
        await tell(session, whole.record, "changed")
        return await find(session, kind, record_id, None)


async def retry_all(
    hub: Hub, kind: RecordType | None, *, by: User | None, remedy: str | None = None
) -> int:
    """Tries again all that wait or need attention, of what this person may see; how many.
    `remedy`: those alone that wait for this.
    """
    may_edit(by)
    async with hub.db.session() as session:
        query = (
            select(Link.record_id, Record.connection_id)
            .join(Record, Record.id == Link.record_id)
            .outerjoin(Connection, Connection.id == Record.connection_id)
            .where(
                Link.state.in_(("waiting", "attention")),
                Link.record_id.in_(select(Outbox.record_id)),
                visible_to(by),
            )
            .order_by(Link.record_id)
            .with_for_update(of=Link, skip_locked=True)
        )
        if kind is not None:
            query = query.where(Record.record_type == kind.name)
        if remedy is not None:
            query = query.where(Link.remedy == remedy)
        found = (await session.execute(query)).all()
        for connection_id in {row[1] for row in found if row[1] is not None}:
            await circuit.try_now(session, connection_id)
        numbers = [row[0] for row in found]
        await start_again(hub, session, numbers)
        return len(numbers)


async def _retry(hub: Hub, session: AsyncSession, whole: LinkedRecord, by: str) -> None:
    link, two_way = _both(whole)
    await circuit.try_now(session, two_way.connection_id)
    if not await _waiting(session, whole.record.id):
        await queue(hub, session, whole.record, two_way, by=by)
        return
    link.state, link.retry_at = "sending", None
    await start(hub, session, link.record_id)


async def _give_up(hub: Hub, session: AsyncSession, whole: LinkedRecord, by: str) -> None:
    link, _ = _both(whole)
    record, fields = whole.record, whole.fields
    if link.document is None:
        await _give_up_unmade(hub, session, whole, by)
        return
    await session.execute(delete(Outbox).where(Outbox.record_id == record.id))
    for one in (await conflicts_open(session, record)).values():
        await _settle(session, whole, one, "there", by)
    if link.remedy == renames.LOST.remedy:
        clear_failure(link)
        link.gone_at = None
        await renames.mark_deleted(session, whole)
        return
    changes = unsent(fields, record, link)
    after = {**record.values, **{name: agreed for name, (_, agreed) in changes.items()}}
    set_values(record, fields, after, by=by)
    record.edited = {k: v for k, v in record.edited.items() if k not in changes}
    await add_change(session, record, "gave_up", changes, by=by)
    clear_failure(link)
    await session.flush()
    await refresh_state(session, link)


async def _give_up_unmade(hub: Hub, session: AsyncSession, whole: LinkedRecord, by: str) -> None:
    """It is in ERPNext of no name that is known. What arrives late bears the record's key; without
    a field for that, what an earlier try made is looked for before anything is forgotten.
    """
    (link, two_way), record = _both(whole), whole.record
    if link.state == "sending":
        raise NotNow(
            f"{record.title} is on its way to ERPNext just now.",
            next_step="Wait until it is there, or is told why not.",
        )
    if link.create_begun_at is None or two_way.owned_field:
        await keep_here_alone(session, whole, by=by, note="It is kept here alone.")
        return
    note = "It is kept here alone, unless ERPNext has made it: that is looked up first."
    await add_change(session, record, "gave_up", {}, by=by, note=note)
    await queue(hub, session, record, two_way, by=by, operation="withdraw")


async def _recreate(hub: Hub, session: AsyncSession, whole: LinkedRecord, by: str) -> None:
    link, _ = _both(whole)
    if link.gone_at is None:
        raise NotNow(
            f"{whole.record.title} is in ERPNext, so it is not made there again.",
            next_step="Retry, if something else is wrong with it.",
        )
    await make_again(hub, session, whole, by)


async def _delete_anyway(hub: Hub, session: AsyncSession, whole: LinkedRecord, by: str) -> None:
    """What changed there was taken in when it was found, or is undecided: what is there stays in
    the history with what is here, and both go.
    """
    link, two_way = _both(whole)
    for one in (await conflicts_open(session, whole.record)).values():
        await _settle(session, whole, one, "there", by)
    clear_failure(link)
    await session.execute(delete(Outbox).where(Outbox.record_id == whole.record.id))
    await queue(hub, session, whole.record, two_way, by=by, operation="delete")


async def _disable_instead(hub: Hub, session: AsyncSession, whole: LinkedRecord, by: str) -> None:
    _, two_way = _both(whole)
    record = whole.record
    await session.execute(delete(Outbox).where(Outbox.record_id == record.id))
    before = record.values.get("active")
    set_values(record, whole.fields, {**record.values, "active": False}, by=by)
    await add_change(session, record, "here", {"active": (before, False)}, by=by)
    await queue(hub, session, record, two_way, by=by)


async def _accept(hub: Hub, session: AsyncSession, whole: LinkedRecord, by: str) -> None:
    link, _ = _both(whole)
    if link.remedy != "not_kept":
        raise NotNow(
            "Only what ERPNext did not keep can be accepted to be kept here alone.",
            next_step="Retry, edit it, or give the edit up.",
        )
    clear_failure(link)
    await session.flush()
    await refresh_state(session, link)


_ACTS = {
    "retry": _retry,
    "give_up": _give_up,
    "recreate": _recreate,
    "delete_anyway": _delete_anyway,
    "disable_instead": _disable_instead,
    "accept": _accept,
}


def _both(whole: LinkedRecord) -> tuple[Link, TwoWay]:
    assert whole.link is not None and whole.two_way is not None  # noqa: S101 - see `act`
    return whole.link, whole.two_way


async def _waiting(session: AsyncSession, record_id: int) -> Sequence[Outbox]:
    query = select(Outbox).where(Outbox.record_id == record_id)
    return (await session.scalars(query)).all()
