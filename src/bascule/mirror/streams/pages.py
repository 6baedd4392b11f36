"""Streams on pages: added, started, switched, filtered, shaped and removed."""

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request, Response

from bascule.accounts.access import MayRead, TheHub
from bascule.connections.api import TheConnection
from bascule.connections.tables import Connection
from bascule.errors import HubError, Invalid
from bascule.frappe import FrappeError
from bascule.hub import Hub
from bascule.mirror.api import TheStream
from bascule.mirror.connection_page import RunNumber, begun, page_of
from bascule.mirror.dependencies import MayManageStreams, MaySync
from bascule.mirror.runs.manual_runs import begin
from bascule.mirror.runs.quiet import quiet_days
from bascule.mirror.runs.run_batches import last_proofs, stream_batches, under_way
from bascule.mirror.runs.timeline import timeline
from bascule.mirror.schema.migration import columns_there
from bascule.mirror.streams import form
from bascule.mirror.streams.pending import limits, pending
from bascule.mirror.streams.presets import PRESETS, Preset
from bascule.mirror.streams.settings import add_streams, change_stream, delete_stream, streams_of
from bascule.mirror.tables import Stream
from bascule.sites.choices import found_doctypes
from bascule.sites.pool import open_site
from bascule.ui import back_to, render

pages = APIRouter(prefix="/connectors/{connector}/streams", include_in_schema=False)
MOST_OFFERED = 50
Short = Annotated[str, Form(max_length=200)]
Long = Annotated[str, Form(max_length=100_000)]


@pages.get("")
async def new_streams_page(
    request: Request,
    hub: TheHub,
    user: MayManageStreams,
    connection: TheConnection,
    words: Annotated[str, Query(max_length=140, alias="doctype")] = "",
) -> Response:
    """`doctype`: a part of the name of one that is looked for on the site."""
    return await _offer(request, hub, connection, words)


async def _offer(
    request: Request, hub: Hub, connection: Connection, words: str, refused: HubError | None = None
) -> Response:
    async with hub.db.session() as session:
        there = {s.doctype: s.enabled for s in await streams_of(session, connection)}
    found: list[str] | None = []
    if words.strip() and refused is None:
        try:
            async with open_site(hub, connection) as site:
                found = await found_doctypes(site, words.strip())
        except (FrappeError, HubError):
            found = None
    return render(
        request,
        "mirror/streams_new.html",
        422 if refused else 200,
        connection=connection,
        presets=_missing(there),
        words=words,
        found=None if found is None else found[:MOST_OFFERED],
        more=max(0, len(found or []) - MOST_OFFERED),
        there=there,
        refused=refused,
    )


def _missing(there: dict[str, bool]) -> list[tuple[Preset, list[str]]]:
    """The presets, and what each would add."""
    offered = [(p, [d for d in p.doctypes if not there.get(d)]) for p in PRESETS.values()]
    return [(preset, doctypes) for preset, doctypes in offered if doctypes]


@pages.post("")
async def add_stream(
    request: Request,
    hub: TheHub,
    user: MayManageStreams,
    connection: TheConnection,
    doctype: Short = "",
) -> Response:
    """Adds a DocType or all those of a preset, and pulls them at once."""
    try:
        added = await add_streams(hub, connection, [doctype.strip()], by=user)
    except (HubError, FrappeError) as refused:
        if not isinstance(refused, HubError):
            refused = Invalid(str(refused), next_step=refused.next_step)
        return await _offer(request, hub, connection, doctype, refused)
    found = await begin(hub, connection, "sync", [stream.doctype for stream in added], by=user)
    names = ", ".join(stream.doctype for stream in added)
    said = f"Added {names}. {found.said}"
    return back_to(page_of(connection), said, kind=found.kind_said, next_step=found.next_step)


