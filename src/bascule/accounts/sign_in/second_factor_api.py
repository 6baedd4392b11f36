"""One's own authenticator app over HTTP, and an admin who turns off one that was lost."""

from typing import Any

from fastapi import APIRouter, Request

from bascule.accounts.access import (
    ConfirmedPerson,
    MayManagePeople,
    MayUseAccount,
    TheHub,
    needs_factor,
)
from bascule.accounts.passkeys.registration import passkeys_of
from bascule.accounts.people.api import UserId, act_on_person
from bascule.accounts.schemas import (
    FactorBegun,
    FactorCode,
    FactorState,
    Person,
    RecoveryCodes,
)
from bascule.accounts.sign_in import second_factor
from bascule.errors import NoSuch

router = APIRouter(tags=["Signing in"])
HERE = "/api/auth/second-factor"
THERE: dict[int | str, dict[str, Any]] = {409: {"description": "There is one already."}}
NONE_BEGUN: dict[int | str, dict[str, Any]] = {409: {"description": "None is being set up."}}
NONE: dict[int | str, dict[str, Any]] = {404: {"description": "There is none."}}


@router.get(HERE)
async def my_second_factor(hub: TheHub, user: MayUseAccount) -> FactorState:
    """Whether a code of an authenticator app is asked for when you sign in."""
    async with hub.db.session() as session:
        kept = await second_factor.factor_of(session, user)
        left = await second_factor.codes_left(session, user)
        passkeys = len(await passkeys_of(session, user))
    return FactorState(
        on=kept is not None,
        passkeys=passkeys,
        required=needs_factor(hub, user),
        since=kept.confirmed_at if kept else None,
        recovery_codes_left=left,
    )


@router.post(HERE, responses=THERE)
async def begin_second_factor(hub: TheHub, user: ConfirmedPerson) -> FactorBegun:
    """A secret for your app. Nothing changes before a code of it is given."""
    async with hub.db.session() as session:
        begun = await second_factor.begin(hub, session, user)
    return FactorBegun(secret=begun.secret, uri=begun.uri)


@router.post(f"{HERE}/confirm", responses=NONE_BEGUN)
async def turn_on_second_factor(
    hub: TheHub, user: ConfirmedPerson, body: FactorCode
) -> RecoveryCodes:
    """Turns it on. The answer holds ten recovery codes for the day on which the app is lost."""
    async with hub.db.session() as session:
        codes = await second_factor.turn_on(hub, session, user, body.code)
    return RecoveryCodes(recovery_codes=codes)


@router.post(f"{HERE}/recovery-codes", responses=NONE)
async def renew_recovery_codes(hub: TheHub, user: ConfirmedPerson) -> RecoveryCodes:
    """Ten new ones; those before them open nothing any more."""
    async with hub.db.session() as session:
        if not await second_factor.has_factor(session, user):
            raise NoSuch(
                "You have no authenticator app and no passkey here.",
                next_step="Set one of them up first.",
            )
        codes = await second_factor.new_recovery_codes(session, user)
    return RecoveryCodes(recovery_codes=codes)


@router.delete(HERE, responses=NONE)
async def turn_off_second_factor(hub: TheHub, user: ConfirmedPerson) -> FactorState:
    """The password alone lets you in again."""
    async with hub.db.session() as session:
        await second_factor.turn_off(session, user)
    return await my_second_factor(hub, user)


@router.delete("/api/users/{user}/second-factor", tags=["People"], responses=NONE)
async def turn_off_factor_of_user(
    request: Request, hub: TheHub, admin: MayManagePeople, person: ConfirmedPerson, user: UserId
) -> Person:
    """For somebody who lost their app and the recovery codes: their password alone lets them in."""
    return await act_on_person(request, hub, user, second_factor.turn_off)
