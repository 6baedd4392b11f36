"""What deleted connections have left on their sites, over HTTP; see `cleanup.cleanups`."""

from datetime import datetime
from typing import Annotated, Any, Self

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, ConfigDict, Field

from bascule.accounts.access import MayRead, TheHub
from bascule.audit.entries import entry_of
from bascule.connections.dependencies import MayEditConnections
from bascule.connections.tables import SiteCleanup
from bascule.sites.cleanup.cleanups import give_up, list_cleanups, try_now

router = APIRouter(prefix="/api/cleanups", tags=["Connectors"])
Number = Annotated[
    int, Path(ge=1, le=2**31 - 1, description="A clean-up's number, as the list has it.")
]
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
    """What is still to be removed from the site of a connector that was deleted."""

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


class Cleanups(BaseModel):
    model_config = ConfigDict(json_schema_extra={"example": {"cleanups": [CLEANUP]}})

    cleanups: list[CleanupAnswer] = Field(description="The oldest first.")


class TriedCleanup(BaseModel):
    model_config = ConfigDict(
        json_schema_extra={
            "example": {"removed": ["Customer-bascule_id"], "left": [], "cleanup": CLEANUP}
        }
    )

    removed: list[str] = Field(description="Documents that are gone from the site now.")
    left: list[str] = Field(description="What stays there, and why.")
    cleanup: CleanupAnswer | None = Field(description="What is still to be done; null: nothing.")


@router.get("")
async def cleanups(hub: TheHub, user: MayRead) -> Cleanups:
    """What deleted connectors have left on their sites because those could not be reached. The hub
    tries again by itself for a week.
    """
    async with hub.db.session() as session:
        return Cleanups(
            cleanups=[CleanupAnswer.of(one) for one in await list_cleanups(session, user)]
        )


@router.post("/{cleanup}/retry")
async def retry_cleanup(
    request: Request, hub: TheHub, user: MayEditConnections, cleanup: Number
) -> TriedCleanup:
    """Tries it at once. Of a connector that all shared: admins."""
    entry_of(request).object = str(cleanup)
    tried = await try_now(hub, cleanup, by=user)
    return TriedCleanup(
        removed=tried.names,
        left=tried.kept,
        cleanup=CleanupAnswer.of(tried.cleanup) if tried.cleanup else None,
    )


@router.delete("/{cleanup}")
async def give_up_cleanup(
    request: Request, hub: TheHub, user: MayEditConnections, cleanup: Number
) -> CleanupAnswer:
    """Forgets it with its credentials: what is on the site stays there. Of a connector that all
    shared: admins.
    """
    gone = await give_up(hub, cleanup, by=user)
    entry_of(request).object = gone.name
    return CleanupAnswer.of(gone)
