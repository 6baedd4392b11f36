"""What the site has, taken into a record: the one place where both sides of it meet.

Who fetched it, and why, does not matter: a poll, a webhook, or a send that read before it wrote.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import exists, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.frappe import Site
from bascule.hub import Hub
from bascule.sync.fields import PARTS, Field, Part, same
from bascule.sync.history import add_change
from bascule.sync.mapping import Mapped
from bascule.sync.merge import Clash, Edit, Merged, merge
from bascule.sync.queries import LinkedRecord
from bascule.sync.receive.party import Party, value_in, values_of
from bascule.sync.records import set_values, tell
from bascule.sync.send.attempts import record_inbound, unconfirmed
from bascule.sync.send.plan import SendPlan, plan_of
from bascule.sync.tables import Conflict, Link, Outbox, Record, TwoWay
from bascule.telemetry import count

SITE = "ERPNext"
MAKING = timedelta(seconds=15)  # that a site needs to make a document and what belongs to it


@dataclass(frozen=True)
class RemoteSnapshot:
    """An answer of the site. `started_at`: the database's clock before the first request.
    `ahead`: how far the site's clock is ahead of the hub's, where somebody asked. `doubt`: the site
    seems to be in an older state than was agreed on, see `restored`.
    """

    party: Party
    started_at: datetime
    source: str  # poll, webhook, send, match
    zone: str | None = None
    ahead: timedelta = timedelta(0)
    doubt: bool = False


@dataclass
class ApplyResult:
    """What was merged, and what is to be sent now."""

    merged: Merged
    plan: SendPlan

    @property
    def changed(self) -> bool:
        return bool(self.merged.taken or self.merged.overruled)


async def now(session: AsyncSession) -> datetime:
    """The database's clock: one for all who fetch."""
    found: datetime = (await session.execute(select(func.clock_timestamp()))).scalar_one()
    return found


async def clock_of(hub: Hub) -> datetime:
    async with hub.db.session() as session:
        return await now(session)


async def ahead_of_us(site: Site, zone: str | None) -> timedelta:
    """How far the site's clock is ahead."""
    local = await site.clock()
    here = datetime.now(ZoneInfo(zone or "UTC")).replace(tzinfo=None)
    return local - here


async def apply_remote(
    session: AsyncSession,
    whole: LinkedRecord,
    seen: RemoteSnapshot,
    *,
    fresh: bool = False,
    held: Collection[str] = (),
) -> ApplyResult:
    """Merges into a record whose row the caller has locked. `fresh`: we made the document just now,
    so what it has beyond that is the site's filling in, and no edit of anybody's. (A webhook may
    tell of it before the answer to our create has come.) `held`: fields that are not to be sent
    now.
    """
    record, link, two_way = whole.record, whole.link, whole.two_way
    assert link is not None and two_way is not None  # noqa: S101 - only linked ones are fetched
    fields = whole.fields
    there = _there(fields, link, seen)
    open_conflicts = await conflicts_open(session, record)
    there_edit = _edits_there(fields, seen)
    if not link.base and link.create_title is not None and "main" in seen.party.documents:
        fresh = fresh or is_fresh(seen.party.main)
    merged = merge(
        fields.synced(),
        base=link.base | await _taken_unheard(session, record, fields, link.base, there),
        here=record.values,
        there=there,
        policy=lambda name: (
            "hub" if fresh else str(two_way.field_policies.get(name) or two_way.policy)
        ),
        here_edit=lambda name: _edit_here(record, name),
        there_edit=there_edit,
        doubted=set(there) if seen.doubt else _doubted(open_conflicts),
    )
    if fresh:
        merged.overruled = {}
    edits_here = {name: _edit_here(record, name) for name in merged.overruled}
    arrived = await now(session)
    _keep(record, link, fields, merged, seen, arrived)
    await _note(session, whole, seen, merged, there_edit, edits_here, open_conflicts)
    in_conflict = {clash.field for clash in merged.clashes}
    in_conflict |= {name for name, one in open_conflicts.items() if one.settled_at is None}
    taken = ApplyResult(merged, plan_of(fields, record, link, in_conflict | set(held)))
    if merged.taken or merged.overruled or merged.clashes:
        record_inbound(session, two_way.id, record.id, seen.source,
              f"{fields.type.doctype} {link.document}",
              {"modified": seen.party.modified(), "values": there},
              took=arrived - seen.started_at)  # fmt: skip
    return taken


def _doubted(open_conflicts: Mapping[str, Conflict]) -> set[str]:
    """Fields that are still to be decided about since the site was restored."""
    return {name for name, conflict in open_conflicts.items() if conflict.restored}


async def _taken_unheard(
    session: AsyncSession,
    record: Record,
    fields: Mapped,
    base: Mapping[str, Any],
    there: Mapping[str, Any],
) -> dict[str, Any]:
    """Values that the site has from us, though its answer was lost or the worker was killed, and
    that were changed here again since: nobody's edit there, and so no conflict.
    """
    both = [
        one
        for name, theirs in there.items()
        if (one := fields.by_name[name])
        and not same(one, theirs, base.get(name))
        and not same(one, theirs, record.values.get(name))
    ]
    if not both:
        return {}
    sent = await unconfirmed(session, record.id)
    return {
        one.name: there[one.name]
        for one in both
        if any(_is_in(fields, one, request, there[one.name]) for request in sent)
    }


