"""The password once more: who signed in says again that it is them.

What leads to a person's powers (inviting, resetting, roles, tokens, second factors) is done only
shortly after that, see `access.require_confirmed`.
"""

from datetime import datetime

from fastapi import Request
from sqlalchemy import func, update
from sqlalchemy.sql.dml import ReturningUpdate

from bascule.accounts import throttle
from bascule.accounts.passwords import is_password
from bascule.accounts.tables import BrowserSession, RefreshFamily, User
from bascule.errors import Unconfirmed
from bascule.events.journal import record
from bascule.hub import Hub


def confirmed_at(request: Request) -> datetime:
    """When whoever signed in gave their password last; of a request that a person makes."""
    signed_in: BrowserSession | RefreshFamily = (
        request.state.session if request.state.via == "session" else request.state.family
    )
    return signed_in.confirmed_at


async def confirm(request: Request, hub: Hub, user: User, password: str) -> datetime:
    """Notes that this sign-in's person is here. Unconfirmed: it is not their password; TooMany."""
    address = request.state.address
    attempt = throttle.by_person(user, address)
    await throttle.let_in(hub, attempt)
    right = await is_password(password, user.password_hash)
    moment: datetime | None = None
    async with hub.db.session() as session:
        if right:
            await throttle.take_back(session, attempt)
            moment = await session.scalar(_noted(request))
        else:
            via = request.state.via
            await record(session, action="confirm.failed", user=user, via=via, address=address)
    if moment is None:
        raise Unconfirmed(
            "This is not your password.",
            next_step="Type it again; if it is forgotten, ask an admin to reset it.",
            wrong=True,
        )
    return moment


def _noted(request: Request) -> ReturningUpdate[tuple[datetime]]:
    if request.state.via == "session":
        its = BrowserSession.id_hash == request.state.session.id_hash
        noted = update(BrowserSession).where(its).values(confirmed_at=func.now())
        return noted.returning(BrowserSession.confirmed_at)
    family = update(RefreshFamily).where(RefreshFamily.id == request.state.family.id)
    return family.values(confirmed_at=func.now()).returning(RefreshFamily.confirmed_at)
