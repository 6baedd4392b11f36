"""Who signs in how: by password, by the provider, with a passkey; and the end of those that an
admin's reset ends.
"""

from collections.abc import Iterable

from sqlalchemy import delete, exists, select
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.accounts.tables import Identity, Passkey, RecoveryCode, SecondFactor, User

WAYS = ("password", "provider", "passkey", "app")


async def ways_of(session: AsyncSession, users: Iterable[User]) -> dict[int, list[str]]:
    """Of each by id, in the order of WAYS; `app`: a code of an authenticator app besides."""
    people = list(users)
    ids = [user.id for user in people]
    app_on = SecondFactor.confirmed_at.is_not(None)
    queries = {
        "provider": select(Identity.user_id).where(Identity.user_id.in_(ids)),
        "passkey": select(Passkey.user_id).where(Passkey.user_id.in_(ids)),
        "app": select(SecondFactor.user_id).where(SecondFactor.user_id.in_(ids), app_on),
    }
    having = {way: set(await session.scalars(query)) for way, query in queries.items()}
    having["password"] = {user.id for user in people if user.password_hash is not None}
    return {number: [way for way in WAYS if number in having[way]] for number in ids}


async def end_other_ways(session: AsyncSession, user: User) -> None:
    """What somebody else may have added: passkeys, and the account at the provider. An app stays,
    as it opens nothing by itself.
    """
    await session.execute(delete(Identity).where(Identity.user_id == user.id))
    await session.execute(delete(Passkey).where(Passkey.user_id == user.id))
    await forget_codes_of_nothing(session, user)


async def forget_codes_of_nothing(session: AsyncSession, user: User) -> None:
    """Recovery codes stand in for an app or a passkey; without either they go."""
    app = exists().where(SecondFactor.user_id == user.id, SecondFactor.confirmed_at.is_not(None))
    passkey = exists().where(Passkey.user_id == user.id)
    theirs = RecoveryCode.user_id == user.id
    await session.execute(delete(RecoveryCode).where(theirs, ~app, ~passkey))
