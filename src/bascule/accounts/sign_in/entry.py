"""The last steps of a browser's sign-in: its second factor, then its session; or the record of the
refusal.
"""

from datetime import UTC, datetime
from typing import Protocol
from urllib.parse import urlencode

from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from bascule.accounts import throttle
from bascule.accounts.origin import address_of, local_path
from bascule.accounts.passkeys.authentication import FACTOR, used
from bascule.accounts.passkeys.relying_party import NotTheirs, place_of
from bascule.accounts.sessions import start_session
from bascule.accounts.sign_in.half_sign_in import wait_for_code
from bascule.accounts.sign_in.second_factor import has_factor
from bascule.accounts.tables import User
from bascule.audit.counted import count
from bascule.audit.entries import Person, record
from bascule.hub import Hub

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)  # of a session whose person has shown nothing lately


class RefusedSignIn(Protocol):
    """`user`: whose account it was about, where that is known; `reason` is for the audit log."""

    @property
    def user(self) -> Person | None: ...
    @property
    def reason(self) -> str: ...


async def enter(
    hub: Hub,
    request: Request,
    user: User,
    *,
    next: str,
    way: str,
    confirmed_at: datetime | None,
    factor_given: bool,
) -> Response:
    """Of who came by another way than a password. `confirmed_at`: when they showed the provider
    that it is them; None: it does not tell. A passkey shows it now. `factor_given`: with two.
    """
    async with hub.db.session() as session:
        half = not factor_given and await has_factor(session, user)
        if not half:
            address = address_of(request, hub.settings)
            await record(session, action="sign-in", user=user, via=way, address=address)
    if half:
        return await ask_for_factor(hub, request, user, next, way=way)
    response = RedirectResponse(local_path(next), 303)
    told = way == "oidc" and factor_given
    moment = (confirmed_at or LONG_AGO) if way == "oidc" else None
    await start_session(
        hub, request, response, user, way=way, confirmed_at=moment, factor_told=told
    )
    return response


async def ask_for_factor(
    hub: Hub, request: Request, user: User, next: str, *, way: str = "password"
) -> Response:
    """Leads to the page that asks for the other half."""
    query = urlencode({"next": local_path(next)})
    response = RedirectResponse(f"/sign-in/code?{query}", 303)
    await wait_for_code(hub, request, response, user, way=way)
    return response


async def record_refused(
    hub: Hub, request: Request, refused: RefusedSignIn | None, *, via: str, counted: str
) -> None:
    """A refused sign-in of a known person is a row of the audit log with its reason. Of strangers
    only the number of refusals is kept, under the name `counted`.
    """
    address = address_of(request, hub.settings)
    if refused is None or refused.user is None:
        count(hub, counted, address)
        return
    async with hub.db.session() as session:
        await record(
            session,
            action="sign-in.failed",
            user=refused.user,
            via=via,
            address=address,
            detail={"reason": refused.reason},
        )


async def give_passkey(
    hub: Hub, request: Request, user: User, credential: str, *, bound_to: str, via: str
) -> None:
    """The other half of a sign-in, by a passkey. NotTheirs; TooMany; Conflict."""
    address = address_of(request, hub.settings)
    attempt = throttle.by_code(user, address)
    await throttle.let_in(hub, attempt)
    try:
        place = place_of(hub, request)
        await used(hub, FACTOR, place, credential, bound_to=bound_to, user=user)
    except NotTheirs as refused:
        async with hub.db.session() as session:
            detail, action = {"reason": refused.reason}, "sign-in.wrong-passkey"
            await record(session, action=action, user=user, via=via, address=address, detail=detail)
        raise
    async with hub.db.session() as session:
        await throttle.take_back(session, attempt)
        await record(session, action="sign-in", user=user, via=via, address=address)