@pages.get("/{stream}")
async def stream_page(
    request: Request,
    hub: TheHub,
    user: MayRead,
    connection: TheConnection,
    stream: TheStream,
    before: RunNumber = None,
) -> Response:
    typed = form.as_text(stream)
    return await _page(request, hub, connection, stream, typed, before=before)


async def _page(
    request: Request,
    hub: Hub,
    connection: Connection,
    stream: Stream,
    typed: dict[str, str],
    *,
    before: int | None = None,
    refused: Invalid | None = None,
) -> Response:
    async with hub.db.session() as session:
        doing = await under_way(session, connection)
        rounds, older = await stream_batches(session, connection, stream, before)
        quiet = await quiet_days(session, connection, stream)
        proofs = await last_proofs(session, connection, [stream])
    async with hub.db.connection() as conn:
        fields = await columns_there(conn, connection.slug, stream.table_name)
    return render(
        request,
        "mirror/stream.html",
        422 if refused else 200,
        connection=connection,
        stream=stream,
        typed=typed,
        refused=refused,
        doing=doing.get(stream.id),
        rounds=rounds,
        quiet=quiet,
        older=older,
        before=before,
        chart=timeline(rounds, _page_of(connection, stream), before),
        proof=proofs.get(stream.id),
        pending=pending(connection, stream),
        limits=limits(stream),
        fields=list(fields.values()),
    )


def _page_of(connection: Connection, stream: Stream) -> str:
    return f"{page_of(connection)}/streams/{stream.table_name}"


@pages.post("/{stream}")
async def change_one_stream(
    request: Request,
    hub: TheHub,
    user: MayManageStreams,
    connection: TheConnection,
    stream: TheStream,
    filters: Long = "",
    omit: Long = "",
    rename: Long = "",
) -> Response:
    """Filter, fields left out and renamed, as they were typed."""
    typed = {"filters": filters, "omit": omit, "rename": rename}
    try:
        changes = form.from_text(typed)
        changed = await change_stream(hub, connection, stream, changes, by=user)
    except Invalid as refused:
        return await _page(request, hub, connection, stream, typed, refused=refused)
    return back_to(
        _page_of(connection, changed),
        f"{changed.doctype} is saved.",
        next_step=pending(connection, changed) or "The next sync brings the tables in line.",
    )


@pages.post("/{stream}/switch")
async def switch_stream(
    hub: TheHub,
    user: MayManageStreams,
    connection: TheConnection,
    stream: TheStream,
    on: Short = "",
) -> Response:
    """On or off. Its tables stay; the next sync of a stream that is on goes on where it was."""
    changed = await change_stream(hub, connection, stream, {"enabled": bool(on)}, by=user)
    step = (
        "The next sync goes on where it was."
        if changed.enabled
        else "Its table stays as it is, and is synced no more."
    )
    said = f"{changed.doctype} is switched {'on' if changed.enabled else 'off'}."
    return back_to(page_of(connection), said, next_step=step)


@pages.post("/{stream}/sync")
async def sync_stream(
    hub: TheHub, user: MaySync, connection: TheConnection, stream: TheStream, full: Short = ""
) -> Response:
    kind, to = "full" if full else "sync", _page_of(connection, stream) if full else ""
    return await begun(hub, user, connection, kind, [stream.doctype], to or page_of(connection))


@pages.post("/{stream}/verify")
async def verify_stream(
    hub: TheHub, user: MaySync, connection: TheConnection, stream: TheStream, repair: Short = ""
) -> Response:
    kind = "repair" if repair else "verify"
    return await begun(hub, user, connection, kind, [stream.doctype], page_of(connection))


@pages.post("/{stream}/remove")
async def delete_one_stream(
    hub: TheHub, user: MayManageStreams, connection: TheConnection, stream: TheStream
) -> Response:
    await delete_stream(hub, connection, stream)
    said = f"{stream.doctype} is mirrored no longer; its table {stream.table_name} is dropped."
    return back_to(page_of(connection), said)
