"""Deliveries of all sources as the API shows them. A kept payload has no place in any answer."""

from datetime import datetime
from typing import Any, Self, cast

from pydantic import BaseModel, ConfigDict, Field

from bascule.connections.tables import Connection
from bascule.inbox.sources import SOURCES
from bascule.inbox.status import DeliveryState, SourceStatus
from bascule.inbox.tables import Delivery

DELIVERY: dict[str, Any] = {
    "id": 4711,
    "source": "erpnext",
    "connector": "acme_trading",
    "address": "customers",
    "subject_type": "Customer",
    "subject": 'Odd "Ü" & \\ Co',
    "event": "on_change",
    "external_id": None,
    "received_at": "2026-11-20T21:37:27Z",
    "state": "done",
    "attempts": 1,
    "subscribers": [
        {
            "name": "twoway.refetch",
            "state": "done",
            "at": "2026-11-20T21:37:27Z",
            "error": None,
            "next_step": None,
        }
    ],
    "error": None,
    "next_step": None,
    "next_try_at": None,
}


class SubscriberOutcome(BaseModel):
    """What came of a delivery at one subscriber."""

    name: str
    state: str = Field(description="done, or failed: it is told again.")
    at: datetime
    error: str | None = None
    next_step: str | None = None


class SourceAnswer(BaseModel):
    """Whether the deliveries of a source arrive."""

    name: str = Field(description="As in the address: /api/webhooks/<name>/...")
    label: str
    last_at: datetime | None = Field(description="When the newest one arrived; null: none has.")
    last_day: int = Field(description="Deliveries in the last 24 hours.")
    kept: int = Field(description="Still to be dispatched.")
    failed: int = Field(description="Given up after days.")
    unreadable: int

    @classmethod
    def of(cls, status: SourceStatus) -> Self:
        return cls(
            name=status.source.name,
            label=status.source.title,
            last_at=status.last_at,
            last_day=status.last_day,
            kept=status.kept,
            failed=status.failed,
            unreadable=status.unreadable,
        )


class InboxDelivery(BaseModel):
    """One delivery of any source."""

    model_config = ConfigDict(json_schema_extra={"example": DELIVERY})

    id: int
    source: str
    connector: str = Field(description="The slug of the connector that it belongs to.")
    address: str = Field(description="The last part of the address that it came to.")
    subject_type: str | None = Field(description="null: its source could not read it.")
    subject: str | None
    event: str
    external_id: str | None = Field(description="The sender's id; one of the same id is not kept.")
    received_at: datetime
    state: DeliveryState
    attempts: int
    subscribers: list[SubscriberOutcome] = Field(description="What came of it at each, by name.")
    error: str | None
    next_step: str | None
    next_try_at: datetime | None = Field(description="null where there is none to come.")

    @classmethod
    def of(cls, delivery: Delivery, connection: Connection) -> Self:
        return cls(
            id=delivery.id,
            source=delivery.source,
            connector=connection.slug,
            address=delivery.address,
            subject_type=delivery.subject_type,
            subject=delivery.subject,
            event=delivery.event,
            external_id=delivery.external_id,
            received_at=delivery.received_at,
            state=cast(DeliveryState, delivery.state),
            attempts=delivery.attempts,
            subscribers=outcomes_of(delivery),
            error=delivery.error,
            next_step=delivery.next_step,
            next_try_at=delivery.next_try_at if delivery.state == "kept" else None,
        )


def outcomes_of(delivery: Delivery) -> list[SubscriberOutcome]:
    return [
        SubscriberOutcome(name=name, **outcome)
        for name, outcome in sorted(delivery.outcomes.items())
    ]


def event_label(delivery: Delivery) -> str:
    """The event in people's words."""
    source = SOURCES.get(delivery.source)
    return source.event_labels.get(delivery.event, delivery.event) if source else delivery.event


class InboxDeliveries(BaseModel):
    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "sources": [
                    {
                        "name": "erpnext",
                        "label": "ERPNext",
                        "last_at": "2026-11-20T21:37:27Z",
                        "last_day": 12,
                        "kept": 0,
                        "failed": 0,
                        "unreadable": 0,
                    }
                ],
                "deliveries": [DELIVERY],
                "next": None,
            }
        }
    )

    sources: list[SourceAnswer]
    deliveries: list[InboxDelivery] = Field(description="Newest first.")
    next: int | None = Field(description="For `before` of the next page; null: no more.")


class RetriedDelivery(BaseModel):
    model_config = ConfigDict(json_schema_extra={"example": {"id": 4711, "state": "kept"}})

    id: int
    state: DeliveryState
