"""Who asks, and the hub that answers: the two things every route depends on."""

from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.requests import HTTPConnection

from bascule.accounts.tables import User
from bascule.accounts.tokens import user_of_token
from bascule.errors import HubError
from bascule.hub import Hub


class Unauthenticated(HubError):
    """No token, or one that opens nothing."""


bearer = HTTPBearer(
    auto_error=False,
    scheme_name="token",
    description="A token from `bascule token`, as `Authorization: Bearer bsc_...`.",
)


def get_hub(connection: HTTPConnection) -> Hub:
    hub: Hub = connection.app.state.hub
    return hub


TheHub = Annotated[Hub, Depends(get_hub)]


async def require_user(
    request: Request,
    hub: TheHub,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
) -> User:
    if credentials is None:
        raise Unauthenticated(
            "This needs a token.",
            next_step="Send it as 'Authorization: Bearer <token>'; 'bascule token' prints one.",
        )
    async with hub.db.session() as session:
        user = await user_of_token(session, credentials.credentials)
        if user is not None:
            session.expunge(user)
    if user is None:
        raise Unauthenticated(
            "This token opens nothing here.",
            next_step="Run 'bascule token' on the hub's machine to get one that does.",
        )
    request.state.user = user
    return user


CurrentUser = Annotated[User, Depends(require_user)]
