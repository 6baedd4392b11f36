"""Access tokens (JWT) and the refresh tokens that renew them, for programs that sign in.

An access token lives for minutes and names its family: the chain of refresh tokens that began with
one sign-in. Signing out ends the family; a changed password, or being deactivated, ends them all.
A family ends 90 days after its sign-in, however often it is renewed.
A refresh token is used once. One that comes again shortly after is a program's that asked twice or
lost the answer: it gets the same again. Later it is in two hands, so its family ends.
"""

import base64
import hmac
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4, uuid5

import jwt
from sqlalchemy import delete, exists, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.accounts.signing import Key, key_of, newest_key
from bascule.accounts.tables import RefreshFamily, RefreshToken, User
from bascule.accounts.tokens import hash_of
from bascule.accounts.user_agent import printable
from bascule.audit.counted import count
from bascule.errors import Unauthenticated
from bascule.events.live import publish
from bascule.hub import Hub

ALGORITHM = "HS256"
ISSUER, AUDIENCE = "bascule", "bascule-api"
ACCESS_LASTS = timedelta(minutes=15)
REFRESH_LASTS = timedelta(days=30)
FAMILY_LASTS = timedelta(days=90)  # after that the password is given again
GRACE = timedelta(seconds=30)  # after its use, in which a refresh token gets the same answer again
SUCCESSION = "refresh tokens that follow others"
PURPOSE = "bascule access tokens"  # of the signing key one is derived for this alone
CLAIMS = ["iss", "aud", "sub", "exp", "iat", "jti", "sid", "ver"]


@dataclass(frozen=True, slots=True)
class Issued:
    access_token: str
    expires_in: int
    refresh_token: str
    refresh_expires_in: int


async def start_family(
    hub: Hub, session: AsyncSession, user: User, *, address: str = "", agent: str = ""
) -> Issued:
    """The tokens of a program that has just signed in; from where, and what it calls itself."""
    token, now = secrets.token_urlsafe(32), datetime.now(UTC)
    family = RefreshFamily(
        id=uuid4(),
        user_id=user.id,
        began_at=now,
        confirmed_at=now,
        address=address,
        agent=printable(agent),
    )
    session.add(family)
    await session.flush()
    await publish(session, "user", user_id=user.id, change="sessions")
    kept = await _kept(session, user, family, token)
    return _issued(await newest_key(hub, session), user, kept, token)


async def refresh(hub: Hub, refresh_token: str, *, address: str = "") -> tuple[User, Issued]:
    """The next tokens for a refresh token, which is used up by that; within GRACE the same ones."""
    async with hub.db.session() as session:
        query = (
            select(RefreshToken, RefreshFamily, User, RefreshToken.used_at > func.now() - GRACE)
            .join(RefreshFamily, RefreshFamily.id == RefreshToken.family)
            .join(User, User.id == RefreshToken.user_id)
            .where(RefreshToken.token_hash == hash_of(refresh_token))
            .with_for_update(of=RefreshToken)
        )
        found = (await session.execute(query)).first()
        if found is not None:
            kept, family, user, just_used = found
            key, follower, token = await _key_after(hub, session, kept), None, ""
            if user.active and kept.expires_at > datetime.now(UTC) and key is not None:
                token = _following(key, refresh_token)
                if kept.used_at is None:
                    kept.used_at, kept.succession = datetime.now(UTC), key.id
                    follower = await _kept(session, user, family, token)
                elif just_used:
                    follower = await session.get(RefreshToken, hash_of(token))
            if follower is not None and key is not None:
                session.expunge(user)
                return user, _issued(key, user, follower, token)
            await end_family(session, kept.family)
    count(hub, "refresh.refused", address)
    raise Unauthenticated(
        "This refresh token opens nothing: it is unknown, expired or was used before.",
        next_step="Sign in again with POST /api/auth/login.",
    )


async def user_of_access_token(
    hub: Hub, session: AsyncSession, token: str
) -> tuple[User, RefreshFamily] | None:
    """Whose access token this is, and its family; None where it opens nothing."""
    claims = await _claims(hub, session, token)
    if claims is None:
        return None
    query = (
        select(User, RefreshFamily)
        .join(RefreshFamily, RefreshFamily.user_id == User.id)
        .where(
            RefreshFamily.id == UUID(claims["sid"]),
            User.id == int(claims["sub"]),
            User.version == claims["ver"],
            User.active,
        )
    )
    found = (await session.execute(query)).first()
    return (found[0], found[1]) if found else None


