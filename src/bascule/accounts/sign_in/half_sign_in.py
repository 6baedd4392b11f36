"""Between the password, or the provider, and the second factor: who gave the one in a browser is
asked for the other.
"""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from fastapi import Request, Response
from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.accounts.cookies import delete_cookie, read_cookie, set_cookie
from bascule.accounts.tables import HalfSignIn, User
from bascule.accounts.tokens import hash_of
from bascule.hub import Hub

COOKIE = "bascule_half"
LASTS = timedelta(minutes=10)


async def wait_for_code(
    hub: Hub, request: Request, response: Response, user: User, *, way: str = "password"
) -> None:
    """The cookie of a sign-in whose first half was right."""
    token = secrets.token_urlsafe(32)
    ends = datetime.now(UTC) + LASTS
    async with hub.db.session() as session:
        session.add(HalfSignIn(id_hash=hash_of(token), user_id=user.id, expires_at=ends, way=way))
    set_cookie(hub, request, response, COOKIE, token, LASTS)


@dataclass(frozen=True, slots=True)
class Waiting:
    user: User
    way: str  # password or oidc
    cookie: str


async def who_waits(hub: Hub, request: Request) -> Waiting | None:
    """Who gave the first half in this browser; None: nobody, or it was too long ago."""
    token = read_cookie(hub, request, COOKIE) or ""
    query = (
        select(User, HalfSignIn.way)
        .join(HalfSignIn, HalfSignIn.user_id == User.id)
        .where(
            HalfSignIn.id_hash == hash_of(token), HalfSignIn.expires_at > func.now(), User.active
        )
    )
    async with hub.db.session() as session:
        found = (await session.execute(query)).first()
        session.expunge_all()
    return Waiting(found[0], found[1], token) if found else None


async def end_half(hub: Hub, request: Request, response: Response) -> None:
    """The code was right: what waited for it is over."""
    token = read_cookie(hub, request, COOKIE) or ""
    async with hub.db.session() as session:
        await session.execute(delete(HalfSignIn).where(HalfSignIn.id_hash == hash_of(token)))
    delete_cookie(hub, request, response, COOKIE)


async def end_halves_of(session: AsyncSession, user_id: int) -> None:
    await session.execute(delete(HalfSignIn).where(HalfSignIn.user_id == user_id))


async def forget_old_halves(session: AsyncSession) -> None:
    await session.execute(delete(HalfSignIn).where(HalfSignIn.expires_at < func.now()))
