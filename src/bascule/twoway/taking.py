"""What the site has, taken into a record: the one place where both sides of it meet.

Who fetched it, and why, does not matter: a poll, a webhook, or a send that read before it wrote.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.frappe import Site
from bascule.hub import Hub
from bascule.twoway.exchanges import heard
from bascule.twoway.fields import PARTS, Part, same
from bascule.twoway.history import add_change
from bascule.twoway.mapping import Mapped
from bascule.twoway.merge import Clash, Edit, Merged, merge
from bascule.twoway.party import Party, values_of
from bascule.twoway.records import Whole, set_values, tell
from bascule.twoway.tables import Conflict, Link, Outbox, Record, TwoWay

SITE = "ERPNext"
MAKING = timedelta(seconds=15)  # that a site needs to make a document and what belongs to it


@dataclass(frozen=True)
class Seen:
    """An answer of the site. `started_at`, `arrived_at`: the database's clock, around the request.
    `ahead`: how far the site's clock is ahead of the hub's, where somebody asked.
    """

    party: Party
    started_at: datetime
    arrived_at: datetime
    source: str  # poll, webhook, send, match
    zone: str | None = None
    ahead: timedelta = timedelta(0)


@dataclass
class Taken:
    """`send`: by part, the fields that the site has otherwise than the record. `missing`: parts
    that the record is enough for and the site has none of.
    """

    merged: Merged
    send: dict[Part, list[str]] = field(default_factory=dict)
    missing: list[Part] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        return bool(self.merged.taken or self.merged.overruled)

    @property
    def differs(self) -> bool:
        return bool(self.send or self.missing)


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


async def take(
    session: AsyncSession,
    whole: Whole,
    seen: Seen,
    *,
    sent: Mapping[str, Any] | None = None,
    fresh: bool = False,
) -> Taken:
    """Merges into a record whose row the caller has locked. `sent`: values that the site was
    given just before and has taken. `fresh`: we made the document just now, so what it has beyond
    that is the site's filling in, and no edit of anybody's. (A webhook may tell of it before the
    answer to our create has come.)
    """
    record, link, two_way = whole.record, whole.link, whole.two_way
    assert link is not None and two_way is not None  # noqa: S101 - only linked ones are fetched
    fields = whole.fields
    there = _there(fields, link, seen)
    open_conflicts = await conflicts_open(session, record)
    there_edit = _edits_there(fields, seen)
    if not link.base and link.create_title is not None:
        fresh = fresh or is_fresh(seen.party.main)
    merged = merge(
        fields.synced(),
        base={**link.base, **(sent or {})},
        here=record.values,
        there=there,
        policy=lambda name: (
            "hub" if fresh else str(two_way.field_policies.get(name) or two_way.policy)
        ),
        here_edit=lambda name: _edit_here(record, name),
        there_edit=there_edit,
    )
    if fresh:
        merged.overruled = {}
    await _note(session, whole, seen, merged, there_edit, open_conflicts)
    _keep(record, link, fields, merged, seen, there)
    taken = _what_differs(fields, record, link, seen, merged)
    if merged.taken or merged.overruled or merged.clashes:
        heard(session, two_way.id, record.id, seen.source,
              f"{fields.type.doctype} {seen.party.name}",
              {"modified": seen.party.modified(), "values": there})  # fmt: skip
    return taken


def _there(fields: Mapped, link: Link, seen: Seen) -> dict[str, Any]:
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
        elif part in link.parts and _is_news(link, seen, "main"):
            there |= dict.fromkeys(names)  # it was there, and is not any more
    return there


def _is_news(link: Link, seen: Seen, part: Part) -> bool:
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


def _edits_there(fields: Mapped, seen: Seen) -> Any:
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
    whole: Whole,
    seen: Seen,
    merged: Merged,
    there_edit: Any,
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
        by = there_edit(name).by if side == "erpnext" else _edit_here(record, name).by
        await add_change(session, record, "overruled", {name: (lost, won)}, by=by, note=note)
    clashing = {clash.field: clash for clash in merged.clashes}
    for name, clash in clashing.items():
        await _clash(session, whole, clash, open_conflicts.get(name))
    for name, conflict in open_conflicts.items():
        if name in merged.agreed or name in merged.taken or name in merged.overruled:
            conflict.settled_at, conflict.choice = datetime.now(UTC), "agreed"
            conflict.settled_by, conflict.value = "", merged.values.get(name)


async def _clash(session: AsyncSession, whole: Whole, clash: Clash, known: Conflict | None) -> None:
    record = whole.record
    one = whole.fields.by_name[clash.field]
    if known is None:
        session.add(
            Conflict(
                record_id=record.id,
                field=clash.field,
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
    if not same(one, known.there, clash.there):
        changes = {clash.field: (known.there, clash.there)}
        await add_change(session, record, "seen", changes, by=clash.there_edit.by)
    known.here, known.there = clash.here, clash.there
    known.here_by, known.here_at = clash.here_edit.by, clash.here_edit.at
    known.there_by, known.there_at = clash.there_edit.by, clash.there_edit.at


def _keep(
    record: Record, link: Link, fields: Mapped, merged: Merged, seen: Seen, there: dict[str, Any]
) -> None:
    if merged.values != record.values:
        changed = [name for name, change in merged.taken.items()]
        changed += [name for name, (_, _, side) in merged.overruled.items() if side == "erpnext"]
        by = str(seen.party.main.get("modified_by") or SITE) if changed else record.updated_by
        set_values(record, fields, merged.values, by=by)
        if merged.values.get("active") and "active" in merged.taken:
            record.deleted_at = None
    settled = merged.agreed | set(merged.taken)
    settled |= {name for name, (_, _, side) in merged.overruled.items() if side == "erpnext"}
    record.edited = {name: edit for name, edit in record.edited.items() if name not in settled}
    base = dict(merged.base)
    for part in ("address", "contact"):
        if part not in seen.party.documents and not fields.wants(part, record.values):
            # There is no document that could say otherwise, and none will be made for this.
            base |= {one.name: record.values.get(one.name) for one in fields.of_part(part)}
    link.base = base
    modified, parts = dict(link.modified), dict(link.parts)
    for part in PARTS:
        if part in seen.party.documents:
            if _is_news(link, seen, part):
                modified[part] = str(seen.party.documents[part]["modified"])
                if part != "main":
                    parts[part] = str(seen.party.documents[part]["name"])
        elif part in parts and _is_news(link, seen, "main"):
            parts.pop(part)
            modified.pop(part, None)
    link.modified, link.parts = modified, parts
    if link.creation is None:
        link.creation = str(seen.party.main.get("creation") or "") or None
    link.seen_at = max(link.seen_at or seen.arrived_at, seen.arrived_at)


def _what_differs(fields: Mapped, record: Record, link: Link, seen: Seen, merged: Merged) -> Taken:
    taken = Taken(merged)
    for part in PARTS:
        if part in seen.party.documents:
            names = [one.name for one in fields.of_part(part) if one.name in merged.send]
            if names:
                taken.send[part] = names
        elif fields.wants(part, record.values):
            taken.missing.append(part)
    return taken


async def refresh_state(session: AsyncSession, link: Link) -> None:
    """What the link's state is where nothing stands in the way: see `failures`."""
    if link.state in ("attention", "waiting"):
        return
    waiting = await session.scalar(
        select(func.count()).select_from(Outbox).where(Outbox.record_id == link.record_id)
    )
    conflicts = await session.scalar(
        select(func.count())
        .select_from(Conflict)
        .where(Conflict.record_id == link.record_id, Conflict.settled_at.is_(None))
    )
    link.state = "conflict" if conflicts else "sending" if waiting else "in_sync"


def clear_trouble(link: Link) -> None:
    link.why = link.next_step = link.remedy = link.retry_at = link.failing_since = None
    link.wrong, link.attempts = {}, 0
    if link.state in ("attention", "waiting"):
        link.state = "in_sync"


async def told(session: AsyncSession, whole: Whole, taken: Taken) -> None:
    if taken.changed or taken.merged.clashes or taken.merged.agreed:
        await tell(session, whole.record, "changed" if taken.changed else "state")


def is_on(two_way: TwoWay | None) -> bool:
    return two_way is not None and two_way.status == "on"
