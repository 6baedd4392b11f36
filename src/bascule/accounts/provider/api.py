"""One's own account at the company's provider over HTTP, and an admin who disconnects one."""

from datetime import datetime
from functools import partial
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from bascule.accounts.access import ConfirmedPerson, MayManagePeople, MayUseAccount, TheHub
from bascule.accounts.people.api import UserId, act_on_person
from bascule.accounts.provider.identities import identity_of, unbind
from bascule.accounts.schemas import Person

router = APIRouter(tags=["Signing in"])
HERE = "/api/auth/provider"
NONE: dict[int | str, dict[str, Any]] = {404: {"description": "They are not connected."}}
ONLY: dict[int | str, dict[str, Any]] = {
    **NONE,
    409: {"description": "Nothing else would let you in."},
}


class ProviderState(BaseModel):
    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "name": "Acme",
                "issuer": "https://login.example.com",
                "connected": True,
                "called": "anna@example.com",
                "since": "2026-11-20T22:48:17Z",
            }
        }
    )

    name: str | None = Field(description="What this hub calls it; null: it has none.")
    issuer: str | None
    connected: bool = Field(description="Whether you may sign in by it.")
    called: str | None = Field(description="Your account there, as it was shown then.")
    since: datetime | None


@router.get(HERE)
async def my_provider(hub: TheHub, user: MayUseAccount) -> ProviderState:
    """Whether you sign in by your company's OpenID Connect provider, and as whom there. Connecting
    it needs a browser: the page My settings.
    """
    async with hub.db.session() as session:
        found = await identity_of(session, hub.settings, user)
    return ProviderState(
        name=hub.settings.oidc_name if hub.settings.oidc_issuer else None,
        issuer=hub.settings.oidc_issuer,
        connected=found is not None,
        called=found.called if found else None,
        since=found.bound_at if found else None,
    )


@router.delete(HERE, responses=ONLY)
async def disconnect_provider(hub: TheHub, user: ConfirmedPerson) -> ProviderState:
    """From now on you do not sign in by it."""
    async with hub.db.session() as session:
        await unbind(session, user)
    return await my_provider(hub, user)


@router.delete("/api/users/{user}/provider", tags=["People"], responses=NONE)
async def disconnect_user(
    request: Request, hub: TheHub, admin: MayManagePeople, person: ConfirmedPerson, user: UserId
) -> Person:
    """Somebody does not sign in by the company's provider any more, until they connect it again."""
    return await act_on_person(request, hub, user, partial(unbind, by_admin=True))
