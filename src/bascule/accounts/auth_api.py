"""Signing in over HTTP: access and refresh tokens, one's own password, one's own API tokens."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from sqlalchemy import select

from bascule.accounts import bearer
from bascule.accounts.access import TheHub, ThePerson, Viewer
from bascule.accounts.answers import (
    Credentials,
    MadeToken,
    NewToken,
    PasswordChange,
    PasswordChanged,
    Person,
    RefreshRequest,
    Sessions,
    SignedIn,
    SignedOut,
    TokenAnswer,
    Tokens,
)
from bascule.accounts.origin import address_of
from bascule.accounts.sessions import COOKIE, end_session, sessions_of
from bascule.accounts.signing_in import change_password, sign_in
from bascule.accounts.tables import ApiToken, BrowserSession, User
from bascule.accounts.tokens import hash_of, issue_token, revoke_token, tokens_of
from bascule.errors import Conflict, Invalid

open_router = APIRouter(prefix="/api/auth", tags=["Signing in"])  # asks who one is
router = APIRouter(prefix="/api/auth", tags=["Signing in"])
TOO_MANY: dict[int | str, dict[str, Any]] = {
    429: {"description": "Too many attempts; `Retry-After` tells how long to wait."}
}
NOT_SIGNED_IN: dict[int | str, dict[str, Any]] = {409: {"description": "This is an API token."}}
TokenId = Annotated[int, Path(ge=1, le=2**31 - 1, examples=[7])]


@open_router.post("/login", responses=TOO_MANY)
async def login(request: Request, hub: TheHub, body: Credentials) -> SignedIn:
    """Signs a program in, for a name and a password: an access token for 15 minutes, and a refresh
    token for 30 days. Too many attempts are answered with 429 and `Retry-After`.
    """
    user = await sign_in(
        hub, body.name, body.password, address=address_of(request, hub.settings), via="jwt"
    )
    async with hub.db.session() as session:
        return _signed_in(user, await bearer.start_family(hub, session, user))


@open_router.post("/refresh")
async def refresh(hub: TheHub, body: RefreshRequest) -> SignedIn:
    """The next access and refresh token for a refresh token, which is used up by it. For 30 seconds
    it gets the same two again, as a program may ask twice or lose the answer; later it ends every
    token that came from the same sign-in.
    """
    return _signed_in(*await bearer.refresh(hub, body.refresh_token))


def _signed_in(user: User, issued: bearer.Issued) -> SignedIn:
    return SignedIn(
        access_token=issued.access_token,
        expires_in=issued.expires_in,
        refresh_token=issued.refresh_token,
        refresh_expires_in=issued.refresh_expires_in,
        user=Person.of(user),
    )


@router.post("/logout", responses=NOT_SIGNED_IN)
async def logout(request: Request, response: Response, hub: TheHub, user: Viewer) -> SignedOut:
    """Ends this sign-in: its access and refresh tokens, or the browser's session."""
    if request.state.via == "token":
        raise Conflict(
            "An API token was never signed in, so it cannot be signed out.",
            next_step="Revoke it with DELETE /api/auth/tokens/{token}.",
        )
    if request.state.via == "session":
        await end_session(hub, request, response)
    else:
        async with hub.db.session() as session:
            await bearer.end_family(session, request.state.family)
    return SignedOut()


@router.get("/me")
async def me(user: Viewer) -> Person:
    """Who you are here."""
    return Person.of(user)


@router.post("/password", responses=TOO_MANY)
async def password(
    request: Request, hub: TheHub, user: Viewer, person: ThePerson, body: PasswordChange
) -> PasswordChanged:
    """Changes your own password. All other sessions and all access tokens end, this one's too; a
    browser stays signed in.
    """
    changed = await change_password(
        hub,
        person,
        body.old_password,
        body.new_password,
        address=request.state.address,
        keep=request.cookies.get(COOKIE) if request.state.via == "session" else None,
    )
    return PasswordChanged(user=Person.of(changed))


@router.get("/sessions")
async def sessions(request: Request, hub: TheHub, user: Viewer) -> Sessions:
    """The browsers that you are signed in with, the one seen last first."""
    this: BrowserSession | None = getattr(request.state, "session", None)
    async with hub.db.session() as session:
        found = await sessions_of(session, user)
    return Sessions.of(found, this.id_hash if this else None)


@router.get("/tokens")
async def tokens(hub: TheHub, user: Viewer) -> Tokens:
    """Your API tokens, without what they say."""
    async with hub.db.session() as session:
        return Tokens.of(await tokens_of(session, user))


@router.post("/tokens", status_code=201)
async def make_token(hub: TheHub, user: Viewer, person: ThePerson, body: NewToken) -> MadeToken:
    """An API token for a machine: it acts as you, and is shown this once. Who holds an API token
    cannot make another with it.
    """
    if body.expires_at is not None and body.expires_at <= datetime.now(UTC):
        raise Invalid(
            "This token would have expired already.",
            next_step="Give a time to come, or leave it out.",
            fields={"expires_at": "is in the past"},
        )
    async with hub.db.session() as session:
        token = await issue_token(
            session, body.name.strip(), person, scope=body.scope, expires_at=body.expires_at
        )
        kept = await session.scalar(select(ApiToken).where(ApiToken.token_hash == hash_of(token)))
        return MadeToken(**TokenAnswer.model_validate(kept).model_dump(), token=token)


@router.delete("/tokens/{token}")
async def delete_token(hub: TheHub, user: Viewer, token: TokenId) -> TokenAnswer:
    """Revokes one of your API tokens. The answer is what it was."""
    async with hub.db.session() as session:
        return TokenAnswer.model_validate(await revoke_token(session, user, token))
