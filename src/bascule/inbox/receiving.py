"""Where the webhooks of every source arrive. The signature is their right: no user signs in here.

A thousand of them may come in a second, so nothing here asks the database for each.
"""

import re

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

from bascule.accounts.origin import address_of
from bascule.audit.counted import count
from bascule.errors import Invalid, NoSuch
from bascule.inbox.ingest import IncomingDelivery, ingest_buffer
from bascule.inbox.request_body import read_body
from bascule.inbox.sources import PATH, SOURCES, Arrival, Parsed, Source, Unreadable
from bascule.telemetry import count as counted

router = APIRouter(tags=["Webhooks"])
KEPT = b'{"kept":true}'
REFUSAL = "bascule.refusal"  # in the scope
LONGEST_ADDRESS = 200  # characters of its last part
CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


class Kept(BaseModel):
    kept: bool


# What a source sends is the source's to say.
ANY_JSON: dict[str, object] = {
    "type": "object",
    "properties": {},
    "description": "What the source sends, signed as it signs.",
    "example": {"id": "evt_1", "type": "payment.paid"},
}
REFUSES: dict[int | str, dict[str, object]] = {
    401: {"description": "Not signed as the source signs."},
    413: {"description": "The body is larger than the source's limit."},
    422: {"description": "The address has a control character."},
    503: {"description": "The hub's database cannot be reached, so it could not be kept."},
}


@router.post(
    f"{PATH}{{source}}/{{address}}",
    responses=REFUSES | {404: {"description": "There is no source of this name."}},
    response_model=Kept,
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": ANY_JSON}},
        }
    },
)
async def receive_webhook_of_source(request: Request, source: str, address: str) -> Response:
    """Where the webhooks of any source arrive, one address for each of its endpoints.

    Answered when the delivery is committed. The same delivery twice is kept once.
    """
    return refused(request)


def refused(request: Request) -> Response:
    """For the routes of deliveries: those that are kept were answered by the middleware."""
    refusal: Exception | None = request.scope.get(REFUSAL)
    if refusal is not None:
        raise refusal
    raise NoSuch(
        "No source of webhooks has this name.",
        next_step="Copy the address from the page of the connection that it belongs to.",
    )


class WebhookIngestMiddleware:
    """An ASGI middleware, before all others: takes deliveries without what they do not need, which
    would cost twice what they do. A refusal goes on to the route, and looks as every refusal does.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        before, path, rest = scope.get("path", "").partition(PATH)
        name, _, address = rest.partition("/")
        source = SOURCES.get(name)
        there = path and not before and address and "/" not in address
        if source and there and scope.get("method") == "POST":
            try:
                await _take(Request(scope, receive), source, address[:LONGEST_ADDRESS])
            except ClientDisconnect:
                return
            except Exception as refusal:
                scope[REFUSAL] = refusal
            else:
                await Response(KEPT, media_type="application/json")(scope, receive, send)
                return
        await self.app(scope, receive, send)


async def _take(request: Request, source: Source, address: str) -> None:
    if CONTROL.search(address):
        raise Invalid(
            "There is a control character in this address, which no webhook's address has.",
            next_step="Copy the address from the page of the connection that it belongs to.",
        )
    hub = request.app.state.hub
    body = await read_body(request, source.largest)
    arrival = Arrival(address, request.headers, request.query_params, body)
    connection = await source.verify(hub, arrival)
    parsed: Parsed | str
    try:
        parsed = source.parse(arrival)
    except Unreadable as reason:
        parsed = str(reason)
    if connection is None or not await ingest_buffer(hub).keep(
        IncomingDelivery(connection, source.name, arrival, parsed)
    ):
        counted("deliveries", outcome="refused")
        count(hub, "webhook.refused", address_of(request, hub.settings))
        raise source.refusal()
    counted("deliveries", outcome="kept")
