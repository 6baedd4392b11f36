"""The page My settings: who I am here, my password, my API tokens, my own ERPNext and Nextcloud.

A token is shown in the answer to the form that made it, and nowhere else.
"""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import ValidationError

from bascule.accounts.access import (
    ConfirmedPerson,
    MayKeepServices,
    MayUseAccount,
    TheHub,
    ThePerson,
)
from bascule.accounts.origin import public_url
from bascule.accounts.passkeys.registration import passkeys_of
from bascule.accounts.provider.identities import identity_of
from bascule.accounts.schemas import NewToken
from bascule.accounts.sessions import cookie_of
from bascule.accounts.settings.integration import (
    NotConfigured,
    change_settings,
    shown,
    test_erpnext,
)
from bascule.accounts.sign_in.active_sign_ins import end_sign_in, signed_in_with
from bascule.accounts.sign_in.api import SignInId, TokenId
from bascule.accounts.sign_in.password_sign_in import change_password, end_all_sign_ins
from bascule.accounts.sign_in.second_factor import factor_of
from bascule.accounts.tables import User
from bascule.accounts.tokens import issue_token, revoke_token, scopes_of, tokens_of
from bascule.accounts.user_agent import agent_in_words
from bascule.errors import HubError, Invalid, TooMany
from bascule.hub import Hub
from bascule.ui import back_to, render

pages = APIRouter(include_in_schema=False)
Typed = Annotated[str, Form(max_length=2000)]
Place = Literal["erpnext", "nextcloud"]
HERE = "/settings"
# Of each place: what one types, its secret last.
FIELDS: dict[str, tuple[str, str, str]] = {
    "erpnext": ("erpnext_url", "erpnext_api_key", "erpnext_api_secret"),
    "nextcloud": ("nextcloud_url", "nextcloud_username", "nextcloud_password"),
}
PLACES = {"erpnext": "ERPNext", "nextcloud": "Nextcloud"}
# What ERPNext's own words come down to, and what to do.
REFUSALS = {
    "HTTP 401: {": (
        "ERPNext does not know this key with this secret.",
        "Generate Keys there again and copy both; the old pair stops working.",
    ),
    "HTTP 403: {": (
        "ERPNext knows you and lets you do nothing.",
        "Ask whoever looks after it to enable your user and to give it a role.",
    ),
}
LIFETIMES = {"7": "a week", "30": "30 days", "90": "90 days", "365": "a year"}
SCOPES = {
    "read": "read",
    "write": "read, and change what your role allows, but for what is an admin's",
    "admin": "read, and change all that your role allows",
}


@pages.get(HERE)
async def settings_page(request: Request, hub: TheHub, user: MayUseAccount) -> Response:
    return await _page(request, hub, user)


@pages.post(HERE + "/password", name="password")
async def password_form(
    request: Request,
    hub: TheHub,
    user: ThePerson,
    old_password: Typed = "",
    new_password: Typed = "",
    again: Typed = "",
) -> Response:
    if new_password != again:
        return await _page(request, hub, user, wrong={"again": "is not the same as the new one"})
    keep = cookie_of(request, hub)
    address = request.state.address
    try:
        await change_password(hub, user, old_password, new_password, address=address, keep=keep)
    except TooMany as refused:
        page = await _page(request, hub, user, refused=refused)
        page.headers["Retry-After"] = str(refused.retry_after)
        return page
    except Invalid as refused:
        if "old_password" in refused.fields:
            wrong = {"old_password": "is not the one that you have now"}
        else:
            why = refused.fields.get("password", str(refused))
            wrong = {"new_password": f"cannot be taken: {why}"}
        return await _page(request, hub, user, wrong=wrong)
    return back_to(HERE, "Your password is changed; everywhere else you are signed out.")


@pages.post(HERE + "/sign-out-elsewhere", name="sign_out_elsewhere")
async def sign_out_form(request: Request, hub: TheHub, user: ThePerson) -> Response:
    async with hub.db.session() as session:
        await end_all_sign_ins(session, user, keep=cookie_of(request, hub))
    return back_to(HERE, "Everywhere else you are signed out.")


@pages.post(HERE + "/sessions/{session}/end", name="end_one_sign_in")
async def end_session_form(hub: TheHub, user: ThePerson, session: SignInId) -> Response:
    await end_sign_in(hub, user, session)
    return back_to(HERE, "That one is signed out.")


