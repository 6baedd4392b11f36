"""The pages on the way to the company's provider and back, and where one's account there is
connected and disconnected.
"""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse

from bascule.accounts.access import ConfirmedPerson, MayManagePeople, TheHub
from bascule.accounts.origin import address_of
from bascule.accounts.people.api import UserId
from bascule.accounts.provider.api import disconnect_user
from bascule.accounts.provider.client import ProviderFailed
from bascule.accounts.provider.id_token import Told
from bascule.accounts.provider.identities import NotLetIn, bind, refuse_domain, unbind, whose
from bascule.accounts.provider.sign_in import (
    ANEW,
    CONNECT,
    SIGN_IN,
    Returned,
    asked_for,
    come_back,
    counts_as_factor,
    forget,
    leave,
    remember,
    shown_at,
)
from bascule.accounts.sessions import cookie_of, session_of
from bascule.accounts.sign_in.entry import enter, record_refused
from bascule.accounts.sign_in.pages import sign_in_page_with
from bascule.accounts.tables import Challenge, User
from bascule.audit.entries import record
from bascule.errors import Conflict, HubError, Invalid, NoSuch
from bascule.hub import Hub
from bascule.ui import back_to, render

open_pages = APIRouter(include_in_schema=False)  # nobody is signed in here yet
pages = APIRouter(include_in_schema=False)
HERE = "/settings/provider"
Said = Annotated[str, Query(max_length=4000)]
COULD_NOT = (Invalid, ProviderFailed, NotLetIn, Conflict)


@open_pages.get("/sign-in/oidc")
async def to_provider(request: Request, hub: TheHub, next: str = "/", anew: str = "") -> Response:
    """`anew`: to show there once more that it is them, as for what needs a password again."""
    try:
        where, cookie = await leave(hub, request, ANEW if anew else SIGN_IN, next=next)
    except (ProviderFailed, Invalid) as failed:
        return await _refused(request, hub, failed, next)
    response = RedirectResponse(where, 303)
    remember(hub, request, response, cookie)
    return response


@open_pages.get("/sign-in/oidc/callback")
async def from_provider(
    request: Request,
    hub: TheHub,
    state: Said = "",
    code: Said = "",
    error: Said = "",
    iss: Said | None = None,
) -> Response:
    said = {"code": code} | ({"error": error} if error else {}) | ({"iss": iss} if iss else {})
    asked: Challenge | None = None
    try:
        asked, cookie = await asked_for(hub, request, state)
        told = await come_back(hub, request, cookie, state, said)
        if asked.purpose == CONNECT:
            response = await _connected(hub, request, asked, told)
        else:
            async with hub.db.session() as session:
                user = await whose(hub.settings, session, told)
                await session.flush()
                await session.refresh(user)
                session.expunge(user)
            response = await enter(
                hub,
                request,
                user,
                next=asked.next,
                way="oidc",
                confirmed_at=shown_at(told),
                factor_given=counts_as_factor(hub, told),
            )
    except COULD_NOT as refused:
        known = refused if isinstance(refused, NotLetIn) else None
        await record_refused(hub, request, known, via="oidc", counted="sign-in.not-let-in")
        if asked is not None and asked.purpose == CONNECT:
            step = refused.next_step
            return back_to("/settings", str(refused), kind="failed", next_step=step)
        response = await _refused(request, hub, refused, asked.next if asked else "/")
    if asked is not None:  # else another page may have sent them here, and they are on their way
        forget(hub, request, response)
    return response


@pages.post(HERE, name="connect_provider")
async def connect_form(request: Request, hub: TheHub, user: ConfirmedPerson) -> Response:
    """A page that leads on by itself: a form's own redirect may not leave the hub."""
    try:
        where, cookie = await leave(hub, request, CONNECT, next="/settings", user=user)
    except (ProviderFailed, Invalid) as failed:
        return back_to("/settings", str(failed), kind="failed", next_step=failed.next_step)
    response = render(request, "accounts/leaving.html", where=where, name=hub.settings.oidc_name)
    remember(hub, request, response, cookie)
    return response


@pages.post(f"{HERE}/off", name="disconnect_provider")
async def disconnect_form(hub: TheHub, user: ConfirmedPerson) -> Response:
    try:
        async with hub.db.session() as session:
            await unbind(session, user)
    except NoSuch:
        return RedirectResponse("/settings", 303)
    except Conflict as refused:
        return back_to("/settings", str(refused), kind="failed", next_step=refused.next_step)
    said = f"You do not sign in by {hub.settings.oidc_name} any more."
    return back_to("/settings", said, kind="note")


@pages.post("/people/{person}/provider/off", name="disconnect_user")
async def disconnect_form_of_person(
    request: Request, hub: TheHub, user: MayManagePeople, me: ConfirmedPerson, person: UserId
) -> Response:
    found = await disconnect_user(request, hub, user, me, person)
    return back_to(f"/people/{person}", f"{found.username} is disconnected.")


async def _connected(hub: Hub, request: Request, asked: Challenge, told: Told) -> Response:
    """To whoever is signed in here, who has to be whoever asked."""
    async with hub.db.session() as session:
        found = await session_of(session, cookie_of(request, hub) or "")
        if found is None or found[0].id != asked.user_id:
            raise Returned(
                "Whoever wanted to connect their account is not signed in here any more.",
                next_step="Sign in, and connect it on the page My settings.",
                reason="another session",
            )
        user: User = found[0]
        refuse_domain(hub.settings, told)
        await bind(session, user, told)
        address = address_of(request, hub.settings)
        await record(
            session, action="connected_provider", user=user, via="session", address=address
        )
    return back_to("/settings", f"From now on you may sign in by {hub.settings.oidc_name}.")


async def _refused(request: Request, hub: Hub, refused: HubError, next: str) -> Response:
    status = 403 if isinstance(refused, NotLetIn) else 400
    status = 502 if isinstance(refused, ProviderFailed) else status
    return await sign_in_page_with(request, hub, next, refused=refused, status=status)
