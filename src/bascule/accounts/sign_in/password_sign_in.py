"""Who somebody is, by name and password; and how a password is chosen.

Whatever is wrong is told in the same words after the same work: an unknown name, a wrong password,
an account without one or one that was switched off.
"""

import secrets
from datetime import UTC, datetime, timedelta

from fastapi import Request
from sqlalchemy import delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.accounts import throttle
from bascule.accounts.known_devices import known_device
from bascule.accounts.origin import address_of
from bascule.accounts.passwords import (
    check_rules,
    hash_of_password,
    is_outdated,
    is_password,
    words_here,
)
from bascule.accounts.sessions import end_sessions_of
from bascule.accounts.sign_in.bearer_tokens import revoke_refresh_tokens
from bascule.accounts.sign_in.half_sign_in import end_halves_of
from bascule.accounts.sign_in.second_factor import has_factor, is_code, wrong_code
from bascule.accounts.tables import OneTimeLink, User
from bascule.accounts.tokens import hash_of
from bascule.audit.entries import record
from bascule.errors import Invalid, NoSuch, Unauthenticated
from bascule.events.live import publish
from bascule.hub import Hub

LINK_LASTS = timedelta(days=7)


async def sign_in(
    hub: Hub, request: Request, name: str, password: str, *, via: str = "session"
) -> tuple[User, bool]:
    """The user of this name or e-mail address and password, and whether a code of their app is
    needed too. TooMany, Unauthenticated.

    What they may hold afterwards is the caller's: a session, or tokens (`via` jwt).
    """
    asked, address = plain_name(name), address_of(request, hub.settings)
    user = await _named(hub, asked)
    async with hub.db.session() as session:
        device = await known_device(hub, session, request, user)
    if device is not None:
        attempt = throttle.by_device(device, address)
    else:
        attempt = throttle.by_name(hub, asked, address)
    await throttle.let_in(hub, attempt)
    right = await is_password(password, user.password_hash if user and user.active else None)
    if user is None or not right:
        async with hub.db.session() as session:
            # A name that nobody has may be a password in the wrong place: it is not kept.
            action = "sign-in.failed"
            await record(session, action=action, user=user, via=via, address=address)
        raise Unauthenticated(
            "This name and this password do not belong together.",
            next_step="Check both, and whether Caps Lock is on. A forgotten password is reset by "
            "an admin, or on the hub's machine with 'bascule users reset'.",
        )
    better = None
    if user.password_hash and is_outdated(user.password_hash):
        better = await hash_of_password(password)
    async with hub.db.session() as session:
        await throttle.take_back(session, attempt)
        kept = await session.get(User, user.id)
        if kept is None or not kept.active or kept.password_hash != user.password_hash:
            raise Unauthenticated(
                "This account was changed just now.", next_step="Sign in once more."
            )
        kept.password_hash = better or kept.password_hash
        half = await has_factor(session, kept)
        if not half:
            kept.last_sign_in_at = datetime.now(UTC)
            await record(session, action="sign-in", user=kept, via=via, address=address)
        await session.flush()
        await session.refresh(kept)
        session.expunge(kept)
    return kept, half


async def give_code(
    hub: Hub, request: Request, user: User, code: str, *, via: str = "session"
) -> User:
    """The other half of a sign-in. Invalid: it is not theirs; TooMany."""
    address = address_of(request, hub.settings)
    attempt = throttle.by_code(user, address)
    await throttle.let_in(hub, attempt)
    async with hub.db.session() as session:
        right = await is_code(hub, session, user, code)
        action = "sign-in" if right else "sign-in.wrong-code"
        if right:
            await throttle.take_back(session, attempt)
            seen = update(User).where(User.id == user.id).values(last_sign_in_at=func.now())
            await session.execute(seen)
        await record(session, action=action, user=user, via=via, address=address)
    if not right:
        raise wrong_code()
    return user


