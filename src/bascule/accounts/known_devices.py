"""Browsers that somebody signed in with before, known by a cookie: strangers who guess at their
password do not slow them down, see `throttle`. It opens nothing, and is no second factor.
"""

import secrets
from datetime import timedelta

from fastapi import Request, Response
from sqlalchemy import delete, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.accounts.cookies import read_cookie, set_cookie
from bascule.accounts.tables import KnownDevice, User
from bascule.accounts.tokens import hash_of
from bascule.hub import Hub

COOKIE = "bascule_device"
LASTS = timedelta(days=180)  # since somebody signed in there last


async def known_device(
    hub: Hub, session: AsyncSession, request: Request, user: User | None
) -> str | None:
    """The hash of this browser's cookie, if this user signed in with it before."""
    cookie = read_cookie(hub, request, COOKIE)
    if cookie is None or user is None:
        return None
    query = select(KnownDevice.id_hash).where(
        KnownDevice.id_hash == hash_of(cookie),
        KnownDevice.user_id == user.id,
        KnownDevice.last_at > func.now() - LASTS,
    )
    return await session.scalar(query)


async def remember_device(hub: Hub, request: Request, response: Response, user: User) -> None:
    """After a good sign-in. The cookie is ours, made here: one that we did not give is not kept, or
    somebody could make a browser known that they have the cookie of.
    """
    cookie = read_cookie(hub, request, COOKIE)
    async with hub.db.session() as session:
        ours = cookie is not None and await session.scalar(
            select(KnownDevice.id_hash).where(KnownDevice.id_hash == hash_of(cookie)).limit(1)
        )
        if cookie is None or not ours:
            cookie = secrets.token_urlsafe(32)
        seen = insert(KnownDevice).values(id_hash=hash_of(cookie), user_id=user.id)
        again = {"last_at": func.now()}
        await session.execute(
            seen.on_conflict_do_update(index_elements=["id_hash", "user_id"], set_=again)
        )
    set_cookie(hub, request, response, COOKIE, cookie, LASTS)


async def forget_devices_of(session: AsyncSession, user: User) -> None:
    await session.execute(delete(KnownDevice).where(KnownDevice.user_id == user.id))


async def forget_old_devices(session: AsyncSession) -> None:
    await session.execute(delete(KnownDevice).where(KnownDevice.last_at < func.now() - LASTS))
