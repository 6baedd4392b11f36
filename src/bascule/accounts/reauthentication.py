"""The password once more: who signed in says again that it is them.

What leads to a person's powers (inviting, resetting, roles, tokens, second factors) is done only
shortly after that, see `access.require_confirmed`.
"""

from datetime import datetime
from typing import Any

from fastapi import Request
from sqlalchemy import func, update
from sqlalchemy.sql.dml import ReturningUpdate

from bascule.accounts import throttle
from bascule.accounts.origin import network_of
from bascule.accounts.passkeys.authentication import CONFIRM, begin, used
from bascule.accounts.passkeys.registration import passkeys_of
from bascule.accounts.passkeys.relying_party import NotTheirs, bound_to, place_if_any, place_of
from bascule.accounts.passwords import is_password
from bascule.accounts.tables import BrowserSession, RefreshFamily, User
from bascule.audit.entries import record
from bascule.errors import Conflict, Unconfirmed
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


async def confirm_with_passkey(request: Request, hub: Hub, user: User, credential: str) -> None:
    """The same by a passkey, whose device has seen that it is them. Unconfirmed; TooMany."""
    address = request.state.address
    attempt = throttle.by_person(user, address)
    await throttle.let_in(hub, attempt)
    try:
        place = place_of(hub, request)
        await used(hub, CONFIRM, place, credential, bound_to=bound_to(request), user=user)
    except (NotTheirs, Conflict) as refused:
        async with hub.db.session() as session:
            via = request.state.via
            await record(session, action="confirm.failed", user=user, via=via, address=address)
        said, step = str(refused), refused.next_step
        raise Unconfirmed(said, next_step=step, wrong=True) from None
    async with hub.db.session() as session:
        await throttle.take_back(session, attempt)
        await session.execute(_noted(request))


async def passkey_options(request: Request, hub: Hub, user: User) -> dict[str, Any] | None:
    """What a browser is asked for that; None: they have no passkey, or none is good here."""
    place = place_if_any(hub, request)
    async with hub.db.session() as session:
        if place is None or not await passkeys_of(session, user):
            return None
        network = network_of(request.state.address)
        return await begin(
            session, CONFIRM, place, bound_to=bound_to(request), network=network, user=user
        )


def _noted(request: Request) -> ReturningUpdate[tuple[datetime]]:
    if request.state.via == "session":
        its = BrowserSession.id_hash == request.state.session.id_hash
        noted = update(BrowserSession).where(its).values(confirmed_at=func.now())
        return noted.returning(BrowserSession.confirmed_at)
    family = update(RefreshFamily).where(RefreshFamily.id == request.state.family.id)
    return family.values(confirmed_at=func.now()).returning(RefreshFamily.confirmed_at)
