"""Slows down who guesses passwords: by account and by address, for all processes of the hub.

An attempt is counted before its password is looked at, so that many at once gain nothing; a right
one takes its count back. While one is blocked, a right password is refused too: it must not be
found out meanwhile.
"""

from datetime import timedelta
from ipaddress import ip_address, ip_network

from sqlalchemy import delete, func, text
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.accounts.tables import SignInAttempts
from bascule.errors import TooMany
from bascule.hub import Hub

FREE = {"account": 5, "address": 30}  # attempts before each one more doubles the wait
FIRST_WAIT = 15  # seconds
LONGEST_WAIT = 15 * 60
FORGOTTEN = timedelta(hours=1)  # after so long without an attempt it starts from one again

# One statement, so that attempts at the same time are counted one after another. No row comes back
# while the key is blocked, and such an attempt does not lengthen the wait.
_COUNT = text(
    """
    INSERT INTO bascule.sign_in_attempts AS known (key, attempts, last_at, blocked_until)
    VALUES (:key, 1, now(), now())
    ON CONFLICT (key) DO UPDATE SET (attempts, last_at, blocked_until) = (
        SELECT number, now(), CASE WHEN number < :free THEN now() ELSE
               now() + least(:longest, :first * 2.0 ^ least(number - :free, 20))
                       * interval '1 second' END
          FROM (SELECT CASE WHEN known.last_at < now() - :forgotten THEN 1
                            ELSE known.attempts + 1 END AS number) AS counted)
     WHERE known.blocked_until <= now()
    RETURNING attempts
    """
)
_WAIT = text(
    "SELECT ceil(extract(epoch FROM blocked_until - now()))::int FROM bascule.sign_in_attempts"
    " WHERE key = :key"
)
_TAKE_BACK = text(
    "UPDATE bascule.sign_in_attempts SET attempts = attempts - 1, blocked_until = now()"
    " WHERE key = :key AND attempts > 0"
)


async def count_attempt(hub: Hub, *, account: str, address: str) -> None:
    """TooMany while this account, or this address, has to wait."""
    wait = 0
    async with hub.db.session() as session:
        for kind, value in (("address", address), ("account", account)):
            key = _key(kind, value)
            values = {
                "key": key,
                "free": FREE[kind],
                "first": FIRST_WAIT,
                "longest": LONGEST_WAIT,
                "forgotten": FORGOTTEN,
            }
            if (await session.execute(_COUNT, values)).first() is None:
                wait = max(1, await session.scalar(_WAIT, {"key": key}) or 0)
                break
    if wait:
        raise TooMany(
            "There were too many attempts to sign in, so this one was not looked at.",
            next_step=f"Try again in {_said(wait)}; a forgotten password is reset by an admin, or "
            "on the hub's machine with 'bascule users reset'.",
            retry_after=wait,
        )


async def take_back(session: AsyncSession, *, account: str, address: str) -> None:
    """It was the right password: the account starts anew, the address had one attempt less."""
    await session.execute(_TAKE_BACK, {"key": _key("address", address)})
    await forgive(session, account)


async def forgive(session: AsyncSession, account: str) -> None:
    await session.execute(
        delete(SignInAttempts).where(SignInAttempts.key == _key("account", account))
    )


async def forget_old_attempts(session: AsyncSession) -> None:
    old = SignInAttempts.last_at < func.now() - FORGOTTEN
    await session.execute(delete(SignInAttempts).where(old))


def _key(kind: str, value: str) -> str:
    return f"{kind}:{_network(value) if kind == 'address' else value}"


def _network(address: str) -> str:
    """Whoever has one IPv6 address has the 2^64 that begin as it does."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if found.version == 4:
        return address
    mapped = found.ipv4_mapped
    return str(mapped) if mapped else str(ip_network((found, 64), strict=False))


def _said(seconds: int) -> str:
    return f"{seconds} seconds" if seconds < 100 else f"{-(-seconds // 60)} minutes"
