"""People as admins look after them: invited, given roles, switched off and on, reset.

Every change is told live, and what somebody may no longer do ends with the change itself.
"""

import re
from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.accounts.known_devices import forget_devices_of
from bascule.accounts.permissions import BUILT_IN_ROLES
from bascule.accounts.sessions import end_sessions_of
from bascule.accounts.sign_in.bearer_tokens import revoke_refresh_tokens
from bascule.accounts.sign_in.half_sign_in import end_halves_of
from bascule.accounts.sign_in.methods import end_other_ways
from bascule.accounts.sign_in.password_sign_in import end_links_of, make_link, plain_name
from bascule.accounts.tables import User
from bascule.accounts.tokens import end_tokens_of, ensure_admin
from bascule.errors import Conflict, Invalid, NoSuch
from bascule.events.live import publish

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}", re.ASCII)
EMAIL = re.compile(r"[^\s@\x00-\x1f]{1,64}@[^\s@\x00-\x1f]{1,190}")

# What is under way of the private connections of who is deactivated stops at its page, and what is
# queued is not begun; `connections.resting` keeps the rest from being started.
_REST = text("""
    WITH theirs AS (SELECT id FROM bascule.connections WHERE owner_id = :user AND NOT shared),
    fenced AS (
        UPDATE bascule.streams SET fence = fence + 1
         WHERE connection_id IN (SELECT id FROM theirs))
    UPDATE bascule.runs
       SET outcome = 'failed', finished_at = now(), error = 'Its owner was deactivated.',
           next_step = 'Nothing: it goes on where it was when somebody has the connection again.'
     WHERE connection_id IN (SELECT id FROM theirs) AND outcome IN ('queued', 'running')
""")


class NoSuchPerson(NoSuch):
    def __init__(self) -> None:
        super().__init__(
            "There is no such user.",
            next_step="GET /api/users, or 'bascule users', lists the ones there are.",
        )


async def list_people(
    session: AsyncSession, search: str = "", *, after: str = "", limit: int | None = None
) -> list[User]:
    """By name. `search`: words in name, address or role; `after`: the name that the page before
    ended with.
    """
    query = select(User).where(*_fitting(search), User.username > after)
    return list((await session.scalars(query.order_by(User.username).limit(limit))).all())


async def count_people(session: AsyncSession, search: str = "") -> int:
    query = select(func.count()).select_from(User).where(*_fitting(search))
    return await session.scalar(query) or 0


def _fitting(search: str) -> list[ColumnElement[bool]]:
    told = func.concat_ws(" ", User.username, User.email, User.role)
    return [told.icontains(word, autoescape=True) for word in search.split()]


async def find_person(session: AsyncSession, who: int | str, *, lock: bool = False) -> User:
    """By id, or by username or e-mail address. NoSuchPerson."""
    if isinstance(who, int):
        wanted = User.id == who
    else:
        name = plain_name(who)
        wanted = or_(User.username == name, User.email == name)
    query = select(User).where(wanted).order_by(User.id).limit(1)
    user = await session.scalar(query.with_for_update() if lock else query)
    if user is None:
        raise NoSuchPerson
    return user


async def invite(
    session: AsyncSession, username: str, *, email: str | None = None, role: str = "viewer"
) -> tuple[User, str]:
    """A new user without a password, and the token of the link that lets them choose one.

    Invalid; Conflict: the name or the address is somebody's.
    """
    clean = _checked({"username": username, "email": email, "role": role})
    user = User(**clean)
    try:
        async with session.begin_nested():
            session.add(user)
    except IntegrityError:
        raise _taken() from None
    await session.refresh(user)
    await publish(session, "user", user_id=user.id, change="added")
    return user, await make_link(session, user)


