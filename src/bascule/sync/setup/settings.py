"""Two-way sync turned on and off, and how it is done: policies, mapping, defaults, company.

Turning it on is what allows the hub to write to the site. Before anything is written, what both
sides have already is paired, and a person looks at that: see `matching`.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.accounts.access import refuse_without
from bascule.accounts.tables import User
from bascule.connections.permissions import CONNECTIONS_MANAGE
from bascule.connections.sharing import seen_by
from bascule.connections.tables import Connection
from bascule.errors import Conflict, Invalid, NoSuch
from bascule.events.live import publish
from bascule.hub import Hub
from bascule.sites.pool import open_site
from bascule.sync.fields import Field, RecordType, clean
from bascule.sync.mapping import checked_entries, fields_with, unchecked
from bascule.sync.merge import POLICIES
from bascule.sync.permissions import TWO_WAY_MANAGE
from bascule.sync.setup import site_fields
from bascule.sync.tables import Match, TwoWay

ON_DELETE = ("disable", "delete", "keep")
LONGEST_POLL = 7 * 24 * 60  # minutes


async def find_two_way(
    session: AsyncSession, connection: Connection, kind: RecordType
) -> TwoWay | None:
    query = select(TwoWay).where(
        TwoWay.connection_id == connection.id, TwoWay.record_type == kind.name
    )
    found: TwoWay | None = await session.scalar(query)
    return found


async def the_two_way(
    session: AsyncSession, connection: Connection, kind: RecordType, *, lock: bool = False
) -> TwoWay:
    """As it is, or as it would be: off, and with the usual settings."""
    found = await find_two_way(session, connection, kind)
    if found is None:
        found = TwoWay(connection_id=connection.id, record_type=kind.name)
        session.add(found)
        await session.flush()
        await session.refresh(found)
    elif lock:
        await session.refresh(found, with_for_update=True)
    return found


async def two_ways(session: AsyncSession, viewer: User | None) -> list[tuple[TwoWay, Connection]]:
    """Those that are not off, of connections that this viewer may see."""
    query = (
        select(TwoWay, Connection)
        .join(Connection, Connection.id == TwoWay.connection_id)
        .where(TwoWay.status != "off", seen_by(viewer))
        .order_by(Connection.name, TwoWay.record_type)
    )
    return [(row[0], row[1]) for row in (await session.execute(query)).all()]


async def configure(
    hub: Hub,
    connection: Connection,
    kind: RecordType,
    changes: Mapping[str, Any],
    *,
    by: User | None,
) -> TwoWay:
    """Changes what is named: company, defaults, mapping, policy, field_policies, on_delete,
    poll_minutes. Invalid names each that cannot be taken; nothing is changed then.
    """
    may_set_up(by, connection)
    async with hub.db.session() as session:
        two_way = await the_two_way(session, connection, kind, lock=True)
        clean_changes = _checked(kind, two_way, changes)
        if "mapping" in clean_changes:
            # A field that has another place may be held there; the next look tells.
            remapped = {
                str(entry["name"]) for entry in clean_changes["mapping"] if "place" in entry
            }
            known = two_way.cannot_hold
            two_way.cannot_hold = {k: v for k, v in known.items() if k not in remapped}
        for name, value in clean_changes.items():
            setattr(two_way, name, value)
        if "poll_minutes" in clean_changes and two_way.status == "on":
            last = two_way.last_poll_at or datetime.now(UTC)
            two_way.next_poll_at = last + timedelta(minutes=two_way.poll_minutes)
        await _tell(session, connection, "configured")
        await session.flush()
        session.expunge(two_way)
    return two_way


def _checked(kind: RecordType, two_way: TwoWay, changes: Mapping[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    if "mapping" in changes:
        kept["mapping"] = checked_entries(kind, changes["mapping"] or [])
    entries = kept.get("mapping", two_way.mapping)
    fields = {one.name: one for one in fields_with(kind, entries, two_way.defaults)}
    wrong = _twice(fields.values()) if "mapping" in kept else {}
    for name, check in _CHECKS.items():
        if name in changes:
            kept[name] = check(changes[name], fields, wrong)
    if wrong:
        told = "; ".join(f"{name} {why}" for name, why in wrong.items())
        raise Invalid(
            f"These settings cannot be taken: {told}.",
            next_step="Correct what is named and save again; nothing was changed.",
            fields=wrong,
        )
    return kept


def _twice(fields: Iterable[Field]) -> dict[str, str]:
    """Two fields at one place would write over each other."""
    first: dict[tuple[Any, ...], Field] = {}
    wrong: dict[str, str] = {}
    for one in fields:
        if one.place is not None:
            at = (one.place.part, one.place.table, one.place.field, one.place.row)
            other = first.setdefault(at, one)
            if other is not one:
                wrong[f"mapping.{one.name}"] = f"is at the place of {other.label} ({one.place})"
    return wrong


Fields = Mapping[str, Field]
Wrong = dict[str, str]


def _policy(value: Any, fields: Fields, wrong: Wrong) -> str:
    if value not in POLICIES:
        wrong["policy"] = f"is one of {', '.join(POLICIES)}"
    return str(value)


def _on_delete(value: Any, fields: Fields, wrong: Wrong) -> str:
    if value not in ON_DELETE:
        wrong["on_delete"] = f"is one of {', '.join(ON_DELETE)}"
    return str(value)


def _poll_minutes(value: Any, fields: Fields, wrong: Wrong) -> Any:
    if not isinstance(value, int) or not 1 <= value <= LONGEST_POLL:
        wrong["poll_minutes"] = f"is a number of minutes from 1 to {LONGEST_POLL}"
    return value


def _company(value: Any, fields: Fields, wrong: Wrong) -> str | None:
    return str(value).strip()[:140] or None if value else None


def _field_policies(value: Any, fields: Fields, wrong: Wrong) -> dict[str, str]:
    kept = {str(name): str(policy) for name, policy in (value or {}).items() if policy}
    for name, policy in kept.items():
        if name not in fields:
            wrong[f"field_policies.{name}"] = "is no field of these records"
        elif policy not in POLICIES:
            wrong[f"field_policies.{name}"] = f"is one of {', '.join(POLICIES)}"
    return kept


def _defaults(value: Any, fields: Fields, wrong: Wrong) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for name, default in (value or {}).items():
        if name not in fields:
            wrong[f"defaults.{name}"] = "is no field of these records"
            continue
        try:
            kept[name] = clean(fields[name], default)
        except ValueError as error:
            wrong[f"defaults.{name}"] = str(error)
    return kept


_CHECKS: dict[str, Callable[[Any, Fields, Wrong], Any]] = {
    "policy": _policy,
    "on_delete": _on_delete,
    "poll_minutes": _poll_minutes,
    "company": _company,
    "field_policies": _field_policies,
    "defaults": _defaults,
}


async def ask_the_site(
    hub: Hub, connection: Connection, kind: RecordType, *, by: User | None
) -> tuple[TwoWay, site_fields.SiteFields]:
    """What the site can hold of these records. Writes nothing there."""
    may_set_up(by, connection)
    async with hub.db.session() as session:
        two_way = await the_two_way(session, connection, kind)
        session.expunge(two_way)
    async with open_site(hub, connection) as site:
        found = await site_fields.examine(site, unchecked(two_way), connection.versions)
    async with hub.db.session() as session:
        current = await the_two_way(session, connection, kind, lock=True)
        current.cannot_hold = found.cannot_hold
        current.site_defaults = found.site_defaults
        if current.company is None and len(found.companies) == 1:
            current.company = found.companies[0]
        if found.is_read:
            current.owned_field = found.own_field
        await session.flush()
        session.expunge(current)
    return current, found


async def begin(
    hub: Hub, connection: Connection, kind: RecordType, *, by: User | None, own_field: bool = True
) -> TwoWay:
    """The first of two steps: asks the site, adds the hub's own field where that is wanted and
    allowed, and starts to pair what both sides have. Nothing else is written before `confirm`.
    Conflict: it is on already, or the hub's user lacks what it cannot do without.
    """
    two_way, found = await ask_the_site(hub, connection, kind, by=by)
    if two_way.status == "on":
        raise Conflict(
            f"Two-way sync of {kind.plural} is on already.",
            next_step="Turn it off first, if you want to pair both sides anew.",
        )
    refuse_what_failed(found)
    owned, notes = two_way.owned_field, list(found.notes)
    if owned is None and own_field:
        async with open_site(hub, connection) as site:
            owned, why_not = await site_fields.add_own_field(site, kind)
        notes += [why_not] if why_not is not None else []
    async with hub.db.session() as session:
        current = await the_two_way(session, connection, kind, lock=True)
        if current.status == "off":  # what was decided about another preview is over
            await session.execute(delete(Match).where(Match.two_way_id == current.id))
        current.owned_field, current.status = owned, "matching"
        current.last_error = current.last_error_step = None
        current.last_summary = {"matching": "under way", "notes": notes}
        await hub.jobs.defer("twoway.match", connection=session, two_way_id=current.id)
        await _tell(session, connection, "matching")
        await session.flush()
        session.expunge(current)
    return current


def refuse_what_failed(found: site_fields.SiteFields) -> None:
    """Conflict: what the check found cannot be done without."""
    if found.refused:
        raise Conflict(
            " ".join(what for what, _ in found.refused),
            next_step=" ".join(dict.fromkeys(step for _, step in found.refused)),
        )


async def turn_off(
    hub: Hub, connection: Connection, kind: RecordType, *, by: User | None
) -> TwoWay:
    """Nothing is read or written any more. Records, links and what waits to be sent stay."""
    may_set_up(by, connection)
    async with hub.db.session() as session:
        two_way = await find_two_way(session, connection, kind)
        if two_way is None or two_way.status == "off":
            raise NoSuch(
                f"Two-way sync of {kind.plural} is not on for {connection.slug}.",
                next_step="There is nothing to turn off.",
            )
        two_way.status, two_way.next_poll_at = "off", None
        await _tell(session, connection, "off")
        await session.flush()
        session.expunge(two_way)
    return two_way


def may_set_up(by: User | None, connection: Connection) -> None:
    """Admins for a connection that all share, as it lets the hub write there; its owner else."""
    if by is not None:
        refuse_without(CONNECTIONS_MANAGE if connection.shared else TWO_WAY_MANAGE, by)


async def _tell(session: AsyncSession, connection: Connection, change: str) -> None:
    await publish(session, "record", connection_id=connection.id, change=change)


def unsaved(connection: Connection, kind: RecordType) -> TwoWay:
    """What it would be: off, and with the usual settings."""
    return TwoWay(
        connection_id=connection.id,
        record_type=kind.name,
        status="off",
        defaults={},
        site_defaults={},
        mapping=[],
        cannot_hold={},
        policy="ask",
        field_policies={},
        on_delete="disable",
        poll_minutes=15,
        cursor={},
        last_summary={},
    )
