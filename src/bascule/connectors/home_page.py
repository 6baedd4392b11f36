"""The first page: how each connection stands, and what needs somebody."""

from fastapi import APIRouter, Request, Response

from bascule.accounts.access import MayRead, TheHub
from bascule.attention.items import attention_items_of
from bascule.mirror.status.roster_page import APageOfThem, listed
from bascule.ui import render

pages = APIRouter(include_in_schema=False)
MOST_NEEDS = 8  # the rest is a page away


@pages.get("/")
async def home(request: Request, hub: TheHub, user: MayRead, asked: APageOfThem) -> Response:
    async with hub.db.session() as session:
        found = await listed(session, user, asked)
        needs = await attention_items_of(hub, session, user)
        session.expunge_all()
    return render(
        request,
        "connectors/home.html",
        found=found,
        needs=needs[:MOST_NEEDS],
        more_needs=len(needs) - MOST_NEEDS,
    )
