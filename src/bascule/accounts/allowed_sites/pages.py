"""The page Sites in your network, for admins; see `allowlist`."""

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response

from bascule.accounts.access import MayAllowSites, TheHub
from bascule.accounts.allowed_sites.allowlist import allow, allowed_sites, forbid
from bascule.accounts.people.users import list_people
from bascule.audit.entries import entry_of
from bascule.errors import Invalid
from bascule.hub import Hub
from bascule.ui import back_to, render

pages = APIRouter(include_in_schema=False)
HERE = "/people/sites"
Typed = Annotated[str, Form(max_length=2000)]


@pages.get(HERE)
async def allowed_sites_page(request: Request, hub: TheHub, user: MayAllowSites) -> Response:
    return await _page(request, hub)


@pages.post(HERE, name="allow_site")
async def allow_form(
    request: Request, hub: TheHub, user: MayAllowSites, address: Typed = ""
) -> Response:
    try:
        async with hub.db.session() as session:
            allowed = await allow(session, address, user)
    except Invalid as refused:
        return await _page(request, hub, typed=address, refused=refused)
    entry_of(request).object = allowed.place
    return back_to(HERE, f"Editors may connect to {allowed.place}.")


@pages.post(HERE + "/forbid", name="forbid_site")
async def forbid_form(
    request: Request, hub: TheHub, user: MayAllowSites, place: Typed = ""
) -> Response:
    async with hub.db.session() as session:
        forbidden = await forbid(session, place)
    entry_of(request).object = forbidden.place
    return back_to(HERE, f"{forbidden.place} is not connected to any more.")


async def _page(
    request: Request, hub: Hub, *, typed: str = "", refused: Invalid | None = None
) -> Response:
    async with hub.db.session() as session:
        sites = await allowed_sites(session)
        names = {person.id: person.username for person in await list_people(session)}
    return render(
        request,
        "accounts/allowed.html",
        422 if refused else 200,
        sites=sites,
        names=names,
        typed=typed,
        refused=refused,
    )
