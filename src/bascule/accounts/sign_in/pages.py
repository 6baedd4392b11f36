"""Pages for signing in and out, and for the one-time link that lets somebody choose a password."""

from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from bascule.accounts.access import MayUseAccount, TheHub
from bascule.accounts.origin import address_of, local_path, network_of, refuse_cross_site
from bascule.accounts.passkeys.authentication import FACTOR, any_there, begin
from bascule.accounts.passkeys.registration import passkeys_of
from bascule.accounts.passkeys.relying_party import place_if_any
from bascule.accounts.sessions import cookie_of, end_session, session_of, start_session
from bascule.accounts.sign_in.entry import ask_for_factor, give_passkey
from bascule.accounts.sign_in.half_sign_in import Waiting, end_half, who_waits
from bascule.accounts.sign_in.password_sign_in import give_code, sign_in, user_of_link, welcome
from bascule.accounts.sign_in.second_factor import factor_of, has_factor
from bascule.errors import Conflict, HubError, Invalid, TooMany, Unauthenticated
from bascule.hub import Hub
from bascule.ui import back_to, render

open_pages = APIRouter(include_in_schema=False)  # nobody is signed in here yet
pages = APIRouter(include_in_schema=False)
Typed = Annotated[str, Form(max_length=1000)]


@open_pages.get("/sign-in")
async def sign_in_page(request: Request, hub: TheHub, next: str = "/") -> Response:
    if session_id := cookie_of(request, hub):
        async with hub.db.session() as session:
            if await session_of(session, session_id) is not None:
                return RedirectResponse(local_path(next), 303)
    return await sign_in_page_with(request, hub, next)


@open_pages.post("/sign-in")
async def sign_in_form(
    request: Request,
    hub: TheHub,
    name: Typed = "",
    password: Typed = "",
    next: Typed = "/",
) -> Response:
    refuse_cross_site(request, hub.settings)
    try:
        user, half = await sign_in(hub, request, name, password)
    except (Unauthenticated, TooMany) as refused:
        return await sign_in_page_with(request, hub, next, name, refused)
    if half:
        return await ask_for_factor(hub, request, user, next)
    response = RedirectResponse(local_path(next), 303)
    await start_session(hub, request, response, user)
    return response


@open_pages.get("/sign-in/code")
async def code_page(request: Request, hub: TheHub, next: str = "/") -> Response:
    waiting = await who_waits(hub, request)
    return await _code_page(request, hub, waiting, next) if waiting else _from_the_start(next)


@open_pages.post("/sign-in/code")
async def code_form(
    request: Request,
    hub: TheHub,
    code: Typed = "",
    credential: Annotated[str, Form(max_length=20_000)] = "",
    next: Typed = "/",
) -> Response:
    """The other half of a sign-in."""
    refuse_cross_site(request, hub.settings)
    waiting = await who_waits(hub, request)
    if waiting is None:
        return _from_the_start(next)
    user, way = waiting.user, waiting.way
    try:
        via = "session" if way == "password" else way
        if credential:
            await give_passkey(hub, request, user, credential, bound_to=waiting.cookie, via=via)
        else:
            await give_code(hub, request, user, code, via=via)
    except (Invalid, TooMany, Conflict) as refused:
        return await _code_page(request, hub, waiting, next, refused)
    response = RedirectResponse(local_path(next), 303)
    await end_half(hub, request, response)
    await start_session(hub, request, response, user, way=way)
    return response


async def sign_in_page_with(
    request: Request,
    hub: Hub,
    next: str,
    name: str = "",
    refused: HubError | None = None,
    status: int = 401,
) -> Response:
    """The sign-in page; with why somebody does not get in."""
    async with hub.db.session() as session:
        passkeys = place_if_any(hub, request) is not None and await any_there(session)
    if refused is None:
        status = 200
    elif isinstance(refused, TooMany):
        status = 429
    return render(
        request,
        "accounts/sign_in.html",
        status,
        next=local_path(next),
        name=name,
        refused=refused,
        provider=hub.settings.oidc_issuer and hub.settings.oidc_name,
        passkeys=passkeys,
    )


def _from_the_start(next: str) -> Response:
    query = urlencode({"next": local_path(next)})
    said = "The first half of your sign-in was too long ago, so begin once more."
    return back_to(f"/sign-in?{query}", said, kind="note")


async def _code_page(
    request: Request, hub: Hub, waiting: Waiting, next: str, refused: HubError | None = None
) -> Response:
    status = 200 if refused is None else 429 if isinstance(refused, TooMany) else 422
    place, user = place_if_any(hub, request), waiting.user
    network = network_of(address_of(request, hub.settings))
    async with hub.db.session() as session:
        app = await factor_of(session, user) is not None
        passkeys = await passkeys_of(session, user)
        options = None
        if passkeys and place is not None:
            options = await begin(
                session, FACTOR, place, bound_to=waiting.cookie, network=network, user=user
            )
    return render(
        request,
        "accounts/code.html",
        status,
        next=local_path(next),
        name=user.username,
        app=app,
        passkeys=bool(passkeys),
        options=options,
        refused=refused,
    )


@pages.post("/sign-out", name="logout")
async def sign_out(request: Request, hub: TheHub, user: MayUseAccount) -> Response:
    response = back_to("/sign-in", "You are signed out.")
    await end_session(hub, request, response)
    return response


@open_pages.get("/welcome/{token}")
async def welcome_page(request: Request, hub: TheHub, token: str) -> Response:
    async with hub.db.session() as session:
        user = await user_of_link(session, token)
        name = user.username
    return render(request, "accounts/welcome.html", name=name, refused=None)


@open_pages.post("/welcome/{token}")
async def welcome_form(
    request: Request, hub: TheHub, token: str, password: Typed = "", again: Typed = ""
) -> Response:
    refuse_cross_site(request, hub.settings)
    async with hub.db.session() as session:
        name = (await user_of_link(session, token)).username
    try:
        _refuse_different(password, again)
        address = address_of(request, hub.settings)
        user = await welcome(hub, token, password, address=address)
    except Invalid as refused:
        return render(request, "accounts/welcome.html", 422, name=name, refused=refused)
    async with hub.db.session() as session:
        half = await has_factor(session, user)
    if half:  # a link opens no more than a password
        return await ask_for_factor(hub, request, user, "/")
    response = back_to("/", f"Welcome, {user.username}.")
    await start_session(hub, request, response, user)
    return response


def _refuse_different(password: str, again: str) -> None:
    if password != again:
        raise Invalid("The two passwords are not the same.", next_step="Type the same one twice.")
