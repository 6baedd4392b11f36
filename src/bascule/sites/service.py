"""Sites connected, changed and asked again: what the API, the commands and jobs share.

Secrets go in encrypted and come out only into a `Site`. Streams and runs are the mirror's.
"""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from itertools import chain, count
from secrets import token_hex
from typing import Any
from uuid import uuid4

from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.accounts.allowed_sites.allowlist import allow, is_vouched_for, reach_of, refuse_inside
from bascule.accounts.tables import User
from bascule.connections import schedules
from bascule.connections.check_report import CheckReport, record_check
from bascule.connections.queries import NoSuchConnection, find_connection
from bascule.connections.sharing import (
    WAY_IN,
    owner_of_private,
    refuse_change,
    shared_unless_said,
)
from bascule.connections.slugs import slug_of
from bascule.connections.tables import Connection
from bascule.errors import Conflict, HubError, Invalid
from bascule.events.live import publish
from bascule.hub import Hub
from bascule.reach import MayConnect
from bascule.sites.check import check_site, wanted_by
from bascule.sites.fields import NewConnection, checked
from bascule.sites.pool import unpooled_site
from bascule.store.address_binding import refuse_moved

SEALED = {"api_key_encrypted", "api_secret_encrypted"}


class CheckFailed(HubError):
    """The site was asked before saving, and nothing was saved. `report` tells what it said."""

    def __init__(self, report: CheckReport) -> None:
        problem = report.problems[0]
        super().__init__(problem.what, next_step=problem.next_step)
        self.report = report


async def create_connection(hub: Hub, new: NewConnection, *, test: bool = True) -> Connection:
    """`connect_site` by the machine, for who does not ask what the site said."""
    return (await connect_site(hub, new, by=None, test=test))[0]


async def connect_site(
    hub: Hub,
    new: NewConnection,
    *,
    by: User | None,
    test: bool = True,
    wanted: Sequence[str] | None = None,
) -> tuple[Connection, CheckReport | None]:
    """Saves a connection; it syncs on its schedule from then on. Its site is asked first unless
    `test` is off: Forbidden, Invalid, CheckFailed or Conflict (the slug is taken) save nothing.
    `wanted`: the presets and DocTypes that the site is asked about; None: those switched on.
    """
    values = asdict(new)
    shared = shared_unless_said(by, values.pop("shared"))
    if not shared and new.slug is not None:
        raise Invalid(
            "A private connection's slug is made for it, so that nobody finds it by trying names.",
            next_step="Leave the slug out.",
            fields={"slug": "cannot be chosen for a private connection"},
        )
    wanted_slug = values.pop("slug")
    clean = checked(
        values if wanted_slug is None else {**values, "slug": wanted_slug},
        allow_http=new.allow_http is True or hub.settings.allow_http,
        may_connect=hub.settings.may_connect,
    )
    await refuse_inside(hub, clean["api_url"], by, field="api_url")
    connection = Connection(id=uuid4(), **_sealed(hub, clean))  # its place in the hour needs it
    connection.kind = "erpnext"
    connection.owner_id, connection.shared = by.id if by else None, shared
    _plan(connection)
    report = await _ask_first(hub, connection, by, wanted) if test else None
    vouched = await is_vouched_for(hub, connection.api_url, by)
    for _ in range(5):
        async with hub.db.session() as session:
            name = clean["name"] if shared else f"{clean['name'][:20]} {token_hex(4)}"
            connection.slug = await _free_slug(session, clean.get("slug"), name)
        try:
            return await _save(hub, connection, report, by, vouched=vouched), report
        except IntegrityError:
            continue  # somebody took the slug between the look and the save: look again
    raise Conflict("This slug was just taken.", next_step="Choose another one.")


async def change_connection(
    hub: Hub,
    connection: Connection,
    changes: dict[str, Any],
    *,
    by: User | None,
    test: bool = True,
) -> Connection:
    """Changes what is named and leaves the rest, the secret too. A changed way in is tried first,
    and CheckFailed leaves everything as it was. The slug is the mirror's schema and stays.
    Who makes it private becomes its owner.
    """
    kept, clean = await proposed(hub, connection, changes, by=by)
    report = await _ask_first(hub, kept, by) if test and WAY_IN & changes.keys() else None
    vouched = "api_url" in clean and await is_vouched_for(hub, clean["api_url"], by)
    async with hub.db.session() as session:
        await hub.vault.hold(session)
        for name in SEALED & clean.keys():
            clean[name] = hub.vault.renewed(clean[name])
        current = await session.get(Connection, connection.id, with_for_update=True)
        if current is None:
            raise NoSuchConnection
        refuse_moved(current, clean)
        if "schedule" in clean:
            clean |= {"next_sync_at": kept.next_sync_at, "next_verify_at": kept.next_verify_at}
        for name, value in clean.items():
            setattr(current, name, value)
        if vouched:
            await allow(session, current.api_url, by)
        if report is not None:
            await record_check(session, current, report)
        await publish(session, "connection", connection_id=connection.id, change="changed")
        await session.refresh(current)
        session.expunge(current)
    return current


