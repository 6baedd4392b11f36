"""The page My passkeys, and signing in with one.

What a browser is asked stands in the page (or is fetched for a stranger); what it answers comes as
a form's hidden field, filled by `passkeys.js`.
"""

import secrets
from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse

from bascule.accounts.access import (
    ConfirmedPerson,
    MayManagePeople,
    MayUseAccount,
    TheHub,
    ThePerson,
)
from bascule.accounts.cookies import read_cookie, set_cookie
from bascule.accounts.origin import address_of, network_of, refuse_cross_site
from bascule.accounts.passkeys import authentication, registration
from bascule.accounts.passkeys.api import PasskeyId, remove_passkeys_of_user
from bascule.accounts.passkeys.relying_party import NotTheirs, bound_to, place_if_any, place_of
from bascule.accounts.people.api import UserId
from bascule.accounts.sign_in.challenges import LASTS
from bascule.accounts.sign_in.entry import enter, record_refused
from bascule.accounts.sign_in.pages import sign_in_page_with
from bascule.accounts.sign_in.second_factor import codes_left
from bascule.accounts.tables import User
from bascule.errors import Conflict, Invalid, NoSuch
from bascule.hub import Hub
from bascule.ui import back_to, render

open_pages = APIRouter(include_in_schema=False)  # nobody is signed in here yet
pages = APIRouter(include_in_schema=False)
HERE = "/settings/passkeys"
COOKIE = "bascule_passkey"
Typed = Annotated[str, Form(max_length=1000)]
Signed = Annotated[str, Form(max_length=20_000)]


@open_pages.post("/sign-in/passkey/options")
async def sign_in_options(request: Request, hub: TheHub) -> Response:
    """JSON for the script of the sign-in page."""
    refuse_cross_site(request, hub.settings)
    place, cookie = place_of(hub, request), secrets.token_urlsafe(32)
    network = network_of(address_of(request, hub.settings))
    async with hub.db.session() as session:
        options = await authentication.begin(
            session, authentication.SIGN_IN, place, bound_to=cookie, network=network
        )
    response = JSONResponse(options)
    set_cookie(hub, request, response, COOKIE, cookie, LASTS)
    return response


@open_pages.post("/sign-in/passkey")
async def sign_in_with_passkey(
    request: Request, hub: TheHub, credential: Signed = "", next: Typed = "/"
) -> Response:
    refuse_cross_site(request, hub.settings)
    cookie = read_cookie(hub, request, COOKIE) or ""
    try:
        user = await authentication.used(
            hub, authentication.SIGN_IN, place_of(hub, request), credential, bound_to=cookie
        )
    except (NotTheirs, Conflict) as refused:
        known = refused if isinstance(refused, NotTheirs) else None
        await record_refused(hub, request, known, via="passkey", counted="sign-in.passkey-refused")
        return await sign_in_page_with(request, hub, next, refused=refused)
    return await enter(
        hub, request, user, next=next, way="passkey", confirmed_at=None, factor_given=True
    )


@pages.get(HERE)
async def passkeys_page(request: Request, hub: TheHub, user: MayUseAccount) -> Response:
    return await _page(request, hub, user)


@pages.post(f"{HERE}/begin", name="begin_passkey")
async def begin_form(request: Request, hub: TheHub, user: ConfirmedPerson) -> Response:
    """The page with what the browser needs to make one."""
    try:
        place = place_of(hub, request)
        async with hub.db.session() as session:
            options = await registration.begin_to_add(
                session,
                user,
                place,
                bound_to=bound_to(request),
                network=network_of(request.state.address),
            )
    except Conflict as refused:
        return back_to(HERE, str(refused), kind="failed", next_step=refused.next_step)
    return await _page(request, hub, user, options=options)


@pages.post(HERE, name="add_passkey")
async def add_form(
    request: Request,
    hub: TheHub,
    user: ConfirmedPerson,
    name: Typed = "",
    credential: Signed = "",
) -> Response:
    try:
        place = place_of(hub, request)
        made, codes = await registration.add(
            hub, user, place, credential, name=name or "Passkey", bound_to=bound_to(request)
        )
    except (Invalid, Conflict) as refused:
        return back_to(HERE, str(refused), kind="failed", next_step=refused.next_step)
    if codes:
        return await _page(request, hub, user, codes=codes)
    return back_to(HERE, f"The passkey “{made.name}” is added.")


@pages.post(f"{HERE}/{{passkey}}/name", name="rename_passkey")
async def rename_form(
    hub: TheHub, user: ThePerson, passkey: PasskeyId, name: Typed = ""
) -> Response:
    try:
        async with hub.db.session() as session:
            found = await registration.rename(session, user, passkey, name)
            said = f"It is called “{found.name}” now."
    except Invalid as refused:
        return back_to(HERE, str(refused), kind="failed", next_step=refused.next_step)
    return back_to(HERE, said)


@pages.post(f"{HERE}/{{passkey}}/remove", name="remove_passkey")
async def remove_form(hub: TheHub, user: ConfirmedPerson, passkey: PasskeyId) -> Response:
    try:
        async with hub.db.session() as session:
            name = (await registration.remove(session, user, passkey)).name
    except NoSuch:
        return RedirectResponse(HERE, 303)
    except Conflict as refused:
        return back_to(HERE, str(refused), kind="failed", next_step=refused.next_step)
    return back_to(HERE, f"The passkey “{name}” is removed; it opens nothing any more.")


@pages.post("/people/{person}/passkeys/remove", name="remove_passkeys_of_user")
async def remove_form_of_person(
    request: Request, hub: TheHub, user: MayManagePeople, me: ConfirmedPerson, person: UserId
) -> Response:
    found = await remove_passkeys_of_user(request, hub, user, me, person)
    return back_to(f"/people/{person}", f"The passkeys of {found.username} are removed.")


async def _page(
    request: Request,
    hub: Hub,
    user: User,
    *,
    options: dict[str, object] | None = None,
    codes: list[str] | None = None,
) -> Response:
    async with hub.db.session() as session:
        kept = await registration.passkeys_of(session, user)
        left = await codes_left(session, user)
    return render(
        request,
        "accounts/passkeys.html",
        kept=kept,
        left=left,
        options=options,
        codes=codes,
        possible=place_if_any(hub, request) is not None,
        has_password=user.password_hash is not None,
    )