async def end_family(session: AsyncSession, family: UUID) -> None:
    await session.execute(delete(RefreshFamily).where(RefreshFamily.id == family))


async def families_of(
    session: AsyncSession, user: User
) -> list[tuple[RefreshFamily, RefreshToken]]:
    """The programs that are signed in, each with the last token that it got; newest first."""
    query = (
        select(RefreshFamily, RefreshToken)
        .join(RefreshToken, RefreshToken.family == RefreshFamily.id)
        .where(
            RefreshFamily.user_id == user.id,
            RefreshToken.used_at.is_(None),  # the one at the end of the chain
            RefreshToken.expires_at > func.now(),
        )
        .order_by(RefreshToken.created_at.desc())
    )
    found = await session.execute(query)
    return [(family, last) for family, last in found]


async def revoke_refresh_tokens(session: AsyncSession, user: User) -> None:
    """Every token that a sign-in of this user gave out opens nothing any more."""
    await session.execute(update(User).where(User.id == user.id).values(version=User.version + 1))
    await session.execute(delete(RefreshFamily).where(RefreshFamily.user_id == user.id))


async def forget_old_families(session: AsyncSession) -> None:
    """Used tokens stay until they would have expired: until then their reuse has to be seen."""
    await session.execute(delete(RefreshToken).where(RefreshToken.expires_at < func.now()))
    alive = exists().where(RefreshToken.family == RefreshFamily.id)
    await session.execute(delete(RefreshFamily).where(~alive))


async def _key_after(hub: Hub, session: AsyncSession, kept: RefreshToken) -> Key | None:
    """What makes the token after it, or has made it. None: that key is there no more."""
    if kept.used_at is None:
        return await newest_key(hub, session)
    return await key_of(hub, session, kept.succession) if kept.succession else None


def _following(key: Key, refresh_token: str) -> str:
    """What comes after it: as random as that one, and known only to who has it and this key.

    So it can be given again, though only its hash is kept.
    """
    text = refresh_token.encode("utf-8", "surrogatepass")
    after = hmac.digest(key.derived(SUCCESSION), text, "sha256")
    return base64.urlsafe_b64encode(after).rstrip(b"=").decode()


async def _kept(
    session: AsyncSession, user: User, family: RefreshFamily, token: str
) -> RefreshToken:
    now = datetime.now(UTC)
    kept = RefreshToken(
        token_hash=hash_of(token),
        family=family.id,
        user_id=user.id,
        created_at=now,
        expires_at=min(now + REFRESH_LASTS, family.began_at + FAMILY_LASTS),
    )
    session.add(kept)
    await session.flush()
    return kept


def _issued(key: Key, user: User, kept: RefreshToken, refresh_token: str) -> Issued:
    """Both tokens; the access token, too, is the same whenever it is made."""
    ends = kept.created_at + ACCESS_LASTS
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": str(user.id),
        "iat": kept.created_at,
        "exp": ends,
        "jti": str(uuid5(kept.family, kept.token_hash)),
        "sid": str(kept.family),
        "ver": user.version,
    }
    now = datetime.now(UTC)
    return Issued(
        access_token=jwt.encode(
            claims, key.derived(PURPOSE), ALGORITHM, headers={"kid": str(key.id)}
        ),
        expires_in=round((ends - now).total_seconds()),
        refresh_token=refresh_token,
        refresh_expires_in=round((kept.expires_at - now).total_seconds()),
    )


async def _claims(hub: Hub, session: AsyncSession, token: str) -> dict[str, Any] | None:
    """What a token says, if we signed it so. Its header says which of our keys, and nothing else:
    the algorithm is ours.
    """
    try:
        number = UUID(str(jwt.get_unverified_header(token).get("kid")))
        key = await key_of(hub, session, number)
        if key is None:
            return None
        claims: dict[str, Any] = jwt.decode(
            token,
            key.derived(PURPOSE),
            algorithms=[ALGORITHM],
            issuer=ISSUER,
            audience=AUDIENCE,
            options={"require": CLAIMS},
        )
    except (jwt.InvalidTokenError, ValueError):
        return None
    return claims
