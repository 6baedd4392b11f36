"""A site connected, or connected otherwise, together with what that means for its mirror."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import update

from bascule.accounts.tables import User
from bascule.connections.check_report import CheckReport
from bascule.connections.sharing import WAY_IN
from bascule.connections.tables import Connection
from bascule.errors import Invalid
from bascule.hub import Hub
from bascule.mirror.pull.patience import FORGOTTEN
from bascule.mirror.runs.resume import go_on
from bascule.mirror.runs.start import start_runs
from bascule.mirror.streams.left_off import keep_left_off, unreadable
from bascule.mirror.streams.presets import (
    PRESET_OF,
    PRESETS,
    doctypes_named,
    presets_named,
    presets_of,
)
from bascule.mirror.streams.settings import add_streams, change_stream, streams_of
from bascule.mirror.tables import Stream
from bascule.mirror.views import rebuild_views
from bascule.sites.fields import NewConnection
from bascule.sites.service import change_connection, connect_site

SHOWN_BY = {"include_disabled", "warehouse_filter"}  # what the views ask of a connection


async def set_up(
    hub: Hub,
    new: NewConnection,
    *,
    by: User | None,
    streams: Sequence[str] | None = None,
    test: bool = True,
    start: bool = True,
    trigger: str,
) -> tuple[Connection, CheckReport | None, list[int]]:
    """A connection with its streams, what its site said, and the runs of the first sync.

    `streams`: presets and DocTypes instead of what the switches of `new` say. A DocType that may
    not be read becomes no stream, and is kept in `left_off`; the report says why. Invalid: one of
    no preset is named and `test` is off.
    """
    doctypes: list[str] = []
    if streams is not None:
        doctypes = [name for name in doctypes_named(streams) if name not in PRESET_OF]
        if doctypes and not test:
            raise Invalid(
                f"Whether the site has {', '.join(doctypes)} is not known before it was asked.",
                next_step="Connect with the presets alone, or let the connection be tested.",
                fields={"streams": "names DocTypes that are no preset's"},
            )
        new = _switched(new, streams)
    connection, report = await connect_site(hub, new, by=by, test=test, wanted=streams)
    there = [name for name in doctypes if report is not None and report.readable.get(name)]
    ready_made = (
        [preset.name for preset in presets_of(connection)]
        if streams is None
        else [name for name in doctypes_named(streams) if name in PRESET_OF]
    )
    left_off = [name for name in unreadable(report) if name not in there]
    wanted = [name for name in doctypes_named(ready_made) if name not in left_off]
    await add_streams(hub, connection, [*wanted, *there], by=by)
    if left_off:
        await keep_left_off(hub, connection, left_off)
        connection.left_off = left_off
    runs = await start_runs(hub, connection, kind="sync", trigger=trigger, by=by) if start else []
    return connection, report, runs


def _switched(new: NewConnection, streams: Sequence[str]) -> NewConnection:
    """With the presets' switches as the streams are."""
    named = {preset.name for preset in presets_named(streams)}
    return replace(
        new,
        sync_inventory="inventory" in named,
        sync_orders="orders" in named,
        sync_suppliers="suppliers" in named,
    )


async def change(
    hub: Hub,
    connection: Connection,
    changes: dict[str, Any],
    *,
    by: User | None,
    test: bool = True,
) -> Connection:
    """A changed connection; its streams follow their switches, its views show what they shall.
    Where another way in was accepted, what had failed is started again.
    """
    changed = await change_connection(hub, connection, changes, by=by, test=test)
    async with hub.db.session() as session:  # what made a stream fail may be mended by it
        its = update(Stream).where(Stream.connection_id == changed.id)
        await session.execute(its.values(**FORGOTTEN))
    if WAY_IN & changes.keys() and changed.health == "ok":
        await go_on(hub, changed)
    for preset in PRESETS.values():
        if preset.switch in changes:
            await _switch(hub, changed, preset.name, on=getattr(changed, preset.switch))
    if SHOWN_BY & changes.keys():
        async with hub.db.connection() as conn:
            await rebuild_views(conn, schema=changed.slug)
    return changed


async def _switch(hub: Hub, connection: Connection, preset: str, *, on: bool) -> None:
    if on:
        await add_streams(hub, connection, [preset])
    async with hub.db.session() as session:
        streams = [s for s in await streams_of(session, connection) if s.preset == preset]
        session.expunge_all()
    for stream in streams:
        await change_stream(hub, connection, stream, {"enabled": on})
