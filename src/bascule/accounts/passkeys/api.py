"""One's own passkeys over HTTP, and an admin who takes away those that somebody lost."""

import json
from datetime import datetime
from typing import Annotated, Any, Self

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, ConfigDict, Field

from bascule.accounts.access import (
    ConfirmedPerson,
    MayManagePeople,
    MayUseAccount,
    TheHub,
    ThePerson,
)
from bascule.accounts.origin import network_of
from bascule.accounts.passkeys import registration
from bascule.accounts.passkeys.relying_party import bound_to, place_of
from bascule.accounts.people.api import UserId, act_on_person
from bascule.accounts.schemas import Person
from bascule.accounts.tables import Passkey

router = APIRouter(tags=["Signing in"])
HERE = "/api/auth/passkeys"
NOT_HERE: dict[int | str, dict[str, Any]] = {
    409: {"description": "No browser has passkeys at this address, or there are too many."}
}
ONLY: dict[int | str, dict[str, Any]] = {409: {"description": "Nothing else would let you in."}}
NONE: dict[int | str, dict[str, Any]] = {404: {"description": "They have none."}}
PasskeyId = Annotated[int, Path(ge=1, le=2**31 - 1, examples=[3])]
ONE: dict[str, Any] = {
    "id": 3,
    "name": "Phone",
    "made_at": "2026-11-20T22:48:17Z",
    "last_used_at": "2026-11-28T08:01:40Z",
    "synced": True,
}


class PasskeyAnswer(BaseModel):
    model_config = ConfigDict(from_attributes=True, json_schema_extra={"example": ONE})

    id: int
    name: str
    made_at: datetime
    last_used_at: datetime | None
    synced: bool = Field(description="Kept in more than one of your devices.")


class Passkeys(BaseModel):
    passkeys: list[PasskeyAnswer]

    @classmethod
    def of(cls, found: list[Passkey]) -> Self:
        return cls(passkeys=[PasskeyAnswer.model_validate(each) for each in found])


class PasskeyBegun(BaseModel):
    options: dict[str, Any] = Field(
        description="For `navigator.credentials.create`, in WebAuthn's own JSON."
    )


class NewPasskey(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str = Field(max_length=100, examples=["Phone"])
    credential: dict[str, Any] = Field(description="What the browser made, as its JSON.")


class MadePasskey(PasskeyAnswer):
    model_config = ConfigDict(json_schema_extra={"example": {**ONE, "recovery_codes": []}})

    recovery_codes: list[str] = Field(
        description="Ten, where it is your first second factor; shown this once."
    )


class PasskeyName(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str = Field(max_length=100, examples=["Security key"])


@router.get(HERE)
async def my_passkeys(hub: TheHub, user: MayUseAccount) -> Passkeys:
    """Your passkeys, the oldest first."""
    async with hub.db.session() as session:
        return Passkeys.of(await registration.passkeys_of(session, user))


@router.post(f"{HERE}/begin", responses=NOT_HERE)
async def begin_passkey(request: Request, hub: TheHub, user: ConfirmedPerson) -> PasskeyBegun:
    """What a browser needs to make one. It is good for 10 minutes, once, for this sign-in."""
    place, network = place_of(hub, request), network_of(request.state.address)
    async with hub.db.session() as session:
        options = await registration.begin_to_add(
            session, user, place, bound_to=bound_to(request), network=network
        )
    return PasskeyBegun(options=options)


@router.post(HERE, status_code=201, responses=NOT_HERE)
async def add_passkey(
    request: Request, hub: TheHub, user: ConfirmedPerson, body: NewPasskey
) -> MadePasskey:
    """Adds it. From now on the password alone does not let you in; a passkey alone does, where its
    device sees that it is you.
    """
    made, codes = await registration.add(
        hub,
        user,
        place_of(hub, request),
        json.dumps(body.credential),
        name=body.name,
        bound_to=bound_to(request),
    )
    told = PasskeyAnswer.model_validate(made).model_dump()
    return MadePasskey(**told, recovery_codes=codes)


@router.patch(f"{HERE}/{{passkey}}")
async def rename_passkey(
    hub: TheHub, user: ThePerson, passkey: PasskeyId, body: PasskeyName
) -> PasskeyAnswer:
    async with hub.db.session() as session:
        found = await registration.rename(session, user, passkey, body.name)
        return PasskeyAnswer.model_validate(found)


@router.delete(f"{HERE}/{{passkey}}", responses=ONLY)
async def remove_passkey(hub: TheHub, user: ConfirmedPerson, passkey: PasskeyId) -> PasskeyAnswer:
    """It opens nothing any more. The answer is what it was."""
    async with hub.db.session() as session:
        found = await registration.remove(session, user, passkey)
        return PasskeyAnswer.model_validate(found)


@router.delete("/api/users/{user}/passkeys", tags=["People"], responses=NONE)
async def remove_passkeys_of_user(
    request: Request, hub: TheHub, admin: MayManagePeople, person: ConfirmedPerson, user: UserId
) -> Person:
    """All of somebody who lost their devices: they sign in with what else they have."""
    return await act_on_person(request, hub, user, registration.remove_all)
