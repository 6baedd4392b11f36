"""A connection's deletion as the API shows it, before and after."""

from datetime import datetime
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field

from bascule.connections.deletion.delete import Deleted
from bascule.connections.deletion.leaving import Leaving
from bascule.connections.tables import SiteCleanup

CLEANUP: dict[str, Any] = {
    "id": 3,
    "name": "Acme Trading",
    "api_url": "https://erp.example.com",
    "remains": ["10 webhooks"],
    "attempts": 2,
    "next_try_at": "2026-11-20T22:00:00Z",
    "until": "2026-11-27T21:37:27Z",
    "error": "https://erp.example.com does not answer.",
    "next_step": "See that the site is up.",
}


class CleanupAnswer(BaseModel):
    """What is still to be removed from the site of a connection that was deleted."""

    model_config = ConfigDict(json_schema_extra={"example": CLEANUP})

    id: int
    name: str = Field(description="The connector's.")
    api_url: str
    remains: list[str] = Field(description="What is still on the site.")
    attempts: int = Field(description="That failed.")
    next_try_at: datetime | None = Field(description="null: it has ended; nobody tries any more.")
    until: datetime = Field(description="Then the credentials are forgotten.")
    error: str | None = Field(description="What the last attempt failed of.")
    next_step: str | None

    @classmethod
    def of(cls, cleanup: SiteCleanup) -> Self:
        return cls(
            id=cleanup.id,
            name=cleanup.name,
            api_url=cleanup.api_url,
            remains=[one["what"] for one in cleanup.remains],
            attempts=cleanup.attempts,
            next_try_at=cleanup.next_try_at,
            until=cleanup.until,
            error=cleanup.error,
            next_step=cleanup.next_step,
        )


class OnSiteAnswer(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    kind: str = Field(description="webhooks, field")
    what: str = Field(examples=["10 webhooks"])


class LeavingAnswer(BaseModel):
    """What a deletion means."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "on_site": [
                    {"kind": "webhooks", "what": "10 webhooks"},
                    {"kind": "field", "what": "the unique field bascule_id of Customer"},
                ],
                "becomes": [
                    "217 customers stay here, and are kept in the hub alone: nothing is sent to "
                    "ERPNext or taken from it."
                ],
            }
        }
    )

    on_site: list[OnSiteAnswer] = Field(
        description="What the hub made on the site, which is removed there with the connection."
    )
    becomes: list[str] = Field(description="What becomes of what is kept here, in sentences.")

    @classmethod
    def of(cls, leaving: Leaving) -> Self:
        return cls(
            on_site=[OnSiteAnswer.model_validate(one) for one in leaving.on_site],
            becomes=leaving.becomes,
        )


class DeletedAnswer(BaseModel):
    """What is gone, and what stayed behind."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "slug": "acme_trading",
                "schema_dropped": True,
                "tables": ["bin", "item", "item_price", "sales_order"],
                "removed": ["Bascule Customer on_change Zk3mX0c8", "Customer-bascule_id"],
                "left": [],
                "cleanup": None,
            }
        }
    )

    slug: str
    schema_dropped: bool
    tables: list[str] = Field(description="The mirror's: dropped with it, or left where they are.")
    removed: list[str] = Field(description="Documents that are gone from the site.")
    left: list[str] = Field(description="What stays on the site on purpose.")
    cleanup: CleanupAnswer | None = Field(
        description="What the site did not let go of yet, and is tried again; null: nothing."
    )

    @classmethod
    def of(cls, gone: Deleted) -> Self:
        return cls(
            slug=gone.slug,
            schema_dropped=gone.schema_dropped,
            tables=gone.tables,
            removed=gone.removed,
            left=gone.left,
            cleanup=CleanupAnswer.of(gone.cleanup) if gone.cleanup else None,
        )
