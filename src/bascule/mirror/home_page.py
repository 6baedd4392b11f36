"""The first page: how each connection stands, and what needs somebody."""

from fastapi import APIRouter, Request, Response

from bascule.accounts.access import TheHub, Viewer
from bascule.connections.needs import needs_of
from bascule.mirror.overview import statuses
from bascule.ui import render

pages = APIRouter(include_in_schema=False)


@pages.get("/")
async def home(request: Request, hub: TheHub, user: Viewer) -> Response:
    async with hub.db.session() as session:
        connectors = await statuses(session, user)
        needs = await needs_of(hub, session, user)
    return render(request, "mirror/home.html", connectors=connectors, needs=needs)
