"""A connector's webhooks over HTTP: how they stand, set up, mended, removed, and what came."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Query, Request

from bascule.accounts.access import TheHub, require
from bascule.accounts.origin import public_url
from bascule.accounts.permissions import DATA_READ
from bascule.connections.api import TheConnection
from bascule.connections.dependencies import MayEditConnections
from bascule.connections.tables import Connection
from bascule.hub import Hub
from bascule.inbox.dispatch import try_failed_again
from bascule.inbox.frappe.schemas import (
    Deliveries,
    DeliveryAnswer,
    DeliveryState,
    NewSecret,
    OrphanAnswer,
    Orphans,
    RemovedAnswer,
    RetriedDeliveries,
    WebhooksAnswer,
    WebhooksOrder,
)
from bascule.inbox.frappe.site import setup
from bascule.inbox.frappe.site.monitor import check
from bascule.inbox.frappe.site.orphans import find_orphans, remove_orphans
from bascule.inbox.frappe.site.webhooks import Brought
from bascule.inbox.frappe.status import deliveries_of, standing_of

router = APIRouter(prefix="/api/connectors/{connector}/webhooks", tags=["Webhooks"])
TO_READ = [Depends(require(DATA_READ))]
BIGGEST = 2**63 - 1  # of a bigint
Responses = dict[int | str, dict[str, Any]]
AT_THE_SITE: Responses = {
    400: {"description": "The site refused it; what it says is in `detail`."},
    409: {"description": "Not now, or not by the hub: they were made by hand."},
    502: {"description": "The site did not answer as one."},
}


@router.get("", dependencies=TO_READ)
async def webhooks(hub: TheHub, connection: TheConnection) -> WebhooksAnswer:
    """Whether this connector's webhooks arrive, and what is wrong with them. Asks no site."""
    return await _shown(hub, connection)


@router.put("", responses=AT_THE_SITE)
async def set_up_webhooks(
    request: Request,
    hub: TheHub,
    user: MayEditConnections,
    connection: TheConnection,
    body: Annotated[WebhooksOrder | None, Body()] = None,
) -> WebhooksAnswer:
    """Makes the webhooks on the site, signed with a secret that the hub makes; said again, it
    changes and mends them. This writes Webhook documents to ERPNext, for which the hub's user needs
    the role System Manager there. For a connector that all share it needs an admin.
    """
    order = (body or WebhooksOrder()).order()
    here = public_url(request, hub.settings)
    done = await setup.set_up(hub, connection, order, by=user, asked_at=here)
    return await _shown(hub, connection, done)


@router.delete("", responses=AT_THE_SITE)
async def remove_webhooks(
    hub: TheHub,
    user: MayEditConnections,
    connection: TheConnection,
    at_the_site: Annotated[
        bool,
        Query(
            description="Remove them there; false only forgets them here, for a site that is "
            "gone. What it still sends is refused then."
        ),
    ] = True,
) -> RemovedAnswer:
    """Removes the connector's webhooks from the site, and refuses what still comes. For a
    connector that all share it needs an admin.
    """
    removed = await setup.remove(hub, connection, by=user, at_the_site=at_the_site)
    return RemovedAnswer(removed=removed)


@router.post("/check", responses=AT_THE_SITE)
async def check_webhooks(
    hub: TheHub, user: MayEditConnections, connection: TheConnection
) -> WebhooksAnswer:
    """Asks the site how its webhooks are, what it could not deliver, and what changed there without
    a word. It is asked every quarter of an hour too. Writes nothing there.
    """
    await check(hub, connection)
    return await _shown(hub, connection)


@router.post("/mend", responses=AT_THE_SITE)
async def mend_webhooks(
    hub: TheHub, user: MayEditConnections, connection: TheConnection
) -> WebhooksAnswer:
    """Makes what is missing on the site, sets what was altered, removes what is there twice."""
    return await _shown(hub, connection, await setup.mend(hub, connection))


@router.post("/rotate", responses=AT_THE_SITE)
async def rotate_secret_of_webhooks(
    hub: TheHub,
    user: MayEditConnections,
    connection: TheConnection,
    body: Annotated[NewSecret | None, Body()] = None,
) -> WebhooksAnswer:
    """Another secret, here and on the site; for an hour more the old one is accepted too. For a
    connector that all share it needs an admin.
    """
    given = body.secret.get_secret_value() if body and body.secret else None
    done = await setup.rotate(hub, connection, given, by=user)
    return await _shown(hub, connection, done)


@router.post("/orphans", responses=AT_THE_SITE)
async def orphans(
    request: Request, hub: TheHub, user: MayEditConnections, connection: TheConnection
) -> Orphans:
    """Asks the site for webhooks that lead to this hub and belong to no connector, such as those
    of one that was deleted. Each is refused, and others wait behind it in the site's queue.
    """
    here = public_url(request, hub.settings)
    found = await find_orphans(hub, connection, asked_at=here)
    return Orphans(orphans=[OrphanAnswer.model_validate(each) for each in found])


@router.delete("/orphans", responses=AT_THE_SITE)
async def remove_orphaned_webhooks(
    request: Request, hub: TheHub, user: MayEditConnections, connection: TheConnection
) -> RemovedAnswer:
    """Removes those from the site. For a connector that all share it needs an admin."""
    here = public_url(request, hub.settings)
    removed = await remove_orphans(hub, connection, by=user, asked_at=here)
    await check(hub, connection)
    return RemovedAnswer(removed=removed)


@router.get("/deliveries", dependencies=TO_READ)
async def deliveries(
    hub: TheHub,
    connection: TheConnection,
    state: DeliveryState | None = None,
    doctype: Annotated[str | None, Query(max_length=140)] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    before: Annotated[
        int | None, Query(ge=1, le=BIGGEST, description="`next` of the page before.")
    ] = None,
) -> Deliveries:
    """What arrived, newest first. The last 30 days are kept, and of a busy connector less."""
    async with hub.db.session() as session:
        found = await deliveries_of(
            session, connection, limit + 1, before, state=state, doctype=doctype
        )
    page = [DeliveryAnswer.of(delivery) for delivery in found[:limit]]
    return Deliveries(deliveries=page, next=page[-1].id if len(found) > limit else None)


@router.post("/deliveries/retry")
async def retry_deliveries(
    hub: TheHub, user: MayEditConnections, connection: TheConnection
) -> RetriedDeliveries:
    """Tells again of what could not be worked off, and at once of what waits for a later try."""
    return RetriedDeliveries(deliveries=await try_failed_again(hub, connection.id))


async def _shown(hub: Hub, connection: Connection, done: Brought | None = None) -> WebhooksAnswer:
    async with hub.db.session() as session:
        return WebhooksAnswer.of(await standing_of(session, connection), done)
