"""The pages People: who there is, invitations, and what an admin may do for one person.

A one-time link is shown in the answer to the form that made it, and nowhere else.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import RedirectResponse

from bascule.accounts.access import (
    ConfirmedPerson,
    MayManagePeople,
    TheHub,
    get_hub,
    refuse_unconfirmed,
)
from bascule.accounts.people import users
from bascule.accounts.people.api import UserId, invitation, note
from bascule.accounts.permissions import BUILT_IN_ROLES
from bascule.accounts.schemas import Invitation
from bascule.accounts.sign_in.api import TokenId
from bascule.accounts.sign_in.methods import ways_of
from bascule.accounts.sign_in.second_factor import factor_of
from bascule.accounts.tables import User
from bascule.accounts.tokens import count_tokens, revoke_token, tokens_of
from bascule.errors import Conflict, Invalid
from bascule.hub import Hub
from bascule.ui import back_to, page_url, render

pages = APIRouter(include_in_schema=False)
Typed = Annotated[str, Form(max_length=1000)]
ROWS = 50


@pages.get("/people")
async def people_page(
    request: Request,
    hub: TheHub,
    user: MayManagePeople,
    search: Annotated[str, Query(max_length=200)] = "",
    after: Annotated[str, Query(max_length=100)] = "",
) -> Response:
    async with hub.db.session() as session:
        found = await users.list_people(session, search, after=after, limit=ROWS + 1)
        total = await users.count_people(session, search)
        everybody = await users.count_people(session)
        tokens = await count_tokens(session)
        ways = await ways_of(session, found)
    shown = found[:ROWS]
    more = len(found) > ROWS
    return render(
        request,
        "accounts/people.html",
        people=shown,
        tokens=tokens,
        ways=ways,
        provider=hub.settings.oidc_issuer and hub.settings.oidc_name,
        search=search,
        after=after,
        total=total,
        many=everybody > ROWS,
        first_page=page_url("/people", search=search),
        next_page=page_url("/people", search=search, after=shown[-1].username) if more else "",
        twin=page_url("/api/users", search=search, after=after, limit=ROWS),
    )


@pages.get("/people/invite")
async def invite_page(request: Request, user: MayManagePeople) -> Response:
    return _invite_form(request, {"role": "viewer"})


@pages.post("/people/invite", name="invite_user")
async def invite_form(
    request: Request,
    hub: TheHub,
    user: MayManagePeople,
    _: ConfirmedPerson,
    username: Typed = "",
    email: Typed = "",
    role: Typed = "",
) -> Response:
    try:
        async with hub.db.session() as session:
            invited = await users.invite(session, username, email=email or None, role=role)
            made = invitation(request, hub, *invited)
    except (Invalid, Conflict) as refused:
        typed = {"username": username, "email": email, "role": role}
        return _invite_form(request, typed, refused)
    return _link(request, made, f"{made.user.username} is invited", 201)


@pages.get("/people/{person}")
async def person_page(
    request: Request, hub: TheHub, user: MayManagePeople, person: UserId
) -> Response:
    return await _person(request, hub, person)


@pages.post("/people/{person}", name="change_user")
async def change_form(
    request: Request,
    hub: TheHub,
    user: MayManagePeople,
    _: ConfirmedPerson,
    person: UserId,
    role: Typed = "",
    email: Typed = "",
) -> Response:
    typed = {"role": role, "email": email}
    try:
        changed = await _change(request, hub, person, typed)
    except (Invalid, Conflict) as refused:
        return await _person(request, hub, person, typed, refused)
    if changed.id == user.id and changed.role != "admin":
        return back_to("/", f"You are {changed.role} now.")
    return back_to(f"/people/{person}", f"{changed.username} is saved.")


@pages.post("/people/{person}/active", name="change_user")
async def active_form(
    request: Request, hub: TheHub, user: MayManagePeople, person: UserId, active: Typed = ""
) -> Response:
    wanted = active == "yes"
    if wanted:
        await refuse_unconfirmed(request, hub)
    try:
        changed = await _change(request, hub, person, {"active": wanted})
    except Conflict as refused:
        return await _person(request, hub, person, refused=refused)
    if changed.id == user.id and not wanted:
        return back_to("/sign-in", "Your account is deactivated.", kind="note")
    said = (
        f"{changed.username} is active and may sign in."
        if wanted
        else f"{changed.username} is deactivated and signed out everywhere."
    )
    return back_to(f"/people/{person}", said)


@pages.post("/people/{person}/invite", name="invite_user_again")
async def invite_again_form(
    request: Request, hub: TheHub, user: MayManagePeople, _: ConfirmedPerson, person: UserId
) -> Response:
    try:
        async with hub.db.session() as session:
            made = invitation(request, hub, *await users.invite_again(session, person))
    except Conflict as refused:
        return await _person(request, hub, person, refused=refused)
    return _link(request, made, f"A new link for {made.user.username}")


@pages.post("/people/{person}/reset", name="reset_user")
async def reset_form(
    request: Request, hub: TheHub, user: MayManagePeople, _: ConfirmedPerson, person: UserId
) -> Response:
    try:
        async with hub.db.session() as session:
            made = invitation(request, hub, *await users.reset(session, person))
    except Conflict as refused:
        return await _person(request, hub, person, refused=refused)
    return _link(request, made, f"The password of {made.user.username} is reset")


@pages.post("/people/{person}/tokens/{token}/revoke", name="revoke_token_of_user")
async def revoke_form(
    request: Request, hub: TheHub, user: MayManagePeople, person: UserId, token: TokenId
) -> Response:
    async with hub.db.session() as session:
        owner = await users.find_person(session, person)
        note(request, owner)
        name = (await revoke_token(session, owner, token)).name
    return back_to(f"/people/{person}", f"The token “{name}” is revoked.")


@pages.get("/people/{person}/{rest:path}")
async def person_again(user: MayManagePeople, person: UserId, rest: str) -> Response:
    """Who signs in again on the way to a form comes back by its address."""
    return RedirectResponse(f"/people/{person}", 303)


async def _change(request: Request, hub: Hub, person: int, changes: dict[str, Any]) -> User:
    async with hub.db.session() as session:
        changed = await users.change_person(session, person, changes)
        note(request, changed, changes)
        session.expunge(changed)
    return changed


async def _person(
    request: Request,
    hub: Hub,
    person: int,
    typed: dict[str, Any] | None = None,
    refused: Invalid | Conflict | None = None,
) -> Response:
    async with hub.db.session() as session:
        found = await users.find_person(session, person)
        tokens = await tokens_of(session, found)
        factor = await factor_of(session, found)
        ways = (await ways_of(session, [found]))[found.id]
    return render(
        request,
        "accounts/person.html",
        _status(refused),
        person=found,
        tokens=tokens,
        factor=factor,
        ways=ways,
        provider=hub.settings.oidc_issuer and hub.settings.oidc_name,
        typed=typed or {"role": found.role, "email": found.email or ""},
        refused=refused,
        wrong=refused.fields if isinstance(refused, Invalid) else {},
        roles=BUILT_IN_ROLES,
    )


def _invite_form(
    request: Request, typed: dict[str, str], refused: Invalid | Conflict | None = None
) -> Response:
    settings = get_hub(request).settings
    return render(
        request,
        "accounts/invite.html",
        _status(refused),
        provider=settings.oidc_issuer and settings.oidc_name,
        typed={"username": "", "email": "", **typed},
        refused=refused,
        wrong=refused.fields if isinstance(refused, Invalid) else {},
        roles=BUILT_IN_ROLES,
    )


def _link(request: Request, made: Invitation, title: str, status: int = 200) -> Response:
    return render(request, "accounts/link.html", status, made=made, title=title)


def _status(refused: Exception | None) -> int:
    if refused is None:
        return 200
    return 422 if isinstance(refused, Invalid) else 409
