"""What a browser was asked and has not answered yet: to come back from the provider, or to have a
passkey sign something.

Each is random, for one purpose, bound to the browser that was asked, and good once, for minutes.
What has to come back is kept as a hash. A network that asks without end loses its oldest ones.
"""

import base64
import hmac
import secrets
from datetime import timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.accounts.tables import Challenge, User
from bascule.accounts.tokens import hash_of

LASTS = timedelta(minutes=10)
MOST = 300  # of one network


async def ask(
    session: AsyncSession,
    purpose: str,
    *,
    bound_to: str,
    network: str,
    user: User | None = None,
    next: str = "/",
) -> str:
    """What has to come back, from this browser: 256 random bits, as url-safe base64."""
    value = secrets.token_urlsafe(32)
    older = (
        select(Challenge.value_hash)
        .where(Challenge.network == network)
        .order_by(Challenge.asked_at.desc())
        .offset(MOST - 1)
    )
    await session.execute(delete(Challenge).where(Challenge.value_hash.in_(older)))
    session.add(
        Challenge(
            value_hash=hash_of(value),
            purpose=purpose,
            bound_hash=hash_of(bound_to),
            user_id=user.id if user else None,
            next=next,
            network=network,
        )
    )
    await session.flush()
    return value


async def take(
    session: AsyncSession, purpose: str, value: str, *, bound_to: str
) -> Challenge | None:
    """What was asked, which is over by that; None: it was not, not this browser, or too long ago.

    Whoever calls this commits it whatever comes next, or it could be answered twice.
    """
    query = (
        delete(Challenge)
        .where(
            Challenge.value_hash == hash_of(value),
            Challenge.purpose == purpose,
            Challenge.bound_hash == hash_of(bound_to),
            Challenge.asked_at > func.now() - LASTS,
        )
        .returning(Challenge)
    )
    found = await session.scalar(query)
    if found is not None:
        session.expunge(found)
    return found


def derived(cookie: str, value: str, purpose: str) -> str:
    """A secret of this browser's for this one question: made again where it is needed, and kept
    nowhere. 43 characters, as a PKCE verifier has.
    """
    made = hmac.digest(cookie.encode(), f"{purpose}: {value}".encode(), "sha256")
    return base64.urlsafe_b64encode(made).rstrip(b"=").decode()


async def forget_old_challenges(session: AsyncSession) -> None:
    await session.execute(delete(Challenge).where(Challenge.asked_at < func.now() - LASTS))
