"""Random keys that sign what the hub hands out: access tokens, and the refresh tokens that follow.

None is derived from the secret key, so nobody who holds a token can guess at that one offline. They
are stored encrypted. Each signs for 30 days; for an hour after the next one was made it is still
known, because a process may have signed with it just before.
"""

import secrets
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID, uuid4

from sqlalchemy import delete, exists, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from bascule.accounts.tables import SigningKey
from bascule.hub import Hub
from bascule.store.errors import WrongKey
from bascule.store.vault import derived

SIGNS_FOR = timedelta(days=30)
OVERLAP = timedelta(hours=1)  # longer than an access token lasts
ONE_AT_A_TIME = 0x6261_7369  # an advisory lock


@dataclass(frozen=True, slots=True)
class Key:
    id: UUID
    secret: str

    def derived(self, purpose: str) -> bytes:
        """32 bytes for this purpose alone."""
        return derived(self.secret, purpose)


async def newest_key(hub: Hub, session: AsyncSession) -> Key:
    """What signs now; made where there is none, or where it is old or no secret key opens it."""
    if found := await _newest(hub, session):
        return found
    await session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": ONE_AT_A_TIME})
    if found := await _newest(hub, session):
        return found
    await hub.vault.hold(session)
    made = Key(uuid4(), secrets.token_urlsafe(32))
    session.add(SigningKey(id=made.id, key_encrypted=hub.vault.encrypt(made.secret)))
    await session.flush()
    return made


async def key_of(hub: Hub, session: AsyncSession, number: UUID) -> Key | None:
    return _opened(hub, await session.get(SigningKey, number))


async def forget_old_keys(session: AsyncSession) -> None:
    newer = aliased(SigningKey)
    replaced = exists().where(
        newer.created_at > SigningKey.created_at, newer.created_at < func.now() - OVERLAP
    )
    await session.execute(delete(SigningKey).where(replaced))


async def _newest(hub: Hub, session: AsyncSession) -> Key | None:
    query = select(SigningKey).where(SigningKey.created_at > func.now() - SIGNS_FOR)
    query = query.order_by(SigningKey.created_at.desc(), SigningKey.id).limit(1)
    return _opened(hub, await session.scalar(query))


def _opened(hub: Hub, kept: SigningKey | None) -> Key | None:
    try:
        return Key(kept.id, hub.vault.decrypt(kept.key_encrypted)) if kept else None
    except WrongKey:  # it signed under another secret key, which nobody knows any more
        return None