@pages.post(HERE + "/tokens", name="make_token")
async def token_form(
    request: Request,
    hub: TheHub,
    user: ConfirmedPerson,
    name: Typed = "",
    scope: Typed = "",
    days: Typed = "90",
) -> Response:
    wrong = _wrong_token(user, name, scope)
    if days not in LIFETIMES:
        wrong["days"] = "is none of those to choose from"
    if wrong:
        typed = {"name": name, "scope": scope, "days": days}
        return await _page(request, hub, user, wrong=wrong, typed=typed)
    ends = datetime.now(UTC) + timedelta(days=int(days))
    name = name.strip()
    async with hub.db.session() as session:
        token = await issue_token(session, name, user, scope=scope, expires_at=ends)
    hub_url = public_url(request, hub.settings)
    return render(
        request,
        "accounts/token.html",
        201,
        token=token,
        name=name,
        may=SCOPES[scope],
        ends=ends,
        hub_url=hub_url,
    )


@pages.post(HERE + "/tokens/{token}/revoke", name="delete_token")
async def revoke_form(
    request: Request, hub: TheHub, user: MayUseAccount, token: TokenId
) -> Response:
    async with hub.db.session() as session:
        name = (await revoke_token(session, user, token)).name
    return back_to(HERE, f"The token “{name}” is revoked.")


@pages.post(HERE + "/erpnext/test", name="test_my_erpnext")
async def test_form(request: Request, hub: TheHub, user: MayKeepServices) -> Response:
    """The page with the verdict in it, what ERPNext said last; htmx takes the verdict alone."""
    try:
        found, said = await test_erpnext(hub, user)
    except NotConfigured as refused:
        step = "Save address, key and secret first."
        verdict = (False, "There is nothing to test yet.", step, "")
        return await _page(request, hub, user, verdict=verdict, refused=refused)
    if found is not None:
        verdict = (True, f"ERPNext knows you as {found}.", "", "")
    else:
        known = next((words for sign, words in REFUSALS.items() if said.startswith(sign)), None)
        what, step = known or ("ERPNext does not let you in.", said)
        verdict = (False, what, step, said if known else "")
    return await _page(request, hub, user, verdict=verdict)


@pages.post(HERE + "/{place}", name="change_my_settings")
async def place_form(
    request: Request,
    hub: TheHub,
    user: MayKeepServices,
    place: Place,
) -> Response:
    """What is typed replaces what is kept; a secret that is left empty stays."""
    form = await request.form()
    typed = {name: str(form.get(name, "")) for name in FIELDS[place]}
    secret = FIELDS[place][-1]
    changes = {name: text for name, text in typed.items() if name != secret or text}
    try:
        await change_settings(hub, user, changes)
    except Invalid as refused:
        typed[secret] = ""
        return await _page(request, hub, user, wrong=refused.fields, typed=typed)
    return back_to(HERE, f"Your {PLACES[place]} is saved.")


@pages.post(HERE + "/{place}/clear", name="change_my_settings")
async def clear_form(hub: TheHub, user: MayKeepServices, place: Place) -> Response:
    await change_settings(hub, user, dict.fromkeys(FIELDS[place], ""))
    return back_to(HERE, f"Your {PLACES[place]} is cleared.")


@pages.get(HERE + "/{rest:path}")
async def settings_again(user: MayUseAccount, rest: str) -> Response:
    """Who signs in again on the way to a form comes back by its address."""
    return RedirectResponse(HERE, 303)


def _wrong_token(user: User, name: str, scope: str) -> dict[str, str]:
    """The same rules as the API's."""
    may = scopes_of(user)
    wrong = {}
    try:
        NewToken.model_validate({"name": name, "scope": "read"})
    except ValidationError:
        wrong["name"] = "has 1 to 100 characters on one line"
    if scope not in may:
        wrong["scope"] = f"is none of {', '.join(may)}"
    return wrong


async def _page(
    request: Request,
    hub: Hub,
    user: User,
    *,
    wrong: dict[str, str] | None = None,
    typed: dict[str, str] | None = None,
    refused: HubError | None = None,
    verdict: tuple[bool, str, str, str] | None = None,
) -> Response:
    async with hub.db.session() as session:
        tokens = await tokens_of(session, user)
        sessions = await signed_in_with(request, session, user)
        identity = await identity_of(session, hub.settings, user)
        passkeys = len(await passkeys_of(session, user))
        app = await factor_of(session, user) is not None
    kept: dict[str, Any] = shown(user)
    status = 429 if isinstance(refused, TooMany) else 400 if refused else 422 if wrong else 200
    return render(
        request,
        "accounts/settings.html",
        status,
        kept=kept,
        typed={"name": "", "scope": "read", "days": "90", **kept, **(typed or {})},
        wrong=wrong or {},
        refused=refused if isinstance(refused, TooMany) else None,
        verdict=verdict,
        tokens=tokens,
        sessions=sessions,
        identity=identity,
        passkeys=passkeys,
        app=app,
        provider=hub.settings.oidc_issuer and hub.settings.oidc_name,
        lifetimes=LIFETIMES,
        scopes={scope: SCOPES[scope] for scope in scopes_of(user)},
        in_words=agent_in_words,
    )
