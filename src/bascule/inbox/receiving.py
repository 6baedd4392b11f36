"""Where webhooks arrive. Its right is the signature, so it asks for nobody's role.

A thousand of them may come in a second: nothing here asks the database for each.
"""

import re
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

from bascule.accounts.origin import address_of
from bascule.audit.counted import count
from bascule.errors import Invalid, Unauthenticated
from bascule.inbox.endpoints import endpoints_of
from bascule.inbox.frappe.addresses import PATH
from bascule.inbox.frappe.payload import Payload, Unreadable, read
from bascule.inbox.frappe.signatures import LARGEST, SIGNATURE, read_body
from bascule.inbox.ingest import IncomingDelivery, ingest_buffer
from bascule.telemetry import count as counted

router = APIRouter(tags=["Webhooks"])
CONNECTION = "X-Bascule-Connection"
KEPT = b'{"kept":true}'
REFUSAL = "bascule.refusal"  # in the scope
LONGEST_ADDRESS = 200  # characters of its last part
CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


class Arriving(BaseModel):
    """What the hub's own webhooks send. Other fields are taken and not read."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "doctype": "Customer",
                "name": 'Odd "Ü" & \\ Co',
                "event": "on_change",
                "modified": "2026-11-20 22:37:26.659348",
            }
        }
    )

    doctype: str
    name: str
    event: str | None = Field(default=None, description="Frappe's: after_insert, on_change, ...")
    modified: str | None = None


class Kept(BaseModel):
    kept: bool


def _parameter(name: str, place: str, what: str, **more: Any) -> dict[str, Any]:
    schema = {"type": "string", "maxLength": LONGEST_ADDRESS}
    return {"name": name, "in": place, "description": what, "schema": schema, **more}


# Said here and not as the function's parameters, whose checks would cost more than all the rest.
_TAKES = {
    "parameters": [
        _parameter(
            "what",
            "path",
            "customers, suppliers, addresses, contacts, or any DocType as ERPNext's own addresses "
            "have it: sales-order.",
            required=True,
            example="customers",
        ),
        _parameter("connection", "query", "The public token of the connection's webhooks."),
        _parameter(CONNECTION, "header", "The same, for who cannot put it in the address."),
        _parameter(SIGNATURE, "header", "base64 of HMAC-SHA256 over the raw body."),
    ],
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": Arriving.model_json_schema()}},
    },
}
_REFUSES: dict[int | str, dict[str, Any]] = {
    401: {"description": "Not signed with the secret of a connection's webhooks."},
    413: {"description": f"The body has more than {LARGEST // 1024} KB."},
    422: {"description": "The address has a control character."},
    503: {"description": "The hub's database cannot be reached, so it could not be kept."},
}


@router.post(f"{PATH}{{what}}", responses=_REFUSES, response_model=Kept, openapi_extra=_TAKES)
async def receive_webhook(request: Request) -> Response:
    """Where ERPNext's webhooks arrive, one address for each DocType.

    Answered when the delivery is committed. It only says which document to look at: what else is
    in it is not believed. One that names no document is kept and shown to people, with the reason.
    The same delivery twice is kept once.
    """
    refusal: Exception = request.scope[REFUSAL]  # what is taken is answered at the door
    raise refusal


class WebhookIngestMiddleware:
    """An ASGI middleware, before all others: takes deliveries without what they do not need, which
    would cost twice what they do. What it refuses goes on to the route, to be told as all is.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        here, _, what = scope.get("path", "").partition(PATH)
        if not here and what and "/" not in what and scope.get("method") == "POST":
            try:
                await _take(Request(scope, receive), what[:LONGEST_ADDRESS])
            except ClientDisconnect:
                return
            except Exception as refusal:
                scope[REFUSAL] = refusal
            else:
                await Response(KEPT, media_type="application/json")(scope, receive, send)
                return
        await self.app(scope, receive, send)


async def _take(request: Request, what: str) -> None:
    if CONTROL.search(what):
        raise Invalid(
            "There is a character in this address that no DocType's name has.",
            next_step="Copy the address from the connection's page Webhooks in the hub.",
        )
    body = await _body(request)
    headers, hub = request.headers, request.app.state.hub
    token = request.query_params.get("connection") or headers.get(CONNECTION) or None
    whose = await endpoints_of(hub).whose(token, body, headers.get(SIGNATURE, ""))
    said: Payload | str
    try:
        said = read(body, what)
    except Unreadable as reason:
        said = str(reason)
    if whose is None or not await ingest_buffer(hub).keep(
        IncomingDelivery(whose, what, body, said)
    ):
        counted("deliveries", outcome="refused")
        count(hub, "webhook.refused", address_of(request, hub.settings))
        raise Unauthenticated(
            "This delivery is not signed with the secret of a connection's webhooks.",
            next_step="Mend the webhooks on the connection's page Webhooks in the hub; who makes "
            "them by hand enables security and gives the secret that the hub was given.",
        )
    counted("deliveries", outcome="kept")


async def _body(request: Request) -> bytes:
    length = request.headers.get("content-length", "0")
    if length.isdecimal() and int(length) > LARGEST:
        raise HTTPException(413, f"A webhook's body may have up to {LARGEST:,} bytes.")
    return await read_body(request)