def _is_in(fields: Mapped, one: Field, request: Mapping[str, Any], value: Any) -> bool:
    assert one.place is not None  # noqa: S101 - it came from the site
    if (one.place.table or one.place.field) not in request:
        return False
    return same(one, value_in(fields, one, request), value)


def _there(fields: Mapped, link: Link, seen: RemoteSnapshot) -> dict[str, Any]:
    """The fields that this answer tells of. An answer that may be older than what is known is not
    heard; see `_is_news`.
    """
    values = values_of(fields, seen.party)
    there: dict[str, Any] = {}
    for part in PARTS:
        names = [one.name for one in fields.of_part(part)]
        if part in seen.party.documents:
            if _is_news(link, seen, part):
                there |= {name: values[name] for name in names if name in values}
        elif part in link.parts and part in seen.party.looked_at and _is_news(link, seen, "main"):
            there |= dict.fromkeys(names)  # it was there, and is not any more
    return there


def _is_news(link: Link, seen: RemoteSnapshot, part: Part) -> bool:
    """Requests overlap, and answers overtake each other. One that was asked for after the newest
    answer had arrived is newer than that; else its time of change has to say so. (That alone would
    not do: a site's clock can be set back.)
    """
    if link.seen_at is None or seen.started_at > link.seen_at:
        return True
    document = seen.party.documents.get(part)
    if document is None:
        return False
    if part != "main" and link.parts.get(part) != document["name"]:
        return _is_news(link, seen, "main")
    return str(document["modified"]) >= str(link.modified.get(part) or "")


def is_fresh(document: Mapping[str, Any]) -> bool:
    """Nobody but its maker has touched it since it was made."""
    if document.get("modified_by") != document.get("owner"):
        return False
    try:
        born = datetime.fromisoformat(str(document["creation"]))
        changed = datetime.fromisoformat(str(document["modified"]))
    except (KeyError, ValueError):
        return False
    return changed - born <= MAKING


def _edit_here(record: Record, name: str) -> Edit:
    edit = record.edited.get(name)
    if not edit:
        return Edit(None, record.updated_by)
    return Edit(datetime.fromisoformat(edit["at"]), str(edit["by"]))


def _edits_there(fields: Mapped, seen: RemoteSnapshot) -> Any:
    zone = ZoneInfo(seen.zone or "UTC")

    def edit(name: str) -> Edit:
        one = fields.by_name[name]
        document = seen.party.documents.get(one.place.part if one.place else "main")
        if document is None:
            return Edit()
        try:
            local = datetime.fromisoformat(str(document["modified"]))
        except ValueError:
            return Edit(None, str(document.get("modified_by") or SITE))
        at = (local - seen.ahead).replace(tzinfo=zone).astimezone(UTC)
        return Edit(at, str(document.get("modified_by") or SITE))

    return edit


async def conflicts_open(session: AsyncSession, record: Record) -> dict[str, Conflict]:
    query = select(Conflict).where(Conflict.record_id == record.id, Conflict.settled_at.is_(None))
    return {one.field: one for one in (await session.scalars(query)).all()}


async def _note(
    session: AsyncSession,
    whole: LinkedRecord,
    seen: RemoteSnapshot,
    merged: Merged,
    there_edit: Any,
    edits_here: Mapping[str, Edit],
    open_conflicts: dict[str, Conflict],
) -> None:
    """Into the history, and conflicts opened, kept up and closed."""
    record = whole.record
    by_person: dict[str, dict[str, tuple[Any, Any]]] = {}
    for name, change in merged.taken.items():
        by_person.setdefault(there_edit(name).by, {})[name] = change
    for person, changes in by_person.items():
        await add_change(session, record, "erpnext", changes, by=person, note=seen.source)
    for name, (lost, won, side) in merged.overruled.items():
        policy = whole.two_way and (whole.two_way.field_policies.get(name) or whole.two_way.policy)
        winner = "ERPNext's" if side == "erpnext" else "the hub's"
        note = f"Both sides changed it; {winner} stays, as the policy '{policy}' says."
        by = there_edit(name).by if side == "erpnext" else edits_here[name].by
        await add_change(session, record, "overruled", {name: (lost, won)}, by=by, note=note)
    clashing = {clash.field: clash for clash in merged.clashes}
    for name, clash in clashing.items():
        await _clash(session, whole, clash, open_conflicts.get(name), doubt=seen.doubt)
    for name, conflict in open_conflicts.items():
        value = merged.values.get(name)
        if name in merged.agreed or name in merged.taken or name in merged.overruled:
            _end(conflict, "agreed", value)
        elif name in merged.send:
            _end(conflict, "here", value)
            note = "ERPNext has again what both sides had before; what is here stays."
            changes = {name: (conflict.there, value)}
            await add_change(session, record, "settled", changes, by=there_edit(name).by, note=note)


