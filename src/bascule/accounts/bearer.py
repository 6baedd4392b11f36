"""Access tokens (JWT) and the refresh tokens that renew them, for programs that sign in.

An access token lives for minutes and names its family: the chain of refresh tokens that began with
one sign-in. Signing out ends the family; a changed password, or being deactivated, ends them all.
A refresh token is used once. A used one that comes again is in two hands, so its family ends.
"""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import jwt
from sqlalchemy import delete, exists, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.accounts.tables import RefreshToken, User
from bascule.accounts.tokens import hash_of
from bascule.errors import Unauthenticated
from bascule.hub import Hub

ALGORITHM = "HS256"
ISSUER, AUDIENCE = "bascule", "bascule-api"
ACCESS_LASTS = timedelta(minutes=15)
REFRESH_LASTS = timedelta(days=30)
PURPOSE = "bascule access tokens"  # the key is derived for this alone, see `store.vault`
CLAIMS = ["iss", "aud", "sub", "exp", "iat", "jti", "sid", "ver"]


@dataclass(frozen=True, slots=True)
class Issued:
    access_token: str
    expires_in: int
    refresh_token: str
    refresh_expires_in: int


async def start_family(hub: Hub, session: AsyncSession, user: User) -> Issued:
    """The tokens of a program that has just signed in."""
    return await _next(hub, session, user, uuid4())


async def refresh(hub: Hub, refresh_token: str) -> tuple[User, Issued]:
    """The next tokens for a refresh token; it is used up by that."""
    async with hub.db.session() as session:
        query = (
            select(RefreshToken, User)
            .join(User, User.id == RefreshToken.user_id)
            .where(RefreshToken.token_hash == hash_of(refresh_token))
            .with_for_update(of=RefreshToken)
        )
        found = (await session.execute(query)).first()
        if found is not None:
            kept, user = found
            if kept.used_at is None and kept.expires_at > datetime.now(UTC) and user.active:
                kept.used_at = datetime.now(UTC)
                issued = await _next(hub, session, user, kept.family)
                session.expunge(user)
                return user, issued
            await end_family(session, kept.family)
    raise Unauthenticated(
        "This refresh token opens nothing: it is unknown, expired or was used before.",
        next_step="Sign in again with POST /api/auth/login.",
    )


async def user_of_access_token(
    hub: Hub, session: AsyncSession, token: str
) -> tuple[User, UUID] | None:
    """Whose access token this is, and its family; None where it opens nothing."""
    claims = _claims(hub, token)
    if claims is None:
        return None
    family = UUID(claims["sid"])
    alive = exists().where(RefreshToken.family == family, RefreshToken.user_id == User.id)
    user = await session.scalar(
        select(User).where(
            User.id == int(claims["sub"]), User.version == claims["ver"], User.active, alive
        )
    )
    return (user, family) if user else None


async def end_family(session: AsyncSession, family: UUID) -> None:
    await session.execute(delete(RefreshToken).where(RefreshToken.family == family))


async def end_families_of(session: AsyncSession, user: User) -> None:
    """Every token that a sign-in of this user gave out opens nothing any more."""
    await session.execute(update(User).where(User.id == user.id).values(version=User.version + 1))
    await session.execute(delete(RefreshToken).where(RefreshToken.user_id == user.id))


async def forget_old_families(session: AsyncSession) -> None:
    """Used tokens stay until they would have expired: until then their reuse has to be seen."""
    await session.execute(delete(RefreshToken).where(RefreshToken.expires_at < func.now()))


async def _next(hub: Hub, session: AsyncSession, user: User, family: UUID) -> Issued:
    now = datetime.now(UTC)
    refresh_token = secrets.token_urlsafe(32)
    session.add(
        RefreshToken(
            token_hash=hash_of(refresh_token),
            family=family,
            user_id=user.id,
            expires_at=now + REFRESH_LASTS,
        )
    )
    await session.flush()
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": str(user.id),
        "iat": now,
        "exp": now + ACCESS_LASTS,
        "jti": str(uuid4()),
        "sid": str(family),
        "ver": user.version,
    }
    return Issued(
        access_token=jwt.encode(claims, hub.vault.derived(PURPOSE), ALGORITHM),
        expires_in=int(ACCESS_LASTS.total_seconds()),
        refresh_token=refresh_token,
        refresh_expires_in=int(REFRESH_LASTS.total_seconds()),
    )


def _claims(hub: Hub, token: str) -> dict[str, Any] | None:
    """What a token says, if we signed it so. The algorithm is ours, not what its header names."""
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            hub.vault.derived(PURPOSE),
            algorithms=[ALGORITHM],
            issuer=ISSUER,
            audience=AUDIENCE,
            options={"require": CLAIMS},
        )
    except (jwt.InvalidTokenError, ValueError):
        return None
    return claims
