"""The route of ERPNext's deliveries: one address for each DocType, as docs and clients see it."""

from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from bascule.inbox.frappe.addresses import CONNECTION, PATH
from bascule.inbox.frappe.signatures import LARGEST, SIGNATURE
from bascule.inbox.receiving import LONGEST_ADDRESS, REFUSES, Kept, refused

router = APIRouter(tags=["Webhooks"])


class Arriving(BaseModel):
    """What the hub's own webhooks send. Other fields are accepted and not read."""

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


def _parameter(name: str, place: str, what: str, **more: Any) -> dict[str, Any]:
    schema = {"type": "string", "maxLength": LONGEST_ADDRESS}
    return {"name": name, "in": place, "description": what, "schema": schema, **more}


# Declared here and not as the function's parameters: the middleware answers, and checks nothing.
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
    **REFUSES,
    401: {"description": "Not signed with the secret of a connection's webhooks."},
    413: {"description": f"The body has more than {LARGEST // 1024} KB."},
}


@router.post(f"{PATH}{{what}}", responses=_REFUSES, response_model=Kept, openapi_extra=_TAKES)
async def receive_webhook(request: Request) -> Response:
    """Where ERPNext's webhooks arrive, one address for each DocType.

    Answered when the delivery is committed. It only says which document to look at: what else is
    in it is not believed. One that names no document is kept and shown to people, with the reason.
    The same delivery twice is kept once.
    """
    return refused(request)