async def change_password(
    hub: Hub, user: User, old: str, new: str, *, address: str, keep: str | None = None
) -> User:
    """Ends every other session and all tokens of sign-ins; `keep`: the cookie of a session that
    stays. Guessing the old one is slowed down as signing in is.
    """
    async with hub.db.session() as session:
        check_rules(new, user.username, user.email, context=await words_here(hub, session))
    attempt = throttle.by_person(user, address)
    await throttle.let_in(hub, attempt)
    if not await is_password(old, user.password_hash):
        raise Invalid(
            "This is not your present password.",
            next_step="Type it again; if it is forgotten, ask an admin to reset it.",
            fields={"old_password": "is not your present password"},
        )
    hashed = await hash_of_password(new)
    async with hub.db.session() as session:
        await throttle.take_back(session, attempt)
        return await _set_password(session, user.id, hashed, keep=keep)


async def end_all_sign_ins(session: AsyncSession, user: User, *, keep: str | None) -> None:
    """Ends the user's sessions and the tokens of sign-ins; `keep`: the cookie of one that stays."""
    await end_sessions_of(session, user, but=keep)
    await revoke_refresh_tokens(session, user)
    await publish(session, "user", user_id=user.id, change="sessions")


async def make_link(session: AsyncSession, user: User) -> str:
    """The token of a one-time link, `/welcome/<token>`: shown once, kept as a hash for 7 days."""
    token = secrets.token_urlsafe(32)
    session.add(
        OneTimeLink(
            token_hash=hash_of(token), user_id=user.id, expires_at=datetime.now(UTC) + LINK_LASTS
        )
    )
    await session.flush()
    return token


async def end_links_of(session: AsyncSession, user_id: int) -> None:
    await session.execute(delete(OneTimeLink).where(OneTimeLink.user_id == user_id))


async def user_of_link(session: AsyncSession, token: str) -> User:
    """Whom this link lets choose a password. NoSuch: used, expired or unknown."""
    query = (
        select(User)
        .join(OneTimeLink, OneTimeLink.user_id == User.id)
        .where(
            OneTimeLink.token_hash == hash_of(token),
            OneTimeLink.expires_at > func.now(),
            User.active,
        )
    )
    user = await session.scalar(query)
    if user is None:
        raise NoSuch(
            "This link does not work any more: it was used, or it is older than 7 days.",
            next_step="Ask an admin for a new one; on the hub's machine, 'bascule users reset' "
            "prints one.",
        )
    return user


async def welcome(hub: Hub, token: str, password: str, *, address: str = "") -> User:
    """Uses a one-time link up: the password is chosen, and every older way in is closed."""
    async with hub.db.session() as session:
        user = await user_of_link(session, token)
        context = await words_here(hub, session)
        check_rules(password, user.username, user.email, context=context)
        session.expunge(user)
    hashed = await hash_of_password(password)
    async with hub.db.session() as session:
        used = delete(OneTimeLink).where(OneTimeLink.token_hash == hash_of(token))
        if (await session.execute(used.returning(OneTimeLink.user_id))).first() is None:
            await user_of_link(session, token)  # somebody used it just now: says so
        await throttle.forgive(session, hub, user)
        await record(session, action="welcome", user=user, via="link", address=address)
        return await _set_password(session, user.id, hashed)


async def forget_old_links(session: AsyncSession) -> None:
    await session.execute(delete(OneTimeLink).where(OneTimeLink.expires_at < func.now()))


def plain_name(name: str) -> str:
    """As names are kept and compared. What no name can be is cut, so that no key grows long."""
    return name.strip().lower().replace("\0", "").encode("utf-8", "replace").decode()[:200]


async def _named(hub: Hub, name: str) -> User | None:
    query = select(User).where(or_(User.username == name, User.email == name))
    async with hub.db.session() as session:
        user = (await session.scalars(query.order_by(User.username != name))).first()
        session.expunge_all()
    return user


async def _set_password(
    session: AsyncSession, user_id: int, hashed: str, *, keep: str | None = None
) -> User:
    user = await session.get_one(User, user_id, with_for_update=True)
    user.password_hash = hashed
    await session.flush()
    await end_sessions_of(session, user, but=keep)
    await revoke_refresh_tokens(session, user)
    await end_links_of(session, user.id)
    await end_halves_of(session, user.id)
    await publish(session, "user", user_id=user.id, change="password")
    await session.refresh(user)
    session.expunge(user)
    return user
