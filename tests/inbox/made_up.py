"""A service that the hub knows nothing of, "crates": it signs as Stripe does, and its payloads are
kept. Declared here and nowhere else.
"""

import hmac
import json
import time
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from bascule.connections.tables import Connection
from bascule.hub import Hub
from bascule.inbox import (
    Arrival,
    Endpoint,
    Endpoints,
    InboundEvent,
    register_source,
    subscribe,
)
from bascule.inbox.verifiers import stripe


class CrateEndpoints(Endpoints):
    """Every connection is one: its token is its slug, which its secret is made of."""

    def __init__(self, hub: Hub) -> None:
        super().__init__(self._read_endpoints)
        self._hub = hub

    async def _read_endpoints(self) -> list[Endpoint]:
        async with self._hub.db.connection() as conn:
            found = await conn.execute("SELECT id, slug FROM bascule.connections")
            return [Endpoint(id, slug, (secret_of(slug),)) for id, slug in await found.fetchall()]


def secret_of(slug: str) -> bytes:
    return f"whsec_{slug}".encode()


async def verify(hub: Hub, arrival: Arrival) -> UUID | None:
    endpoints = hub.shared.setdefault(CrateEndpoints, CrateEndpoints(hub))
    header = arrival.headers.get(stripe.SIGNATURE, "")
    found: UUID | None = await endpoints.signer(
        arrival.address,
        lambda secret: stripe.is_signed(secret, arrival.body, header, now=time.time()),
        signed=bool(header),
    )
    return found


register_source(
    "crates",
    label="Crates & Co",
    verify=verify,
    parse=stripe.parse,
    keep_payload=True,
    event_labels={"crate.moved": "moved"},
)


@dataclass
class Ledger:
    """The subscriber's: what it was told, by connection, and what it raises at the next."""

    told: dict[UUID, list[InboundEvent]] = field(default_factory=dict)
    raising: dict[UUID, Exception] = field(default_factory=dict)

    def of(self, connection: UUID) -> list[InboundEvent]:
        return self.told.get(connection, [])


LEDGER = Ledger()


@subscribe("crates", "crate", name="crates.ledger")
async def write_down(hub: Hub, connection: Connection, events: list[InboundEvent]) -> None:
    if connection.id in LEDGER.raising:
        raise LEDGER.raising[connection.id]
    LEDGER.told.setdefault(connection.id, []).extend(events)


def event(number: int, crate: str = "C-1", **more: Any) -> bytes:
    about = {"object": {"id": crate, "object": "crate", **more}}
    told = {"id": f"evt_{number}", "type": "crate.moved", "data": about}
    return json.dumps(told, ensure_ascii=False).encode()


def header(slug: str, body: bytes, *, at: int | None = None) -> dict[str, str]:
    stamp = str(int(time.time()) if at is None else at)
    made = hmac.new(secret_of(slug), f"{stamp}.".encode() + body, "sha256").hexdigest()
    return {stripe.SIGNATURE: f"t={stamp},v1={made}"}
