"""The page Second factor: an authenticator app turned on and off, with its recovery codes.

Secret and codes are shown in the answer to the form that made them, and nowhere else.
"""

from typing import Annotated

import segno
from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from bascule.accounts.access import (
    ConfirmedPerson,
    MayManagePeople,
    MayUseAccount,
    TheHub,
    needs_factor,
)
from bascule.accounts.passkeys.registration import passkeys_of
from bascule.accounts.people.api import UserId
from bascule.accounts.sign_in import second_factor
from bascule.accounts.sign_in.second_factor_api import turn_off_factor_of_user
from bascule.accounts.tables import User
from bascule.errors import Conflict, Invalid, NoSuch
from bascule.hub import Hub
from bascule.ui import back_to, render

pages = APIRouter(include_in_schema=False)
HERE = "/settings/second-factor"
Typed = Annotated[str, Form(max_length=1000)]


@pages.get(HERE)
async def factor_page(request: Request, hub: TheHub, user: MayUseAccount) -> Response:
    return await _page(request, hub, user)


@pages.post(HERE, name="begin_second_factor")
async def begin_form(request: Request, hub: TheHub, user: ConfirmedPerson) -> Response:
    try:
        async with hub.db.session() as session:
            begun = await second_factor.begin(hub, session, user)
    except Conflict:
        return RedirectResponse(HERE, 303)
    return await _page(request, hub, user, begun=begun)


@pages.post(f"{HERE}/confirm", name="turn_on_second_factor")
async def confirm_form(
    request: Request, hub: TheHub, user: ConfirmedPerson, code: Typed = ""
) -> Response:
    try:
        async with hub.db.session() as session:
            codes = await second_factor.turn_on(hub, session, user, code)
    except Conflict:
        return RedirectResponse(HERE, 303)
    except Invalid as refused:
        async with hub.db.session() as session:
            begun = await second_factor.begun(hub, session, user)
        return await _page(request, hub, user, begun=begun, wrong=refused.fields["code"])
    return await _page(request, hub, user, codes=codes)


@pages.post(f"{HERE}/recovery-codes", name="renew_recovery_codes")
async def recovery_form(request: Request, hub: TheHub, user: ConfirmedPerson) -> Response:
    async with hub.db.session() as session:
        if not await second_factor.has_factor(session, user):
            return RedirectResponse(HERE, 303)
        codes = await second_factor.new_recovery_codes(session, user)
    return await _page(request, hub, user, codes=codes)


@pages.post(f"{HERE}/off", name="turn_off_second_factor")
async def off_form(hub: TheHub, user: ConfirmedPerson) -> Response:
    try:
        async with hub.db.session() as session:
            await second_factor.turn_off(session, user)
    except NoSuch:
        return RedirectResponse(HERE, 303)
    return back_to(HERE, "Your authenticator app is turned off.", kind="note")


@pages.post("/people/{person}/second-factor/off", name="turn_off_factor_of_user")
async def off_form_of_person(
    request: Request, hub: TheHub, user: MayManagePeople, me: ConfirmedPerson, person: UserId
) -> Response:
    found = await turn_off_factor_of_user(request, hub, user, me, person)
    return back_to(f"/people/{person}", f"The authenticator app of {found.username} is turned off.")


async def _page(
    request: Request,
    hub: Hub,
    user: User,
    *,
    begun: second_factor.Begun | None = None,
    wrong: str = "",
    codes: list[str] | None = None,
) -> Response:
    async with hub.db.session() as session:
        kept = await second_factor.factor_of(session, user)
        left = await second_factor.codes_left(session, user)
        passkeys = len(await passkeys_of(session, user))
    picture = segno.make(begun.uri).svg_data_uri(scale=5, border=2) if begun else ""
    return render(
        request,
        "accounts/second_factor.html",
        422 if wrong else 200,
        kept=kept,
        left=left,
        begun=begun,
        picture=picture,
        wrong=wrong,
        codes=codes,
        passkeys=passkeys,
        required=needs_factor(hub, user),
    )