async def change_person(session: AsyncSession, who: int | str, changes: Mapping[str, Any]) -> User:
    """Changes `role`, `active` and `email`. Conflict: nobody would be left who is an admin."""
    clean = _checked(changes)
    # All who are admins now, in one order: two who demote each other wait for one another.
    admins = select(User).where(User.role == "admin", User.active).order_by(User.id)
    active_admins = {admin.id for admin in await session.scalars(admins.with_for_update())}
    user = await find_person(session, who, lock=True)
    stays = clean.get("role", user.role) == "admin" and clean.get("active", user.active)
    if active_admins == {user.id} and not stays:
        raise Conflict(
            f"{user.username} is the only admin; without one nobody could look after the hub.",
            next_step="Make somebody else an admin first.",
        )
    switched_off = user.active and clean.get("active") is False
    for name, value in clean.items():
        setattr(user, name, value)
    try:
        async with session.begin_nested():
            await session.flush()
    except IntegrityError:
        raise _taken() from None
    if switched_off:
        await _close_ways_in(session, user)
        await session.execute(_REST, {"user": user.id})
    await session.refresh(user)
    await publish(session, "user", user_id=user.id, change="changed")
    return user


async def invite_again(session: AsyncSession, who: int | str) -> tuple[User, str]:
    """Another link for somebody who has not chosen a password yet; the older ones end."""
    user = await find_active(session, who)
    if user.password_hash is not None:
        raise Conflict(
            f"{user.username} has chosen a password already.",
            next_step="Reset it, if it is forgotten.",
        )
    await end_links_of(session, user.id)
    return user, await make_link(session, user)


async def reset(session: AsyncSession, who: int | str) -> tuple[User, str]:
    """The password opens nothing any more, nor does any session or API token; the link lets them
    choose another password.
    """
    user = await find_active(session, who)
    user.password_hash = None
    await session.flush()
    await _close_ways_in(session, user)
    await end_tokens_of(session, user)
    await end_other_ways(session, user)
    await session.refresh(user)
    await publish(session, "user", user_id=user.id, change="reset")
    return user, await make_link(session, user)


async def nobody_can_sign_in(session: AsyncSession) -> bool:
    """No active admin has a password yet: this is a first start."""
    able = select(func.count()).where(
        User.role == "admin", User.active, User.password_hash.is_not(None)
    )
    return not await session.scalar(able)


async def first_link(session: AsyncSession) -> tuple[User, str] | None:
    """The first admin, and the token of the link that lets them choose a password, as long as no
    admin has one; older ones end. None: somebody can sign in already.
    """
    if not await nobody_can_sign_in(session):
        return None
    admin = await ensure_admin(session)
    await end_links_of(session, admin.id)
    return admin, await make_link(session, admin)


async def find_active(session: AsyncSession, who: int | str) -> User:
    """Conflict: they are deactivated. Nobody changes them until the transaction ends."""
    user = await find_person(session, who, lock=True)
    if not user.active:
        raise Conflict(f"{user.username} is deactivated.", next_step="Activate them first.")
    return user


async def _close_ways_in(session: AsyncSession, user: User) -> None:
    await end_sessions_of(session, user)
    await revoke_refresh_tokens(session, user)
    await end_links_of(session, user.id)
    await forget_devices_of(session, user)
    await end_halves_of(session, user.id)


def _checked(values: Mapping[str, Any]) -> dict[str, Any]:
    clean, wrong = dict(values), {}
    if "username" in values:
        clean["username"] = plain_name(values["username"])
        if not NAME.fullmatch(clean["username"]):
            wrong["username"] = (
                "has 1 to 64 of a-z, 0-9, dot, hyphen and underscore, and begins with a letter or "
                "a digit"
            )
    if "email" in values:
        clean["email"] = plain_name(values["email"] or "") or None
        if clean["email"] and not EMAIL.fullmatch(clean["email"]):
            wrong["email"] = "is no e-mail address"
    if "role" in values and values["role"] not in BUILT_IN_ROLES:
        wrong["role"] = f"is none of {', '.join(BUILT_IN_ROLES)}"
    if wrong:
        said = "; ".join(f"{name} {why}" for name, why in wrong.items())
        raise Invalid(
            f"This user cannot be saved: {said}.",
            next_step="Correct what is named and send it again.",
            fields=wrong,
        )
    return clean


def _taken() -> Conflict:
    return Conflict(
        "This username or e-mail address is somebody else's already.",
        next_step="Choose another, or look for them under People.",
    )
