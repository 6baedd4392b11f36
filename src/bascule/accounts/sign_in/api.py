"""Signing in over HTTP: access and refresh tokens, one's own password, one's own API tokens."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request, Response
from sqlalchemy import select

from bascule.accounts.access import CONFIRMED_FOR, ConfirmedPerson, MayUseAccount, TheHub, ThePerson
from bascule.accounts.origin import address_of
from bascule.accounts.reauthentication import confirm
from bascule.accounts.schemas import (
    Confirmed,
    Credentials,
    MadeToken,
    NewToken,
    PasswordChange,
    PasswordChanged,
    PasswordOnceMore,
    Person,
    RefreshRequest,
    Sessions,
    SignedIn,
    SignedOut,
    TokenAnswer,
    Tokens,
)
from bascule.accounts.sessions import cookie_of, end_session
from bascule.accounts.sign_in import bearer_tokens
from bascule.accounts.sign_in.active_sign_ins import end_sign_in, signed_in_with
from bascule.accounts.sign_in.password_sign_in import change_password, give_code, sign_in
from bascule.accounts.tables import ApiToken, User
from bascule.accounts.tokens import hash_of, issue_token, revoke_token, tokens_of
from bascule.errors import CodeNeeded, Conflict

open_router = APIRouter(prefix="/api/auth", tags=["Signing in"])  # asks who one is
router = APIRouter(prefix="/api/auth", tags=["Signing in"])
TOO_MANY: dict[int | str, dict[str, Any]] = {
    429: {"description": "Too many attempts; `Retry-After` tells how long to wait."}
}
NOT_SIGNED_IN: dict[int | str, dict[str, Any]] = {409: {"description": "This is an API token."}}
SignInId = Annotated[
    str,
    Path(
        pattern="^[0-9a-f]{16}([0-9a-f]{16})?$",
        description="Its `id` in GET /api/auth/sessions.",
        examples=["5feceb66ffc86f38"],
    ),
]
TokenId = Annotated[int, Path(ge=1, le=2**31 - 1, examples=[7])]


@open_router.post("/login", responses=TOO_MANY)
async def login(request: Request, hub: TheHub, body: Credentials) -> SignedIn:
    """Signs a program in, for a name and a password: an access token for 15 minutes, and a refresh
    token for 30 days. Who has an authenticator app or a passkey gives a code too. Too many attempts
    are answered with 429 and `Retry-After`.
    """
    address, agent = address_of(request, hub.settings), request.headers.get("user-agent", "")
    user, half = await sign_in(hub, request, body.name, body.password, via="jwt")
    if half and body.code is None:
        raise CodeNeeded(
            "The password is right, and a code is needed too.",
            next_step="Send both together, with `code`: what your authenticator app shows, or a "
            "recovery code. A program cannot use a passkey: make it an API token instead.",
        )
    if half:
        user = await give_code(hub, request, user, body.code or "", via="jwt")
    async with hub.db.session() as session:
        issued = await bearer_tokens.start_family(hub, session, user, address=address, agent=agent)
        return _signed_in(user, issued)


@open_router.post("/refresh")
async def refresh(request: Request, hub: TheHub, body: RefreshRequest) -> SignedIn:
    """The next access and refresh token for a refresh token, which is used up by it. For 30 seconds
    it gets the same two again, as a program may ask twice or lose the answer; later it ends every
    token that came from the same sign-in.
    """
    address = address_of(request, hub.settings)
    return _signed_in(*await bearer_tokens.refresh(hub, body.refresh_token, address=address))


def _signed_in(user: User, issued: bearer_tokens.Issued) -> SignedIn:
    return SignedIn(
        access_token=issued.access_token,
        expires_in=issued.expires_in,
        refresh_token=issued.refresh_token,
        refresh_expires_in=issued.refresh_expires_in,
        user=Person.of(user),
    )


@router.post("/logout", responses=NOT_SIGNED_IN)
async def logout(
    request: Request, response: Response, hub: TheHub, user: MayUseAccount
) -> SignedOut:
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
            await bearer_tokens.end_family(session, request.state.family.id)
    return SignedOut()


@router.get("/me")
async def me(user: MayUseAccount) -> Person:
    """Who you are here."""
    return Person.of(user)


@router.post("/confirm", responses=TOO_MANY)
async def confirm_password(
    request: Request, hub: TheHub, user: ThePerson, body: PasswordOnceMore
) -> Confirmed:
    """Your password once more. For 10 minutes this sign-in may then do what leads to a person's
    powers: invite, reset and change people, make API tokens. So does a new sign-in.
    """
    moment = await confirm(request, hub, user, body.password)
    return Confirmed(confirmed_until=moment + CONFIRMED_FOR)


@router.post("/password", responses=TOO_MANY)
async def password(
    request: Request, hub: TheHub, user: ThePerson, body: PasswordChange
) -> PasswordChanged:
    """Changes your own password. All other sessions and all access tokens end, this one's too; a
    browser stays signed in.
    """
    changed = await change_password(
        hub,
        user,
        body.old_password,
        body.new_password,
        address=request.state.address,
        keep=cookie_of(request, hub) if request.state.via == "session" else None,
    )
    return PasswordChanged(user=Person.of(changed))


@router.get("/sessions")
async def sessions(request: Request, hub: TheHub, user: MayUseAccount) -> Sessions:
    """The browsers and programs that you are signed in with, the one seen last first."""
    async with hub.db.session() as session:
        found = await signed_in_with(request, session, user)
    return Sessions(sessions=found)


@router.delete("/sessions/{session}")
async def end_one_sign_in(hub: TheHub, user: ThePerson, session: SignInId) -> SignedOut:
    """Signs one of your browsers or programs out."""
    await end_sign_in(hub, user, session)
    return SignedOut()


@router.get("/tokens")
async def tokens(hub: TheHub, user: MayUseAccount) -> Tokens:
    """Your API tokens, without what they say."""
    async with hub.db.session() as session:
        return Tokens.of(await tokens_of(session, user))


@router.post("/tokens", status_code=201)
async def make_token(hub: TheHub, user: ConfirmedPerson, body: NewToken) -> MadeToken:
    """An API token for a machine: it acts as you, and is shown this once. Who holds an API token
    cannot make another with it. It ends in 90 days unless told otherwise.
    """
    async with hub.db.session() as session:
        token = await issue_token(
            session, body.name.strip(), user, scope=body.scope, expires_at=body.expires_at
        )
        kept = await session.scalar(select(ApiToken).where(ApiToken.token_hash == hash_of(token)))
        return MadeToken(**TokenAnswer.model_validate(kept).model_dump(), token=token)


@router.delete("/tokens/{token}")
async def delete_token(hub: TheHub, user: MayUseAccount, token: TokenId) -> TokenAnswer:
    """Revokes one of your API tokens. The answer is what it was."""
    async with hub.db.session() as session:
        return TokenAnswer.model_validate(await revoke_token(session, user, token))
