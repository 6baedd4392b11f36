"""What deleted connections have left on their sites, over HTTP; see `cleanup.cleanups`."""

from typing import Annotated

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, ConfigDict, Field

from bascule.accounts.access import MayRead, TheHub
from bascule.audit.entries import entry_of
from bascule.connections.deletion.schemas import CLEANUP, CleanupAnswer
from bascule.connections.dependencies import MayEditConnections
from bascule.sites.cleanup.cleanups import give_up, list_cleanups, try_now

router = APIRouter(prefix="/api/cleanups", tags=["Connectors"])
Number = Annotated[
    int, Path(ge=1, le=2**31 - 1, description="A clean-up's number, as the list has it.")
]


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
    """What deleted connections have left on their sites because those could not be reached. The hub
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
    """Tries it at once. Of a connection that all shared: admins."""
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
    """Forgets it with its credentials: what is on the site stays there. Of a connection that all
    shared: admins.
    """
    gone = await give_up(hub, cleanup, by=user)
    entry_of(request).object = gone.name
    return CleanupAnswer.of(gone)
