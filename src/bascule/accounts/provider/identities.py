"""Whose account at the provider is whose here.

An account is bound by the provider's own name for it (issuer and subject), once: an e-mail address
that changes hands there changes nothing here. By its address, which the provider has to vouch for,
only somebody is found who was invited and has never been here; an admin not even then, nor whoever
has a password: they connect the two on their page My settings, with their password.
"""

import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.accounts.people import users
from bascule.accounts.provider.id_token import Told
from bascule.accounts.sessions import end_sessions_by
from bascule.accounts.sign_in.password_sign_in import end_links_of
from bascule.accounts.tables import ApiToken, Identity, Passkey, User
from bascule.errors import Conflict, Forbidden, NoSuch
from bascule.events.live import publish
from bascule.settings import Settings, words_in


@dataclass(frozen=True, slots=True)
class Named:
    """Somebody, for the journal; it outlives the transaction that was refused."""

    id: int
    username: str


class NotLetIn(Forbidden):
    """The provider says who it is, and they do not get in. `user`: whose account it is about;
    `reason` for the audit.
    """

    def __init__(
        self, message: str, *, next_step: str, reason: str, user: User | None = None
    ) -> None:
        super().__init__(message, next_step=next_step)
        self.reason, self.user = reason, user and Named(user.id, user.username)


async def whose(settings: Settings, session: AsyncSession, told: Told) -> User:
    """Who comes in; bound at their first time. NotLetIn."""
    query = (
        select(User, Identity)
        .join(Identity, Identity.user_id == User.id)
        .where(Identity.issuer == told.issuer, Identity.subject == told.subject)
    )
    found = (await session.execute(query)).first()
    if found is not None:
        if not found[0].active:
            raise NotLetIn(
                "Your account on this hub is deactivated.",
                next_step="Ask an admin of this hub to activate it.",
                reason="deactivated",
                user=found[0],
            )
        found[1].last_at = datetime.now(UTC)
        return found[0]
    email = _vouched(settings, told)
    user = await session.scalar(select(User).where(User.email == email).with_for_update())
    if user is None:
        user = await _made(settings, session, email)
    await _refuse_by_address(session, user)
    await bind(session, user, told)
    await end_links_of(session, user.id)  # they have their way in
    return user


async def bind(session: AsyncSession, user: User, told: Told) -> None:
    """From now on that account there is this one here. NotLetIn: one of them is bound already."""
    try:
        async with session.begin_nested():
            session.add(
                Identity(
                    user_id=user.id,
                    issuer=told.issuer,
                    subject=told.subject,
                    called=told.name,
                    last_at=datetime.now(UTC),
                )
            )
    except IntegrityError:
        raise NotLetIn(
            "That account and this one are not free: one of them is connected already.",
            next_step="Disconnect what is connected on the page My settings first, or ask an "
            "admin.",
            reason="connected already",
            user=user,
        ) from None
    await publish(session, "user", user_id=user.id, change="sign-in by a provider")


def refuse_domain(settings: Settings, told: Told) -> None:
    """NotLetIn: where only some domains are let in, and this is none of them."""
    if words_in(settings.oidc_domains):
        _vouched(settings, told)


async def identity_of(session: AsyncSession, settings: Settings, user: User) -> Identity | None:
    """Theirs at the provider of now."""
    theirs = Identity.user_id == user.id, Identity.issuer == settings.oidc_issuer
    return await session.scalar(select(Identity).where(*theirs))


async def unbind(session: AsyncSession, user: User, *, by_admin: bool = False) -> None:
    """At whatever provider. NoSuch: there is none; Conflict: nothing else would let them in."""
    theirs = Identity.user_id == user.id
    if await session.scalar(select(Identity.id).where(theirs).limit(1)) is None:
        raise NoSuch(
            f"{user.username} is not connected with an account elsewhere.",
            next_step="Nothing is to be done.",
        )
    if not by_admin and user.password_hash is None and not await _has_passkey(session, user):
        raise Conflict(
            "You have no other way in: no password and no passkey.",
            next_step="Add a passkey on the page My settings, or ask an admin for a link to choose "
            "a password, and disconnect it then.",
        )
    await session.execute(delete(Identity).where(theirs))
    if by_admin:  # who came in by it may not be them
        await end_sessions_by(session, user, "oidc")
    await publish(session, "user", user_id=user.id, change="sign-in by a provider")


def _vouched(settings: Settings, told: Told) -> str:
    """The address by which they may be found, or made."""
    if told.unverified is None:
        raise NotLetIn(
            "The sign-in service did not tell your e-mail address.",
            next_step="Have whoever looks after it give this hub the scope email.",
            reason="no address",
        )
    if told.email is None:
        raise NotLetIn(
            "The sign-in service does not say that your e-mail address is really yours.",
            next_step="Confirm your address there. Where it never says so (email_verified), sign "
            "in with your password, and connect the two on the page My settings.",
            reason="address not verified",
        )
    domains = words_in(settings.oidc_domains)
    if domains and told.email.rpartition("@")[2] not in domains:
        raise NotLetIn(
            "Addresses of your domain are not let in here.",
            next_step="Sign in there with the account of your company, or ask an admin of this "
            "hub to add the domain to BASCULE_OIDC_DOMAINS.",
            reason="another domain",
        )
    return told.email


async def _refuse_by_address(session: AsyncSession, user: User) -> None:
    """An address alone takes over nobody who has been here, and no admin."""
    if not user.active:
        raise NotLetIn(
            "Your account on this hub is deactivated.",
            next_step="Ask an admin of this hub to activate it.",
            reason="deactivated",
            user=user,
        )
    been_here = (
        user.password_hash is not None
        or user.last_sign_in_at is not None
        or await _has_passkey(session, user)
        or await session.scalar(select(Identity.id).where(Identity.user_id == user.id).limit(1))
        or await session.scalar(select(ApiToken.id).where(ApiToken.user_id == user.id).limit(1))
    )
    if been_here:
        raise NotLetIn(
            "There is an account with your e-mail address here, and somebody has signed in to it "
            "before.",
            next_step="Sign in with your password, and connect the two on the page My settings.",
            reason="not connected",
            user=user,
        )
    if user.role == "admin":
        raise NotLetIn(
            "You were invited as an admin, and an e-mail address alone makes nobody that.",
            next_step="Choose a password with the link of your invitation, and connect the two on "
            "the page My settings.",
            reason="admin not connected",
            user=user,
        )


async def _made(settings: Settings, session: AsyncSession, email: str) -> User:
    if settings.oidc_new_people == "nobody":
        raise NotLetIn(
            "Nobody with your e-mail address was invited to this hub.",
            next_step="Ask an admin of this hub to invite you with this very address.",
            reason="not invited",
        )
    base = re.sub(r"[^a-z0-9._-]", "", email.partition("@")[0]).lstrip("._-")[:50] or "somebody"
    taken = await session.scalar(select(User.id).where(User.username == base))
    name = base if taken is None else f"{base}-{secrets.token_hex(3)}"
    user, _ = await users.invite(session, name, email=email, role=settings.oidc_new_people)
    return user


async def _has_passkey(session: AsyncSession, user: User) -> bool:
    query = select(Passkey.id).where(Passkey.user_id == user.id).limit(1)
    return await session.scalar(query) is not None