def _end(conflict: Conflict, choice: str, value: Any) -> None:
    """It is over without anybody's decision."""
    conflict.settled_at, conflict.settled_by = datetime.now(UTC), ""
    conflict.choice, conflict.value = choice, value


async def _clash(
    session: AsyncSession, whole: LinkedRecord, clash: Clash, known: Conflict | None, *, doubt: bool
) -> None:
    record = whole.record
    one = whole.fields.by_name[clash.field]
    if known is None:
        slug = whole.connection.slug if whole.connection else ""
        count("conflicts", connection=slug, record_type=record.record_type)
        session.add(
            Conflict(
                record_id=record.id,
                field=clash.field,
                restored=doubt,
                base=clash.base,
                here=clash.here,
                there=clash.there,
                here_by=clash.here_edit.by,
                here_at=clash.here_edit.at,
                there_by=clash.there_edit.by,
                there_at=clash.there_edit.at,
            )
        )
        changes = {clash.field: (clash.here, clash.there)}
        await add_change(session, record, "conflict", changes, by=clash.there_edit.by)
        return
    known.restored = known.restored or doubt
    known.here, known.here_by, known.here_at = clash.here, clash.here_edit.by, clash.here_edit.at
    if same(one, known.there, clash.there):
        return  # the document was saved since, but for something else
    changes = {clash.field: (known.there, clash.there)}
    await add_change(session, record, "seen", changes, by=clash.there_edit.by)
    known.there = clash.there
    known.there_by, known.there_at = clash.there_edit.by, clash.there_edit.at


def _keep(
    record: Record,
    link: Link,
    fields: Mapped,
    merged: Merged,
    seen: RemoteSnapshot,
    arrived: datetime,
) -> None:
    theirs = {name for name, (_, _, side) in merged.overruled.items() if side == "erpnext"}
    theirs |= set(merged.taken)
    if merged.values != record.values:
        by = seen.party.changed_by if theirs else record.updated_by
        set_values(record, fields, merged.values, by=by)
        if merged.values.get("active") and "active" in merged.taken:
            record.deleted_at = None
    settled = merged.agreed | theirs
    record.edited = {name: edit for name, edit in record.edited.items() if name not in settled}
    moved = {part for part in link.moved if part not in seen.party.documents}
    link.modified, link.parts, link.withheld = _stamps(link, seen)
    link.moved = sorted(moved | seen.party.moved)
    link.parts_begun = {part: at for part, at in link.parts_begun.items() if part not in link.parts}
    base = dict(merged.base)
    for part in ("address", "contact"):
        is_there = part in link.parts or part in link.withheld
        if not is_there and not fields.wants(part, record.values):
            # There is no document that could say otherwise, and none will be made for this.
            base |= {one.name: record.values.get(one.name) for one in fields.of_part(part)}
    link.base = base
    if "main" in seen.party.documents:
        link.creation = str(seen.party.main.get("creation") or "") or link.creation
    link.seen_at = max(link.seen_at or arrived, arrived)


def _stamps(
    link: Link, seen: RemoteSnapshot
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Times of change and names of the documents behind the record, as they are known now, and the
    names of those that are not given: what was known of a part before may be another's.
    """
    modified, parts, withheld = dict(link.modified), dict(link.parts), dict(link.withheld)
    if "main" in seen.party.documents and _is_news(link, seen, "main"):
        for part, name in seen.party.withheld.items():
            withheld[part] = name
            parts.pop(part, None)
            modified.pop(part, None)
        for part in seen.party.looked_at:
            withheld.pop(part, None)
    for part in seen.party.looked_at:
        document = seen.party.documents.get(part)
        if document is not None and _is_news(link, seen, part):
            modified[part] = str(document["modified"])
            if part != "main":
                parts[part] = str(document["name"])
        elif document is None and part in parts and _is_news(link, seen, "main"):
            parts.pop(part)
            modified.pop(part, None)
    return modified, parts, withheld


async def refresh_state(session: AsyncSession, link: Link) -> None:
    """What the link's state is where nothing stands in the way: see `failures`."""
    if link.state in ("attention", "waiting"):
        return
    waits = exists().where(Outbox.record_id == link.record_id)
    clashes = exists().where(Conflict.record_id == link.record_id, Conflict.settled_at.is_(None))
    conflict, waiting = (await session.execute(select(clashes, waits))).one()
    link.state = "conflict" if conflict else "sending" if waiting else "in_sync"


def clear_failure(link: Link) -> None:
    link.why = link.next_step = link.remedy = link.retry_at = link.failing_since = None
    link.wrong, link.attempts = {}, 0
    if link.state in ("attention", "waiting"):
        link.state = "in_sync"


async def told(session: AsyncSession, whole: LinkedRecord, taken: ApplyResult) -> None:
    if taken.changed or taken.merged.clashes or taken.merged.agreed:
        await tell(session, whole.record, "changed" if taken.changed else "state")


def is_on(two_way: TwoWay | None) -> bool:
    return two_way is not None and two_way.status == "on"