async def proposed(
    hub: Hub, connection: Connection, changes: dict[str, Any], *, by: User | None
) -> tuple[Connection, dict[str, Any]]:
    """What a connection would be with these changes, of which nothing is saved, and the values
    that would be. Forbidden, or Invalid where one cannot be taken.
    """
    refuse_change(by, connection, changes)
    if "slug" in changes:
        raise Invalid(
            "A connection's slug stays: it is the name of its schema, which others may be reading.",
            next_step="Connect the site anew under the other slug, and delete this connection.",
            fields={"slug": "cannot be changed"},
        )
    # The address is judged by the rule that holds afterwards, also when only the rule changes.
    allow_http = changes.get("allow_http", connection.allow_http) is True or hub.settings.allow_http
    judged = {"api_url": connection.api_url, **changes} if "allow_http" in changes else changes
    clean = checked(judged, allow_http=allow_http, may_connect=hub.settings.may_connect)
    if "api_url" in changes:
        await refuse_inside(hub, clean["api_url"], by, field="api_url")
    clean = _sealed(hub, clean)
    if connection.shared and clean.get("shared") is False:
        clean["owner_id"] = owner_of_private(by)
    if clean.get("schedule", connection.schedule) == connection.schedule:
        clean.pop("schedule", None)  # saying it again does not put the next sync off

    async with hub.db.session() as session:
        kept = await session.get(Connection, connection.id)
        if kept is None:
            raise NoSuchConnection
        session.expunge(kept)
    refuse_moved(kept, clean)
    for name, value in clean.items():
        setattr(kept, name, value)
    if "schedule" in clean:
        _plan(kept)
    return kept, clean


async def recheck(hub: Hub, connection: Connection) -> CheckReport:
    """Asks a saved connection's site again, and keeps what it said."""
    report = await _report(hub, connection, await reach_of(hub, connection.api_url))
    async with hub.db.session() as session:
        await record_check(session, await find_connection(session, connection.id, None), report)
    return report


def unsaved(hub: Hub, new: NewConnection) -> Connection:
    """A connection that is not kept, to try; Invalid where a field cannot be taken."""
    values = asdict(new)
    clean = checked(
        {name: value for name, value in values.items() if name not in ("slug", "shared")},
        allow_http=new.allow_http is True or hub.settings.allow_http,
        may_connect=hub.settings.may_connect,
    )
    return Connection(**_sealed(hub, clean))


def _sealed(hub: Hub, clean: dict[str, Any]) -> dict[str, Any]:
    """As it is stored: credentials encrypted, and of the key the end to tell it by."""
    stored = dict(clean)
    for name in ("api_key", "api_secret"):
        if name in clean:
            stored[f"{name}_encrypted"] = hub.vault.encrypt(stored.pop(name))
    if "api_key" in clean:
        key = clean["api_key"]
        stored["api_key_ends_with"] = key[-4:] if len(key) >= 8 else ""
    return stored


async def _report(
    hub: Hub, connection: Connection, reach: MayConnect, wanted: Sequence[str] | None = None
) -> CheckReport:
    if wanted is None:
        async with hub.db.session() as session:
            wanted = await wanted_by(session, connection)
    async with unpooled_site(hub, connection, reach) as site:
        return await check_site(site, wanted, warehouses=connection.warehouse_filter or ())


async def _ask_first(
    hub: Hub, connection: Connection, by: User | None, wanted: Sequence[str] | None = None
) -> CheckReport:
    reach = await reach_of(hub, connection.api_url, by, trial=True)
    report = await _report(hub, connection, reach, wanted)
    if report.health != "ok":
        raise CheckFailed(report)
    return report


async def _save(
    hub: Hub,
    connection: Connection,
    report: CheckReport | None,
    by: User | None,
    *,
    vouched: bool,
) -> Connection:
    async with hub.db.session() as session:
        if vouched:
            await allow(session, connection.api_url, by)
        await hub.vault.hold(session)
        for name in SEALED:
            setattr(connection, name, hub.vault.renewed(getattr(connection, name)))
        saved = await session.merge(connection)
        await session.flush()
        if report is not None:
            await record_check(session, saved, report)
        await publish(session, "connection", connection_id=saved.id, change="added")
        await session.refresh(saved)
        session.expunge(saved)
    return saved


async def _free_slug(session: AsyncSession, wanted: str | None, name: str) -> str:
    """The wanted slug or Conflict; else the first free one that the name makes.

    A schema that is there already is somebody's: no mirror may be laid over it, or drop it later.
    A word that SQL keeps would have to be quoted by everyone who looks at the mirror.
    """
    taken = text(
        "SELECT slug FROM bascule.connections UNION SELECT nspname FROM pg_namespace"
        " UNION SELECT word FROM pg_get_keywords() WHERE catcode IN ('R', 'T')"
    )
    names = set((await session.scalars(taken)).all())
    if wanted is not None and wanted in names:
        raise Conflict(
            f"The slug '{wanted}' is taken by another connection, a schema of this database or a "
            "word that SQL keeps.",
            next_step="Choose another slug, or leave it out to have one made.",
        )
    base = wanted or slug_of(name)
    numbered = (f"{base}_{number}" for number in count(2))
    return next(slug for slug in chain([base], numbered) if slug not in names)


def _plan(connection: Connection) -> None:
    now = datetime.now(UTC)
    phase = schedules.phase_of(connection.id)
    connection.next_sync_at = schedules.next_time(connection.schedule, now, phase=phase)
    connection.next_verify_at = schedules.next_verify(connection.schedule, now, phase=phase)
