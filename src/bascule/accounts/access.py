"""Who asks, what they may, and the hub that answers: what every route depends on.

A person comes with an access token or a browser's session, a machine with an API token. What a
session asks to change needs its CSRF token, because browsers send cookies for anybody's page.
"""

import hmac
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import HTTPConnection

from bascule.accounts.origin import address_of, refuse_cross_site
from bascule.accounts.permissions import (
    ACCOUNT_OWN,
    BUILT_IN_ROLES,
    DATA_READ,
    PEOPLE_MANAGE,
    SERVICES_OWN,
    SITES_ALLOW,
    Permission,
    has_permission,
)
from bascule.accounts.reauthentication import confirm, confirm_with_passkey, confirmed_at
from bascule.accounts.sessions import COOKIE, cookie_of, csrf_of, session_of
from bascule.accounts.sign_in.bearer_tokens import user_of_access_token
from bascule.accounts.sign_in.second_factor import has_factor
from bascule.accounts.tables import User
from bascule.accounts.tokens import PREFIX, opened_by, widest_scope
from bascule.audit.counted import count
from bascule.errors import Forbidden, Unauthenticated, Unconfirmed
from bascule.events.live import position
from bascule.hub import Hub

READING = {"GET", "HEAD"}
CONFIRMED_FOR = timedelta(minutes=10)  # after a password was given
FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")

bearer = HTTPBearer(
    auto_error=False,
    scheme_name="token",
    description="`Authorization: Bearer <token>`: an access token from POST /api/auth/login, or an "
    "API token (`bsc_...`) from POST /api/auth/tokens or `bascule token`.",
)
cookie = APIKeyCookie(
    name=COOKIE,
    auto_error=False,
    scheme_name="session",
    description="A browser that signed in; what changes something needs X-CSRF-Token too.",
)


def get_hub(connection: HTTPConnection) -> Hub:
    hub: Hub = connection.app.state.hub
    return hub


TheHub = Annotated[Hub, Depends(get_hub)]


async def require_user(
    request: Request,
    hub: TheHub,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
    _: Annotated[str | None, Depends(cookie)] = None,  # for the OpenAPI; read below
) -> User:
    """Leaves at `request.state` the `user`, their `address`, and `via`: token, jwt or session."""
    request.state.address = address_of(request, hub.settings)
    if credentials is not None:
        user = await _by_bearer(request, hub, credentials.credentials)
    elif session_id := cookie_of(request, hub):
        user = await _by_session(request, hub, session_id)
    else:
        raise Unauthenticated(
            "This needs you to sign in.",
            next_step="Send 'Authorization: Bearer <token>': POST /api/auth/login gives one for a "
            "name and a password, 'bascule token' prints one on the hub's machine.",
        )
    if request.state.via != "token" and needs_factor(hub, user):
        async with hub.db.session() as session:
            told = request.state.via == "session" and request.state.session.factor_told
            user.lacks_factor = not told and not await has_factor(session, user)
        user.held_to = "write" if user.lacks_factor else user.held_to
    request.state.user = user
    return user


def needs_factor(hub: Hub, user: User) -> bool:
    """Whether the settings want a second factor of them: of who has any permission of an admin's.
    Without one they are held to the permissions of the scope `write`.
    """
    return hub.settings.second_factor == "admins" and widest_scope(user) == "admin"


CurrentUser = Annotated[User, Depends(require_user)]


class Require:
    """A dependency that lets in who has this permission; see `require`."""

    def __init__(self, permission: Permission) -> None:
        self.permission = permission

    async def __call__(self, user: CurrentUser) -> User:
        refuse_without(self.permission, user)
        return user


@cache
def require(permission: Permission) -> Callable[..., Awaitable[User]]:
    """For `Depends`: the user, or Forbidden. Every route has one; a test reads which."""
    return Require(permission)


MayUseAccount = Annotated[User, Depends(require(ACCOUNT_OWN))]
MayRead = Annotated[User, Depends(require(DATA_READ))]
MayKeepServices = Annotated[User, Depends(require(SERVICES_OWN))]
MayManagePeople = Annotated[User, Depends(require(PEOPLE_MANAGE))]
MayAllowSites = Annotated[User, Depends(require(SITES_ALLOW))]


def refuse_without(permission: Permission, user: User) -> None:
    """Forbidden, with what is missing and who can give it."""
    if user.may(permission):
        return
    if not has_permission(user.role, user.role_permissions, permission):
        raise Forbidden(
            f"This needs the permission {permission.name}, which your role, {user.role}, does not "
            "have.",
            next_step="Ask an admin: they give roles on the page People, or with 'bascule users "
            f"role {user.username} {_least_role_with(permission)}'.",
        )
    if user.lacks_factor:
        raise Forbidden(
            "On this hub admins have a second factor, and you have none yet.",
            next_step="Set an authenticator app up, on the page My settings, Second factor, or "
            "with POST /api/auth/second-factor; or add a passkey there.",
        )
    raise Forbidden(
        f"This needs the permission {permission.name}, which a token of the scope {user.held_to} "
        "does not have.",
        next_step=f"Make one with the scope {permission.scope}, if that is what it is for.",
    )


