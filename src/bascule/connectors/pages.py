"""Connectors: those that are there, those that can be had, and the form that connects a site."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from bascule.accounts.access import MayRead, TheHub
from bascule.audit.entries import about, do_not_record
from bascule.connections.dependencies import MayEditConnections
from bascule.connections.types.registry import CATEGORIES, ConnectorType, find_types, type_named
from bascule.connectors.form import MENDABLE, Form, blank, filled, onwards, show
from bascule.errors import Invalid
from bascule.mirror.setup import set_up
from bascule.mirror.status.roster import RosterQuery, find, page_of
from bascule.mirror.status.roster_page import FEW
from bascule.mirror.streams.left_off import told
from bascule.sites.cleanup.cleanups import list_cleanups, who_decides
from bascule.sites.forms import new_connection
from bascule.sites.trial import try_out
from bascule.ui import back_to, render
from bascule.ui.filters import plural

pages = APIRouter(include_in_schema=False)
# A picture of each category; the emoji that programs are told of are not in every font.
SIGNS = {
    "erp": "building-store",
    "finance": "receipt",
    "construction": "box",
    "logistics": "truck",
    "data": "database",
    "events": "bolt",
    "files": "file-text",
}
Words = Annotated[str, Query(max_length=200)]


@pages.get("/connectors")
async def connectors_page(
    request: Request, hub: TheHub, user: MayRead, search: Words = "", category: Words = ""
) -> Response:
    async with hub.db.session() as session:
        page = await page_of(session, await find(session, user, RosterQuery()), limit=FEW)
        cleanups = await list_cleanups(session, user)
        session.expunge_all()
    return render(
        request,
        "connectors/connectors.html",
        found=dict(zip(page.connections, page.statuses, strict=True)),
        everything=page.everything,
        cleanups=[(each, user.may(who_decides(each))) for each in cleanups],
        types=find_types(search, category),
        categories=CATEGORIES,
        signs=SIGNS,
        search=search,
        category=category,
    )


def type_in_path(kind: str) -> ConnectorType:
    return type_named(kind)


TheType = Annotated[ConnectorType, Depends(type_in_path)]
NEW = "connectors/new.html"


@pages.get("/connectors/new/{kind}")
async def new_connector_page(request: Request, user: MayEditConnections, kind: TheType) -> Response:
    return show(request, NEW, blank(kind, user))


@pages.post("/connectors/new/{kind}/validate", dependencies=[Depends(do_not_record)])
async def validate_new_connector(
    request: Request, hub: TheHub, user: MayEditConnections, kind: TheType
) -> Response:
    """What is wrong so far. A field that was left asks this, and takes what is about it."""
    form = await filled(request, blank(kind, user))
    form.look_over(hub.settings)
    return show(request, NEW, form)


@pages.post("/connectors/new/{kind}/test")
async def test_new_connector(
    request: Request, hub: TheHub, user: MayEditConnections, kind: TheType
) -> Response:
    """Asks the site, and saves nothing."""
    form = await filled(request, blank(kind, user))
    try:
        form.judge(hub.settings)
        new, wanted = new_connection(form.values), form.values["streams"]
        form.tried(await try_out(hub, new, wanted, by=user))
    except Invalid as refused:
        form.refuse(refused)
        return show(request, NEW, form, 422)
    return show(request, NEW, form)


@pages.post("/connectors/new/{kind}", name="set_up_erpnext")
async def connect_page(
    request: Request, hub: TheHub, user: MayEditConnections, kind: TheType
) -> Response:
    form = await filled(request, blank(kind, user))
    try:
        return await _connect(request, hub, user, form)
    except MENDABLE as refused:
        form.saving = True
        form.refuse(refused)
        return show(request, NEW, form, 422)


async def _connect(request: Request, hub: TheHub, user: MayEditConnections, form: Form) -> Response:
    form.judge(hub.settings)
    connection, report, runs = await set_up(
        hub,
        new_connection(form.values),
        by=user,
        streams=form.values["streams"],
        trigger="page",
    )
    about(request, connection)
    left_off = told(report, connection.left_off) if report and connection.left_off else ("", "")
    to = back_to(
        f"/connectors/{connection.slug}",
        f"{connection.name} is connected; started pulling {plural(len(runs), 'stream')}.",
        next_step=" ".join(filter(None, left_off)),
    )
    return onwards(request, to)
