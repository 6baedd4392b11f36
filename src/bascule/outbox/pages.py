"""The page Outbox: what waits, what failed and why; and a page for each write."""

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request, Response

from bascule.accounts.access import MayRead, TheHub
from bascule.connections.queries import list_connections
from bascule.errors import Conflict
from bascule.outbox import decisions, queries
from bascule.outbox.api import BIGGEST, Number
from bascule.outbox.dependencies import MayManageOutbox, write_to_decide
from bascule.outbox.permissions import OUTBOX_MANAGE
from bascule.outbox.queries import State, Wanted
from bascule.outbox.sending.redaction import as_kept
from bascule.ui import back_to, is_htmx, page_url, render
from bascule.ui.filters import plural

pages = APIRouter(prefix="/outbox", include_in_schema=False)
PAGE = 50
LABELS: dict[State, str] = {
    "waiting": "Waiting",
    "sending": "Sending",
    "in_doubt": "Answer lost",
    "failed": "Failed",
    "written": "Written",
    "given_up": "Given up",
}
Asked = Annotated[str, Query(max_length=200)]


@pages.get("")
async def outbox_page(
    request: Request,
    hub: TheHub,
    user: MayRead,
    state: Asked = "",
    connector: Asked = "",
    doctype: Asked = "",
    search: Asked = "",
    before: Annotated[int | None, Query(ge=1, le=BIGGEST)] = None,
) -> Response:
    asked = {"state": state, "connector": connector, "doctype": doctype, "search": search}
    known = next((each for each in LABELS if each == state), None)
    wanted = Wanted(known, connector or None, doctype or None, search=search or None)
    async with hub.db.session() as session:
        found = await queries.list_writes(session, user, wanted, before=before, limit=PAGE + 1)
        counts = await queries.counts(session, user)
        connections = await list_connections(session, user)
        doctypes = await queries.doctypes(session, user)
        page = render(
            request,
            "outbox/outbox.html",
            found=found[:PAGE],
            counts=counts,
            labels=LABELS,
            asked=asked,
            filtered=any(asked.values()),
            connections={one.slug: one.name for one in connections},
            doctypes=doctypes,
            may_edit=user.may(OUTBOX_MANAGE),
            older=page_url("/outbox", asked.items(), before=found[PAGE - 1][0].id)
            if len(found) > PAGE
            else "",
            newest=page_url("/outbox", asked.items()) if before else "",
            twin=page_url("/api/outbox", asked.items(), before=before),
        )
    if is_htmx(request):
        page.headers["HX-Replace-Url"] = page_url("/outbox", asked.items(), before=before)
    return page


@pages.get("/{write}")
async def write_page(request: Request, hub: TheHub, user: MayRead, write: Number) -> Response:
    async with hub.db.session() as session:
        row, connection = await queries.find_write(session, user, write)
        return render(
            request,
            "outbox/write.html",
            write=row,
            connection=connection,
            values=as_kept(row.values),
            attempts=await queries.attempts_of(session, write),
            labels=LABELS,
            may_edit=user.may(OUTBOX_MANAGE),
            twin=f"/api/outbox/{write}",
        )


@pages.post("/retry", name="retry_writes")
async def retry_all(
    hub: TheHub, user: MayManageOutbox, connector: Annotated[str, Form(max_length=100)] = ""
) -> Response:
    async with hub.db.session() as session:
        wanted = Wanted(connector=connector or None)
        many = await queries.retry_failed(hub, session, user, wanted)
    if not many:
        return back_to("/outbox", "Nothing failed.", kind="note")
    return back_to("/outbox", f"Sending {plural(many, 'write')} again.")


@pages.post("/{write}/retry", name="retry_write")
async def retry_one(
    request: Request, hub: TheHub, user: MayManageOutbox, write: Number
) -> Response:
    at = f"/outbox/{write}"
    try:
        async with write_to_decide(request, hub, user, write) as (session, row, _):
            await decisions.retry(hub, session, row)
    except Conflict as refused:
        return back_to(at, refused.message, kind="failed", next_step=refused.next_step)
    return back_to(at, "It is sent again.")


@pages.post("/{write}/give-up", name="give_up_write")
async def give_up_one(
    request: Request, hub: TheHub, user: MayManageOutbox, write: Number
) -> Response:
    at = f"/outbox/{write}"
    try:
        async with write_to_decide(request, hub, user, write) as (session, row, _):
            await decisions.give_up(hub, session, row)
    except Conflict as refused:
        return back_to(at, refused.message, kind="failed", next_step=refused.next_step)
    return back_to(at, "Given up: it is not sent any more.")


@pages.post("/{write}/undo", name="undo_write")
async def undo_one(request: Request, hub: TheHub, user: MayManageOutbox, write: Number) -> Response:
    try:
        async with write_to_decide(request, hub, user, write) as (session, row, _):
            number = await decisions.undo(hub, session, row, by=user.username)
    except Conflict as refused:
        at = f"/outbox/{write}"
        return back_to(at, refused.message, kind="failed", next_step=refused.next_step)
    return back_to(f"/outbox/{number}", "This write takes it back.")
