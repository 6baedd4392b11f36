"""Sites in the hub's own network over HTTP, for admins; see `allowlist`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Self

from fastapi import APIRouter, Depends, Path, Request
from pydantic import BaseModel, ConfigDict, Field

from bascule.accounts.access import MayAllowSites, TheHub, require
from bascule.accounts.allowed_sites.allowlist import allow, allowed_sites, forbid
from bascule.accounts.permissions import SITES_ALLOW
from bascule.accounts.tables import AllowedSite
from bascule.audit.entries import entry_of

router = APIRouter(
    prefix="/api/allowed-sites", tags=["People"], dependencies=[Depends(require(SITES_ALLOW))]
)


class AllowedAnswer(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    place: str = Field(description="host:port", examples=["erp.internal:8000"])
    allowed_at: datetime
    allowed_by: int | None = Field(description="A user's id; null: the hub's machine.")


class AllowedAnswers(BaseModel):
    sites: list[AllowedAnswer]

    @classmethod
    def of(cls, sites: Sequence[AllowedSite]) -> Self:
        return cls(sites=[AllowedAnswer.model_validate(each) for each in sites])


class AllowSite(BaseModel):
    address: str = Field(max_length=2000, examples=["http://erp.internal:8000"])


@router.get("")
async def list_allowed_sites(hub: TheHub) -> AllowedAnswers:
    """The addresses in the hub's own network that editors may connect to."""
    async with hub.db.session() as session:
        return AllowedAnswers.of(await allowed_sites(session))


@router.post("", status_code=201)
async def allow_site(
    request: Request, hub: TheHub, user: MayAllowSites, body: AllowSite
) -> AllowedAnswer:
    """Lets editors connect to an address in the hub's own network. What an admin connects there is
    allowed without this.
    """
    async with hub.db.session() as session:
        allowed = await allow(session, body.address, user)
        entry_of(request).object = allowed.place
        return AllowedAnswer.model_validate(allowed)


@router.delete("/{place}", responses={404: {"description": "It is not among them."}})
async def forbid_site(
    request: Request,
    hub: TheHub,
    place: Annotated[str, Path(max_length=300, examples=["erp.internal:8000"])],
) -> AllowedAnswer:
    """Takes an address back. Connections that lead there get no answer from then on."""
    async with hub.db.session() as session:
        forbidden = await forbid(session, place)
        entry_of(request).object = forbidden.place
        return AllowedAnswer.model_validate(forbidden)
