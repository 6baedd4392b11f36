"""Webhooks as the API takes and shows them. The secret has no place in any answer."""

from datetime import datetime
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from bascule.inbox.frappe.site.setup import Order
from bascule.inbox.frappe.site.webhooks import DOCTYPES, Brought
from bascule.inbox.frappe.status import Standing

Kind = Literal["insert", "update", "delete"]
DeliveryState = Literal["kept", "done", "failed", "unreadable"]


class WebhooksOrder(BaseModel):
    """Which webhooks are wanted."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "doctypes": ["Customer", "Address", "Contact"],
                "events": ["insert", "update", "delete"],
                "base_url": "https://hub.example.com",
            }
        }
    )

    doctypes: list[str] = Field(default=list(DOCTYPES), max_length=50)
    events: list[Kind] = Field(default=["insert", "update", "delete"])
    base_url: str | None = Field(
        default=None,
        max_length=500,
        description="The hub's address as the site reaches it; BASCULE_PUBLIC_URL where it is left "
        "out, and for a site on the hub's own machine that.",
    )
    secret: SecretStr | None = Field(
        default=None,
        description="Of webhooks that are made by hand on the site: then nothing is written there. "
        "Left out, the hub makes a secret and the webhooks.",
    )

    def order(self) -> Order:
        secret = self.secret.get_secret_value() if self.secret else None
        return Order(self.doctypes, self.events, self.base_url or None, secret)


class NewSecret(BaseModel):
    secret: SecretStr | None = Field(
        default=None,
        description="Only for webhooks that were made by hand.",
        examples=["a-random-one-of-16-characters-or-more"],
    )


class HookAnswer(BaseModel):
    doctype: str
    event: str = Field(
        description="Frappe's: after_insert, on_change, on_trash; after_rename: a Comment tells."
    )
    name: str = Field(description="Of the Webhook on the site.")
    state: str = Field(
        description="fine, missing, disabled, altered, or touched: saved there by somebody since."
    )
    differs: list[str]
    last_at: datetime | None
    last_day: int = Field(description="Deliveries in the last 24 hours.")


class TroubleAnswer(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    what: str
    next_step: str
    mend: str = Field(
        description="What takes it away: mend, check, retry, clear (DELETE .../orphans), or none."
    )


class WebhooksAnswer(BaseModel):
    """How a connector's webhooks stand. `state`: off (not set up), waiting (nothing came yet),
    arriving, late (they wait in the site's own queue), trouble.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "state": "arriving",
                "at_the_site": True,
                "base_url": "https://hub.example.com",
                "addresses": {
                    "Customer": "https://hub.example.com/api/webhooks/erpnext/customers"
                    "?connection=Zk3mX0c8uJ1n2b7Q"
                },
                "hooks": [
                    {
                        "doctype": "Customer",
                        "event": "on_change",
                        "name": "Bascule Customer on_change Zk3mX0c8",
                        "state": "fine",
                        "differs": [],
                        "last_at": "2026-11-20T21:37:27Z",
                        "last_day": 12,
                    }
                ],
                "troubles": [],
                "late": None,
                "queued": 0,
                "counts": {"done": 12},
                "last_at": "2026-11-20T21:37:27Z",
                "installed_at": "2026-11-19T09:00:00Z",
                "checked_at": "2026-11-20T21:30:00Z",
                "both_secrets_until": None,
                "made": [],
                "changed": [],
                "removed": [],
            }
        }
    )

    state: Literal["off", "waiting", "arriving", "late", "trouble"]
    at_the_site: bool | None = Field(description="Made there by the hub; false: by hand.")
    base_url: str | None
    addresses: dict[str, str] = Field(description="Where each DocType's webhooks are sent to.")
    hooks: list[HookAnswer]
    troubles: list[TroubleAnswer]
    late: str | None = Field(description="What is on its way, and why; null: nothing is late.")
    queued: int | None = Field(
        description="Webhooks for the hub in the site's own queue, when it was last asked; null: "
        "that queue may not be read."
    )
    counts: dict[str, int] = Field(description="Deliveries by their state.")
    last_at: datetime | None
    installed_at: datetime | None
    checked_at: datetime | None = Field(description="When the site was last asked about them.")
    both_secrets_until: datetime | None = Field(description="While the secret is being changed.")
    made: list[str] = Field(default=[], description="On the site, by this request.")
    changed: list[str] = []
    removed: list[str] = []

    @classmethod
    def of(cls, standing: Standing, done: Brought | None = None) -> Self:
        end, done = standing.end, done or Brought()
        return cls(
            state=standing.state,
            at_the_site=end.at_the_site if end else None,
            base_url=end.base_url if end else None,
            addresses=standing.addresses,
            hooks=[
                HookAnswer(
                    doctype=each.hook.doctype,
                    event=each.hook.event,
                    name=each.hook.name,
                    state=each.hook.state,
                    differs=each.hook.differs,
                    last_at=each.last_at,
                    last_day=each.last_day,
                )
                for each in standing.hooks
            ],
            troubles=[TroubleAnswer.model_validate(trouble) for trouble in standing.troubles],
            late=standing.late,
            queued=(end.found.get("queue") or {}).get("ours") if end else None,
            counts=standing.counts,
            last_at=standing.last_at,
            installed_at=end.installed_at if end else None,
            checked_at=end.checked_at if end else None,
            both_secrets_until=standing.both_secrets_until,
            made=done.made,
            changed=done.changed,
            removed=done.removed,
        )


class OrphanAnswer(BaseModel):
    """A webhook on the site that leads to this hub and belongs to no connector."""

    model_config = ConfigDict(from_attributes=True)

    name: str = Field(description="Of the Webhook on the site.")
    doctype: str
    event: str = Field(description="Frappe's.")
    address: str


class Orphans(BaseModel):
    orphans: list[OrphanAnswer]


class RemovedAnswer(BaseModel):
    removed: list[str] = Field(description="Webhooks that are gone from the site.")


class RetriedDeliveries(BaseModel):
    deliveries: int = Field(description="So many are told again to who listens.")


class DeliveryAnswer(BaseModel):
    """One webhook that arrived."""

    model_config = ConfigDict(
        from_attributes=True,
        json_schema_extra={
            "example": {
                "id": 4711,
                "what": "customers",
                "doctype": "Customer",
                "name": 'Odd "Ü" & \\ Co',
                "event": "on_change",
                "modified": "2026-11-20 22:37:26.659348",
                "body": None,
                "received_at": "2026-11-20T21:37:27Z",
                "state": "done",
                "attempts": 1,
                "error": None,
                "next_step": None,
                "next_try_at": None,
                "done_at": "2026-11-20T21:37:27Z",
            }
        },
    )

    id: int
    what: str = Field(
        validation_alias="address", description="The last part of the address that it came to."
    )
    doctype: str | None = Field(validation_alias="subject_type")
    name: str | None = Field(validation_alias="subject")
    event: str
    modified: str | None = Field(validation_alias="version", description="As the site wrote it.")
    body: str | None = Field(description="What came, where it names no document.")
    received_at: datetime
    state: DeliveryState
    attempts: int
    error: str | None
    next_step: str | None
    next_try_at: datetime | None = Field(description="null where there is none to come.")
    done_at: datetime | None

    @classmethod
    def of(cls, delivery: Any) -> Self:
        shown = cls.model_validate(delivery)
        return shown if shown.state == "kept" else shown.model_copy(update={"next_try_at": None})


class Deliveries(BaseModel):
    deliveries: list[DeliveryAnswer] = Field(description="Newest first.")
    next: int | None = Field(description="For `before` of the next page; null: no more.")
