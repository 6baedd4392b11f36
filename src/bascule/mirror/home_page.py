"""The first page: how each connection stands, and what needs somebody."""

from datetime import UTC, datetime

from fastapi import APIRouter, Request, Response

from bascule.accounts.access import TheHub, Viewer
from bascule.accounts.tokens import ending_soon
from bascule.connections.needs import needs_of
from bascule.mirror.overview import statuses
from bascule.ui import render

pages = APIRouter(include_in_schema=False)


@pages.get("/")
async def home(request: Request, hub: TheHub, user: Viewer) -> Response:
    async with hub.db.session() as session:
        found = await statuses(session, user)
        tokens = await ending_soon(session, user)
        others = await needs_of(session, user)
    needs = [(connector, need) for connector in found for need in connector.attention]
    return render(
        request,
        "mirror/home.html",
        connectors=found,
        needs=needs,
        others=others,
        tokens=tokens,
        now=datetime.now(UTC),
    )
