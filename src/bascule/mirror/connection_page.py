"""A connection's own page: how it stands, its streams, its runs, the proof, and its end."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.accounts.access import MayRead, TheHub
from bascule.accounts.tables import User
from bascule.audit.entries import entry_of
from bascule.connections.api import TheConnection
from bascule.connections.deletion.delete import delete_connection
from bascule.connections.deletion.leaving import Leaving, leaving
from bascule.connections.dependencies import MayEditConnections
from bascule.connections.sharing import may_delete
from bascule.connections.tables import Connection
from bascule.errors import Conflict, NoSuch
from bascule.frappe import FrappeError
from bascule.hub import Hub
from bascule.inbox.frappe.tables import WebhookEndpoint
from bascule.mirror.attention import named
from bascule.mirror.dependencies import MaySync
from bascule.mirror.runs.cancel import cancel_runs
from bascule.mirror.runs.manual_runs import begin
from bascule.mirror.runs.quiet import quiet_days
from bascule.mirror.runs.resume import go_on
from bascule.mirror.runs.run_batches import batches_of, last_full, last_proofs, under_way
from bascule.mirror.runs.timeline import timeline
from bascule.mirror.status.overview import statuses_of
from bascule.mirror.streams.left_off import try_again
from bascule.mirror.streams.settings import streams_of
from bascule.mirror.tables import Stream
from bascule.sites.check import told_together
from bascule.sites.service import recheck
from bascule.ui import back_to, is_htmx, render
from bascule.ui.filters import plural

pages = APIRouter(prefix="/connectors/{connector}", include_in_schema=False)
BIGGEST = 2**63 - 1  # of a bigint
MOST_SAID = 3  # problems of a check that a message has room for
NEW = timedelta(days=1)  # as long as webhooks are offered
_NOTHING = Leaving([], [])
RunNumber = Annotated[int | None, Query(ge=1, le=BIGGEST)]


@pages.get("")
async def connection_page(
    request: Request,
    hub: TheHub,
    user: MayRead,
    connection: TheConnection,
    before: RunNumber = None,
    open: RunNumber = None,
) -> Response:
    """`before`: an older page of runs; `open`: the round whose runs are shown one by one."""
    async with hub.db.session() as session:
        [standing] = await statuses_of(session, [connection])
        streams = await streams_of(session, connection)
        doing = await under_way(session, connection)
        rounds, older = await batches_of(session, connection, before)
        quiet = await quiet_days(session, connection)
        differing = [s for s in streams if s.enabled and s.verified_equal is False]
        proofs = await last_proofs(session, connection, differing)
        # Only for a question that is asked outside of what is live.
        full = None if is_htmx(request) else await last_full(session, connection)
        ends = _NOTHING if is_htmx(request) else await leaving(session, connection)
        offered = may_delete(user, connection) and await _is_new(session, connection)
        session.expunge_all()
    return render(
        request,
        "mirror/connection.html",
        connection=connection,
        host=urlsplit(connection.api_url).netloc,
        standing=standing,
        streams=streams,
        doing=doing,
        rounds=rounds,
        older=older,
        quiet=quiet,
        before=before,
        opened=open,
        chart=timeline(rounds, page_of(connection), before),
        differing=differing,
        **_failed_together(streams),
        proofs=proofs,
        full=full,
        leaving=ends,
        offers_webhooks=offered,
        may_delete=may_delete(user, connection),
    )


async def _is_new(session: AsyncSession, connection: Connection) -> bool:
    """Connected lately, and without webhooks yet."""
    ends = select(WebhookEndpoint.id).where(WebhookEndpoint.connection_id == connection.id)
    lately = connection.created_at > datetime.now(UTC) - NEW
    return lately and await session.scalar(ends) is None


def _failed_together(streams: Sequence[Stream]) -> dict[str, Any]:
    """What several streams failed of, to be told once, and which streams it is `told` of. What is
    the site's or the user's rights is told of the connection.
    """
    elsewhere = {s.id for s in streams if s.trouble.get("kind") in ("site", "rights")}
    alike: dict[tuple[str, str], list[Stream]] = defaultdict(list)
    for stream in streams:
        if stream.enabled and stream.last_error is not None and stream.id not in elsewhere:
            alike[stream.last_error, stream.last_error_step or ""].append(stream)
    several = {why: failed for why, failed in alike.items() if len(failed) > 1}
    return {
        "together": [
            (what, step, named([stream.doctype for stream in failed]))
            for (what, step), failed in several.items()
        ],
        "told": elsewhere | {stream.id for failed in several.values() for stream in failed},
    }


def page_of(connection: Connection) -> str:
    return f"/connectors/{connection.slug}"


async def begun(
    hub: Hub, user: User, connection: Connection, kind: str, names: list[str] | None, to: str
) -> RedirectResponse:
    """Starts runs, and goes back to say which."""
    found = await begin(hub, connection, kind, names, by=user)
    return back_to(to, found.said, kind=found.kind_said, next_step=found.next_step)


@pages.post("/sync")
async def sync(hub: TheHub, user: MaySync, connection: TheConnection) -> Response:
    return await begun(hub, user, connection, "sync", None, page_of(connection))


@pages.post("/resync")
async def resync(hub: TheHub, user: MaySync, connection: TheConnection) -> Response:
    return await begun(hub, user, connection, "full", None, page_of(connection))


@pages.post("/verify")
async def verify(
    hub: TheHub,
    user: MaySync,
    connection: TheConnection,
    repair: Annotated[str, Form(max_length=10)] = "",
) -> Response:
    kind = "repair" if repair else "verify"
    return await begun(hub, user, connection, kind, None, page_of(connection))


@pages.post("/left-off", name="try_left_off")
async def try_left_off(hub: TheHub, user: MaySync, connection: TheConnection) -> Response:
    to = page_of(connection)
    try:
        tried = await try_again(hub, connection, by=user, trigger="page")
    except NoSuch as done:
        return back_to(to, done.message, kind="note")
    except FrappeError as error:
        return back_to(to, str(error), kind="failed", next_step=error.next_step)
    if tried.added:
        return back_to(to, tried.said)
    step = "Give the hub's user more roles in ERPNext (User, Roles), then try again."
    return back_to(to, tried.said, kind="note", next_step=step)


@pages.post("/cancel", name="cancel_all_runs")
async def cancel(
    request: Request, hub: TheHub, user: MaySync, connection: TheConnection
) -> Response:
    runs = await cancel_runs(hub, connection, by=user)
    entry_of(request).detail["runs"] = len(runs)
    if not runs:
        return back_to(page_of(connection), "Nothing was under way any more.", kind="note")
    said = f"Cancelled {plural(len(runs), 'run')}. What is here stays as it is."
    return back_to(page_of(connection), said)


@pages.post("/test")
async def test_connector(
    hub: TheHub, user: MayEditConnections, connection: TheConnection
) -> Response:
    report = await recheck(hub, connection)
    again = await go_on(hub, connection) if report.health == "ok" else []
    if report.ok:
        said = f"The site answers, and {report.user} may read everything that is wanted."
        more = f" What had failed was started again: {plural(len(again), 'stream')}."
        return back_to(page_of(connection), said + (more if again else ""))
    problems = told_together(report)
    said = " ".join(problem.what for problem in problems[:MOST_SAID])
    more = f" And {len(problems) - MOST_SAID} more." if len(problems) > MOST_SAID else ""
    return back_to(page_of(connection), said + more, kind="failed", next_step=problems[0].next_step)


@pages.post("/delete")
async def delete_connector(
    hub: TheHub,
    user: MayEditConnections,
    connection: TheConnection,
    typed: Annotated[str, Form(max_length=100)] = "",
    keep: Annotated[str, Form(max_length=10)] = "",
    keep_on_site: Annotated[str, Form(max_length=10)] = "",
) -> Response:
    if typed.strip() != connection.slug:
        return back_to(
            f"{page_of(connection)}#end",
            "Nothing was deleted: what was typed is not the connection's short name.",
            kind="failed",
            next_step=f"Type {connection.slug} to delete it.",
        )
    try:
        gone = await delete_connection(
            hub, connection, by=user, drop_mirror=not keep, keep_on_site=bool(keep_on_site)
        )
    except Conflict as refused:
        return back_to(
            page_of(connection), refused.message, kind="failed", next_step=refused.next_step
        )
    tables = f"{len(gone.tables)} table{'' if len(gone.tables) == 1 else 's'}"
    kept = f"its schema {gone.slug} with {tables} is "
    kept += "dropped" if gone.schema_dropped else "left where it is"
    site = gone.said()
    said = f"{connection.name} is deleted; {kept}{f'; {site}' if site else ''}."
    if gone.cleanup is None:
        return back_to("/connectors", said)
    why = gone.cleanup.error or "The site did not answer."
    return back_to("/connectors", said, kind="note", next_step=why)
