"""The lists of connections over HTTP: themselves, and how they stand; searched and in pages."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from bascule.accounts.access import MayRead, TheHub
from bascule.connections.schemas import Connector, Connectors
from bascule.mirror.schemas import StatusAnswer
from bascule.mirror.status.roster import MOST, Roster, RosterQuery, find, page_of
from bascule.mirror.status.states import State

router = APIRouter()


async def a_page(
    hub: TheHub,
    user: MayRead,
    search: Annotated[
        str,
        Query(max_length=200, description="Words in the name, the slug, the address or the group."),
    ] = "",
    state: Annotated[State | None, Query(description="Those that stand so.")] = None,
    group: Annotated[str, Query(max_length=100, description="Those of this group.")] = "",
    after: Annotated[
        str, Query(max_length=100, description="`next` of the page before: a slug.")
    ] = "",
    limit: Annotated[
        int | None, Query(ge=1, le=MOST, description="How many at most; left out: all of them.")
    ] = None,
) -> Roster:
    async with hub.db.session() as session:
        found = await find(session, user, RosterQuery(search, state or "", group))
        first = found.behind(after) if after else 0
        page = await page_of(session, found, first=first, limit=limit)
        session.expunge_all()
    return page


APage = Annotated[Roster, Depends(a_page)]


@router.get("/api/connectors", tags=["Connectors"])
async def connectors(page: APage) -> Connectors:
    """The connections that are shared or yours, by name, without their secrets."""
    listed = [Connector.of(connection) for connection in page.connections]
    return Connectors(connectors=listed, counts=page.counts, total=page.total, next=page.next)


@router.get("/api/connectors/status", tags=["Sync"])
async def status(page: APage) -> StatusAnswer:
    """Each connection, by name: how it stands, when it was last synced, how much is here."""
    return StatusAnswer(
        connectors=page.statuses, counts=page.counts, total=page.total, next=page.next
    )