def _least_role_with(permission: Permission) -> str:
    return next(role for role in BUILT_IN_ROLES if role in permission.roles)


async def require_person(request: Request, user: MayUseAccount) -> User:
    """Somebody who signed in with a password. A machine's token must not make itself another."""
    if request.state.via == "token":
        raise Forbidden(
            "An API token cannot do this; it needs somebody who signed in.",
            next_step="Sign in, on a page or with POST /api/auth/login, and do it there.",
        )
    return user


ThePerson = Annotated[User, Depends(require_person)]


async def require_confirmed(request: Request, hub: TheHub, user: MayUseAccount) -> User:
    """A person who gave their password within the last minutes: at sign-in, with POST
    /api/auth/confirm, or in this form (`confirm_password`, `confirm_passkey`). For what leads to a
    person's powers, so that neither a machine's token nor a browser left alone gives them.
    """
    await require_person(request, user)
    if datetime.now(UTC) - confirmed_at(request) < CONFIRMED_FOR:
        return user
    if request.headers.get("content-type", "").startswith(FORMS):
        form = await request.form()
        # The page that asks for the password sends the form once more.
        request.state.form = [
            (name, value)
            for name, value in form.multi_items()
            if isinstance(value, str)
            and name not in ("csrf_token", "confirm_password", "confirm_passkey")
        ]
        given = form.get("confirm_password")
        if isinstance(given, str):
            await confirm(request, hub, user, given)
            return user
        signed = form.get("confirm_passkey")
        if isinstance(signed, str):
            await confirm_with_passkey(request, hub, user, signed)
            return user
    raise Unconfirmed(
        "This needs your password once more: you gave it more than 10 minutes ago.",
        next_step="Send it with POST /api/auth/confirm and repeat this, or sign in again.",
    )


ConfirmedPerson = Annotated[User, Depends(require_confirmed)]


async def refuse_unconfirmed(request: Request, hub: Hub) -> None:
    """As `require_confirmed`, where only what is asked for tells that it is needed."""
    await require_confirmed(request, hub, request.state.user)


async def _by_bearer(request: Request, hub: Hub, token: str) -> User:
    async with hub.db.session() as session:
        found = await _user_of_bearer(request, hub, session, token)
        session.expunge_all()
    if found is None:
        count(hub, "bearer.refused", request.state.address)
        raise Unauthenticated(
            "This token opens nothing here: it is unknown, expired or was revoked.",
            next_step="Get another one: POST /api/auth/refresh or /api/auth/login, or run "
            "'bascule token' on the hub's machine.",
        )
    user, scope = found
    if request.method not in READING:
        hold_to_scope(user, scope)
    return user


def hold_to_scope(user: User, scope: str) -> None:
    """Whoever acts as this user by a token of this scope, and changes something. Forbidden."""
    if scope == "read":
        raise Forbidden(
            "This token may only read.",
            next_step="Make one with the scope write, if that is what it is for.",
        )
    user.held_to = scope


async def _user_of_bearer(
    request: Request, hub: Hub, session: AsyncSession, token: str
) -> tuple[User, str] | None:
    request.state.via = "token" if token.startswith(PREFIX) else "jwt"
    if request.state.via == "token":
        return await opened_by(session, token)
    found = await user_of_access_token(hub, session, token)
    if found is None:
        return None
    user, request.state.family = found
    return user, "admin"


async def _by_session(request: Request, hub: Hub, session_id: str) -> User:
    async with hub.db.session() as session:
        found = await session_of(session, session_id)
        if not request.url.path.startswith("/api/"):
            # What happens from here on is told to the page: see its data-events.
            request.state.position = await position(session)
        session.expunge_all()
    if found is None:
        raise Unauthenticated("You are signed out.", next_step="Sign in again.")
    user, request.state.session = found
    request.state.via = "session"
    if request.method not in READING:
        refuse_cross_site(request, hub.settings)
        if not hmac.compare_digest(csrf_of(request).encode(), await _csrf_sent(request)):
            raise Forbidden(
                "This form was not made for the session that you are signed in with.",
                next_step="Load the page again and repeat it. Programs send the session's token as "
                "X-CSRF-Token, or better sign in with POST /api/auth/login.",
            )
    return user


async def _csrf_sent(request: Request) -> bytes:
    sent: object = request.headers.get("x-csrf-token")
    if sent is None and request.headers.get("content-type", "").startswith(FORMS):
        sent = (await request.form()).get("csrf_token")
    return sent.encode("utf-8", "surrogatepass") if isinstance(sent, str) else b""
