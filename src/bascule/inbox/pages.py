"""The page *Deliveries*: whether the webhooks of every source arrive, and what came of them."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from bascule.accounts.access import MayRead, TheHub
from bascule.audit.entries import entry_of
from bascule.connections.dependencies import MayEditConnections
from bascule.connections.permissions import CONNECTIONS_EDIT
from bascule.errors import Conflict
from bascule.inbox.api import BIGGEST, Number
from bascule.inbox.schemas import event_label, outcomes_of
from bascule.inbox.sources import SOURCES
from bascule.inbox.status import (
    DeliveryState,
    Wanted,
    deliveries_seen,
    retry_delivery,
    status_of_sources,
)
from bascule.ui import back_to, render

pages = APIRouter(prefix="/deliveries", include_in_schema=False)
SHOWN = 50  # deliveries on a page
BACK = "/deliveries"


@pages.get("")
async def deliveries_page(
    request: Request,
    hub: TheHub,
    user: MayRead,
    source: Annotated[str | None, Query(max_length=100)] = None,
    state: DeliveryState | None = None,
    before: Annotated[int | None, Query(ge=1, le=BIGGEST)] = None,
) -> Response:
    async with hub.db.session() as session:
        statuses = await status_of_sources(session, user)
        wanted = Wanted(source, state)
        found = await deliveries_seen(session, user, wanted, SHOWN + 1, before)
        session.expunge_all()
    return render(
        request,
        "inbox/deliveries.html",
        statuses=statuses,
        titles={name: each.title for name, each in SOURCES.items()},
        deliveries=[
            (delivery, connection, event_label(delivery), outcomes_of(delivery))
            for delivery, connection in found[:SHOWN]
        ],
        older=found[SHOWN - 1][0].id if len(found) > SHOWN else None,
        before=before,
        source=source,
        state=state,
        may_edit=user.may(CONNECTIONS_EDIT),
    )


@pages.post("/{delivery}/retry", name="retry_delivery")
async def retry_form(
    request: Request, hub: TheHub, user: MayEditConnections, delivery: Number
) -> Response:
    entry_of(request).object = str(delivery)
    try:
        await retry_delivery(hub, delivery, by=user)
    except Conflict as refused:
        return back_to(BACK, refused.message, kind="failed", next_step=refused.next_step)
    return back_to(BACK, "The delivery is dispatched again.")
