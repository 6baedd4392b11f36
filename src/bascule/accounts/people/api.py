"""People over HTTP, for admins: who there is, invitations, roles, resets, and others' tokens."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.accounts.access import (
    ConfirmedPerson,
    TheHub,
    refuse_unconfirmed,
    require,
)
from bascule.accounts.origin import public_url
from bascule.accounts.people import users
from bascule.accounts.permissions import PEOPLE_MANAGE
from bascule.accounts.schemas import (
    Invitation,
    ListedPerson,
    NewPerson,
    People,
    Person,
    PersonChange,
    TokenAnswer,
    Tokens,
)
from bascule.accounts.sign_in.api import TokenId
from bascule.accounts.sign_in.methods import ways_of
from bascule.accounts.sign_in.password_sign_in import LINK_LASTS
from bascule.accounts.tables import User
from bascule.accounts.tokens import count_tokens, revoke_token, tokens_of
from bascule.audit.entries import entry_of
from bascule.hub import Hub

router = APIRouter(
    prefix="/api/users", tags=["People"], dependencies=[Depends(require(PEOPLE_MANAGE))]
)
Responses = dict[int | str, dict[str, Any]]
TAKEN: Responses = {409: {"description": "The name or the e-mail address is somebody else's."}}
LAST: Responses = {
    409: {"description": "Nobody would be left who is an admin, or the address is taken."}
}
CHOSEN: Responses = {409: {"description": "They are deactivated, or have a password already."}}
INACTIVE: Responses = {409: {"description": "They are deactivated."}}
UserId = Annotated[int, Path(ge=1, le=2**31 - 1, examples=[2])]


@router.get("")
async def list_users(
    hub: TheHub,
    search: Annotated[
        str, Query(max_length=200, description="Words in the name, the address or the role.")
    ] = "",
    after: Annotated[str, Query(max_length=100, description="`next` of the page before.")] = "",
    limit: Annotated[
        int | None, Query(ge=1, le=500, description="How many at most; left out: all of them.")
    ] = None,
) -> People:
    """Everybody who has an account here, active or not, by name."""
    async with hub.db.session() as session:
        more = None if limit is None else limit + 1
        found = await users.list_people(session, search, after=after, limit=more)
        total = await users.count_people(session, search)
        tokens = await count_tokens(session)
        ways = await ways_of(session, found)
    listed = [ListedPerson.of(user) for user in found[:limit]]
    for each in listed:
        each.api_tokens = tokens.get(each.id, 0)
        each.signs_in_with = ways[each.id]
    last = listed[-1].username if len(found) > len(listed) else None
    return People(users=listed, total=total, next=last)


@router.post("", status_code=201, responses=TAKEN)
async def invite_user(
    request: Request, hub: TheHub, admin: ConfirmedPerson, body: NewPerson
) -> Invitation:
    """A new user. The answer holds the one-time link by which they choose a password within 7 days;
    the hub sends no mail.
    """
    async with hub.db.session() as session:
        user, token = await users.invite(session, body.username, email=body.email, role=body.role)
        return invitation(request, hub, user, token)


@router.get("/{user}")
async def one_user(hub: TheHub, user: UserId) -> Person:
    async with hub.db.session() as session:
        return Person.of(await users.find_person(session, user))


@router.patch("/{user}", responses=LAST)
async def change_user(request: Request, hub: TheHub, user: UserId, body: PersonChange) -> Person:
    """Changes a role, an e-mail address, or whether somebody is active; at once, also where they
    are signed in. The last active admin stays one. A machine may deactivate somebody; all else
    needs a person, who gave their password lately.
    """
    changes = body.model_dump(exclude_unset=True)
    if gives_powers(changes):
        await refuse_unconfirmed(request, hub)
    async with hub.db.session() as session:
        changed = await users.change_person(session, user, changes)
        note(request, changed, changes)
        return Person.of(changed)


@router.post("/{user}/invite", responses=CHOSEN)
async def invite_user_again(
    request: Request, hub: TheHub, admin: ConfirmedPerson, user: UserId
) -> Invitation:
    """A new link for somebody who has not chosen a password yet; older ones end."""
    async with hub.db.session() as session:
        return invitation(request, hub, *await users.invite_again(session, user))


@router.post("/{user}/reset", responses=INACTIVE)
async def reset_user(
    request: Request, hub: TheHub, admin: ConfirmedPerson, user: UserId
) -> Invitation:
    """Ends somebody's password, sessions, access tokens and API tokens; the link lets them choose
    another password.
    """
    async with hub.db.session() as session:
        return invitation(request, hub, *await users.reset(session, user))


@router.get("/{user}/tokens")
async def tokens_of_user(hub: TheHub, user: UserId) -> Tokens:
    """Somebody's API tokens, without what they say."""
    async with hub.db.session() as session:
        return Tokens.of(await tokens_of(session, await users.find_person(session, user)))


@router.delete("/{user}/tokens/{token}")
async def revoke_token_of_user(
    request: Request, hub: TheHub, user: UserId, token: TokenId
) -> TokenAnswer:
    """Revokes somebody's API token. The answer is what it was."""
    async with hub.db.session() as session:
        owner = await users.find_person(session, user)
        note(request, owner)
        return TokenAnswer.model_validate(await revoke_token(session, owner, token))


async def act_on_person(
    request: Request, hub: Hub, number: int, act: Callable[[AsyncSession, User], Awaitable[None]]
) -> Person:
    """Takes away a person's lost or misused way in, and names the person in the audit log."""
    async with hub.db.session() as session:
        found = await users.find_person(session, number)
        note(request, found)
        await act(session, found)
        return Person.of(found)


def gives_powers(changes: Mapping[str, Any]) -> bool:
    """Whether more is changed than that somebody is deactivated."""
    return bool(set(changes) - {"active"}) or bool(changes.get("active"))


def invitation(request: Request, hub: Hub, user: User, token: str) -> Invitation:
    """The one-time link of this token, at the address that people reach the hub at."""
    note(request, user)
    return Invitation(
        user=Person.of(user),
        link=f"{public_url(request, hub.settings)}/welcome/{token}",
        expires_at=datetime.now(UTC) + LINK_LASTS,
    )


def note(request: Request, user: User, changes: Mapping[str, Any] | None = None) -> None:
    """The journal names the person and no number, and tells what rights were given or taken."""
    entry = entry_of(request)
    entry.object = user.username
    entry.detail |= {k: v for k, v in (changes or {}).items() if k in ("role", "active")}
