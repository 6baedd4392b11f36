"""The deliveries of all sources over HTTP: whether they arrive, and one dispatched again."""

from typing import Annotated

from fastapi import APIRouter, Path, Query, Request

from bascule.accounts.access import MayRead, TheHub
from bascule.audit.entries import entry_of
from bascule.connections.dependencies import MayEditConnections
from bascule.inbox.schemas import InboxDeliveries, InboxDelivery, RetriedDelivery, SourceAnswer
from bascule.inbox.status import (
    DeliveryState,
    Wanted,
    deliveries_seen,
    retry_delivery,
    status_of_sources,
)

router = APIRouter(prefix="/api/deliveries", tags=["Webhooks"])
BIGGEST = 2**63 - 1  # of a bigint
Number = Annotated[int, Path(ge=1, le=BIGGEST, description="A delivery's id, as the list has it.")]


@router.get("")
async def inbox_deliveries(
    hub: TheHub,
    user: MayRead,
    source: Annotated[str | None, Query(max_length=100, description="A source's name.")] = None,
    state: DeliveryState | None = None,
    connector: Annotated[str | None, Query(max_length=100, description="A slug.")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    before: Annotated[
        int | None, Query(ge=1, le=BIGGEST, description="`next` of the page before.")
    ] = None,
) -> InboxDeliveries:
    """Whether the deliveries of each source arrive, and what arrived, newest first, with what came
    of it at each subscriber. The last 30 days are kept, and of a busy connector less.
    """
    wanted = Wanted(source, state, connector)
    async with hub.db.session() as session:
        sources = await status_of_sources(session, user)
        found = await deliveries_seen(session, user, wanted, limit + 1, before)
        page = [InboxDelivery.of(*each) for each in found[:limit]]
    return InboxDeliveries(
        sources=[SourceAnswer.of(status) for status in sources],
        deliveries=page,
        next=page[-1].id if len(found) > limit else None,
    )


@router.post(
    "/{delivery}/retry",
    name="retry_delivery",
    responses={409: {"description": "It does not wait for another attempt."}},
)
async def retry_one_delivery(
    request: Request, hub: TheHub, user: MayEditConnections, delivery: Number
) -> RetriedDelivery:
    """Dispatches one again, at once, to the subscribers that failed."""
    entry_of(request).object = str(delivery)
    found = await retry_delivery(hub, delivery, by=user)
    return RetriedDelivery(id=found.id, state="kept")
