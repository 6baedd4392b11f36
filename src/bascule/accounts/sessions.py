"""Browsers that are signed in: the session's row, its cookie and its CSRF token.

The id in the cookie is made at sign-in and never taken from the browser, so nobody can have a
person sign in to a session that they know.
"""

import secrets
from datetime import UTC, datetime, timedelta

from fastapi import Request, Response
from sqlalchemy import ColumnElement, Delete, delete, func, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.accounts.cookies import delete_cookie, read_cookie, set_cookie
from bascule.accounts.known_devices import remember_device
from bascule.accounts.origin import address_of
from bascule.accounts.tables import BrowserSession, User
from bascule.accounts.tokens import hash_of
from bascule.accounts.user_agent import printable
from bascule.events.live import publish
from bascule.hub import Hub

COOKIE = "bascule_session"
LASTS = timedelta(days=14)
IDLE = timedelta(days=3)  # a session that nobody uses for so long is over


async def start_session(
    hub: Hub,
    request: Request,
    response: Response,
    user: User,
    *,
    way: str = "password",
    confirmed_at: datetime | None = None,
    factor_told: bool = False,
) -> None:
    """Signs this browser in: a new id, whatever it had before, and the cookie on the response.

    `confirmed_at`: when they showed that it is them; None: now.
    """
    session_id = secrets.token_urlsafe(32)
    async with hub.db.session() as session:
        if before := cookie_of(request, hub):
            await session.execute(_the(before))
        session.add(
            BrowserSession(
                id_hash=hash_of(session_id),
                user_id=user.id,
                csrf=secrets.token_urlsafe(32),
                expires_at=datetime.now(UTC) + LASTS,
                confirmed_at=confirmed_at or datetime.now(UTC),
                way=way,
                factor_told=factor_told,
                address=address_of(request, hub.settings),
                agent=printable(request.headers.get("user-agent", "")),
            )
        )
        await session.execute(
            update(User).where(User.id == user.id).values(last_sign_in_at=func.now())
        )
        await publish(session, "user", user_id=user.id, change="sessions")
    await remember_device(hub, request, response, user)
    set_cookie(hub, request, response, COOKIE, session_id, LASTS)


async def end_session(hub: Hub, request: Request, response: Response) -> None:
    """Signs this browser out."""
    if session_id := cookie_of(request, hub):
        async with hub.db.session() as session:
            await session.execute(_the(session_id))
    delete_cookie(hub, request, response, COOKIE)


def cookie_of(request: Request, hub: Hub) -> str | None:
    """The session id that this browser has, if any."""
    return read_cookie(hub, request, COOKIE)


async def end_sessions_of(session: AsyncSession, user: User, *, but: str | None = None) -> None:
    """Signs the user out everywhere; `but`: the cookie of a session that may stay."""
    ended = delete(BrowserSession).where(BrowserSession.user_id == user.id)
    if but is not None:
        ended = ended.where(BrowserSession.id_hash != hash_of(but))
    await session.execute(ended)


async def end_sessions_by(session: AsyncSession, user: User, way: str) -> None:
    """Those that began by this way, which an admin has taken away."""
    theirs = BrowserSession.user_id == user.id, BrowserSession.way == way
    await session.execute(delete(BrowserSession).where(*theirs))


async def session_of(session: AsyncSession, session_id: str) -> tuple[User, BrowserSession] | None:
    """Who is signed in there. None: over, unknown, or of somebody who was deactivated.

    `last_seen_at` is written at most once a minute.
    """
    kept = BrowserSession
    query = (
        select(User, kept, kept.last_seen_at < func.now() - text("interval '1 minute'"))
        .join(kept, kept.user_id == User.id)
        .where(kept.id_hash == hash_of(session_id), *_still_open(), User.active)
    )
    found = (await session.execute(query)).first()
    if found is None:
        return None
    user, signed_in, stale = found
    if stale:
        seen = update(kept).where(kept.id_hash == signed_in.id_hash)
        await session.execute(seen.values(last_seen_at=func.now()))
    return user, signed_in


def csrf_of(request: Request) -> str:
    """What every form of this browser's session carries as `csrf_token`; empty without a session.

    Scripts send it as the header X-CSRF-Token.
    """
    signed_in: BrowserSession | None = getattr(request.state, "session", None)
    return signed_in.csrf if signed_in else ""


async def sessions_of(session: AsyncSession, user: User) -> list[BrowserSession]:
    """The browsers that the user is signed in with, the one seen last first."""
    query = select(BrowserSession).where(BrowserSession.user_id == user.id, *_still_open())
    return list((await session.scalars(query.order_by(BrowserSession.last_seen_at.desc()))).all())


async def end_one_session(session: AsyncSession, user: User, mark: str) -> bool:
    """Ends the session of theirs that `mark_of` names so; whether there was one."""
    ended = delete(BrowserSession).where(
        BrowserSession.user_id == user.id, BrowserSession.id_hash.startswith(mark, autoescape=True)
    )
    gone = (await session.execute(ended.returning(BrowserSession.id_hash))).all()
    if gone:
        await publish(session, "user", user_id=user.id, change="sessions")
    return bool(gone)


def mark_of(signed_in: BrowserSession) -> str:
    """What names a session to its owner; nothing is opened by it."""
    return signed_in.id_hash[:16]


async def forget_old_sessions(session: AsyncSession) -> None:
    over = or_(
        BrowserSession.expires_at < func.now(), BrowserSession.last_seen_at < func.now() - IDLE
    )
    await session.execute(delete(BrowserSession).where(over))


def _still_open() -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    kept = BrowserSession
    return kept.expires_at > func.now(), kept.last_seen_at > func.now() - IDLE


def _the(session_id: str) -> Delete:
    return delete(BrowserSession).where(BrowserSession.id_hash == hash_of(session_id))
