"""ERPNext's webhooks as a source of the inbox."""

from uuid import UUID

from bascule.errors import Unauthenticated
from bascule.hub import Hub
from bascule.inbox.frappe.addresses import CONNECTION
from bascule.inbox.frappe.changes import SOURCE, by_document
from bascule.inbox.frappe.endpoints import endpoints_of
from bascule.inbox.frappe.payload import read
from bascule.inbox.frappe.signatures import LARGEST, SIGNATURE, is_signed
from bascule.inbox.frappe.status import WHEN
from bascule.inbox.sources import Arrival, Parsed, register_source


async def verify(hub: Hub, arrival: Arrival) -> UUID | None:
    """Without a token the connection is found by its secret."""
    token = arrival.query.get("connection") or arrival.headers.get(CONNECTION) or None
    signature = arrival.headers.get(SIGNATURE, "")
    return await endpoints_of(hub).signer(
        token,
        lambda secret: is_signed(secret, arrival.body, signature),
        signed=bool(signature),
    )


def parse(arrival: Arrival) -> Parsed:
    return read(arrival.body, arrival.address)


def not_signed() -> Unauthenticated:
    return Unauthenticated(
        "This delivery is not signed with the secret of a connection's webhooks.",
        next_step="Mend the webhooks on the connection's page Webhooks in the hub; who makes "
        "them by hand enables security and gives the secret that the hub was given.",
    )


ERPNEXT = register_source(
    SOURCE,
    label="ERPNext",
    verify=verify,
    parse=parse,
    keep_payload=False,
    join=by_document,
    largest=LARGEST,
    event_labels=WHEN,
    refusal=not_signed,
)
