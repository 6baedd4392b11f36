"""Slows down who guesses passwords, and locks nobody out: attempts wait, each longer than the last.

An attempt is counted before its password is looked at, for all processes of the hub, and so that
many at once gain nothing. It waits by how many there were at this name from this network, at this
name from anywhere, and from this network at any name. A browser that its person signed in with
before has a count of its own: what strangers do costs it nothing. A right password counts as none.
"""

import asyncio
import hmac
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, func, or_, text
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.accounts.origin import network_of
from bascule.accounts.tables import SignInAttempts, User
from bascule.audit.counted import count
from bascule.backoff import Backoff
from bascule.errors import TooMany
from bascule.hub import Hub

FORGOTTEN = timedelta(hours=1)  # after so long without an attempt it starts from one again
WAITING = 3  # attempts at one name from one network that wait at the same time, in one process
WAITING_IN_ALL = 500
CODES = 30  # wrong ones: more are a stranger's, who has the password and guesses at six digits


@dataclass(frozen=True, slots=True)
class Pace:
    """`free` attempts do not wait; then it is a second, and twice as long each time."""

    free: int
    longest: int  # seconds

    def wait_at(self, attempt: int) -> int:
        if attempt <= self.free:
            return 0
        return int(Backoff(1.0, longest=self.longest).pause(attempt - self.free - 1))


PACES = {
    "pair": Pace(5, 30),  # one name from one network
    "name": Pace(30, 8),  # one name from anywhere
    "address": Pace(30, 8),  # one network, any name
    "device": Pace(5, 30),
    "code": Pace(5, 30),  # of an authenticator app, after the right password
    "person": Pace(5, 30),  # who is signed in, and gives their password once more
}

# One statement, so that attempts at the same time are counted one after another.
_COUNT = text(
    """
    INSERT INTO bascule.sign_in_attempts AS known (key, attempts, last_at)
    VALUES (:key, 1, now())
    ON CONFLICT (key) DO UPDATE SET last_at = now(),
        attempts = CASE WHEN known.last_at < now() - :forgotten THEN 1
                        ELSE least(known.attempts, 1000000) + 1 END
    RETURNING attempts
    """
)
_TAKE_BACK = text(
    "UPDATE bascule.sign_in_attempts SET attempts = attempts - 1 WHERE key = :key AND attempts > 0"
)


@dataclass(frozen=True, slots=True)
class Attempt:
    """What an attempt counts at, by the key of each; `address`: from where, as it is told."""

    keys: dict[str, str]  # of PACES
    address: str

    @property
    def own(self) -> str:
        """What is this attempt's alone: forgotten when the password was right."""
        return next(iter(self.keys.values()))


class Waiting(Counter[str]):
    """How many attempts wait in this process, by their key."""


def by_name(hub: Hub, name: str, address: str) -> Attempt:
    """A stranger's, at the name as it was typed: that two names are one person's is not told, nor
    is it kept what somebody typed.
    """
    sealed, network = _sealed(hub, name), network_of(address)
    keys = {"pair": f"pair:{sealed}:{network}", "name": f"name:{sealed}"}
    return Attempt({**keys, "address": f"address:{network}"}, address)


def by_device(mark: str, address: str) -> Attempt:
    """Of a browser that its person signed in with before; `mark`: the hash of its cookie."""
    return Attempt({"device": f"device:{mark}"}, address)


def by_code(user: User, address: str) -> Attempt:
    return Attempt({"code": f"code:{user.id}"}, address)


def by_person(user: User, address: str) -> Attempt:
    return Attempt({"person": f"person:{user.id}"}, address)


async def let_in(hub: Hub, attempt: Attempt) -> None:
    """Counts it, and waits as long as it has to. TooMany: too many of its kind wait already."""
    wait = 0
    async with hub.db.session() as session:
        for kind, key in sorted(attempt.keys.items()):  # in one order, or two would wait crosswise
            number = await session.scalar(_COUNT, {"key": key, "forgotten": FORGOTTEN})
            wait = max(wait, PACES[kind].wait_at(number or 1))
            if kind == "code" and (number or 1) > CODES:
                raise TooMany(
                    "There were too many wrong codes, so this one was not looked at.",
                    next_step="Try again in an hour, or ask an admin to turn your authenticator "
                    "app off.",
                    retry_after=int(FORGOTTEN.total_seconds()),
                )
    if wait:
        async with _waiting(hub, attempt, wait):
            await asyncio.sleep(wait)


@asynccontextmanager
async def _waiting(hub: Hub, attempt: Attempt, wait: int) -> AsyncIterator[None]:
    waiting: Waiting = hub.shared.setdefault(Waiting, Waiting())
    key = attempt.own
    if waiting[key] >= WAITING or waiting.total() >= WAITING_IN_ALL:
        count(hub, "sign-in.throttled", attempt.address)
        raise TooMany(
            "There were too many attempts to sign in, so this one was not looked at.",
            next_step=f"Try again in {wait} seconds, or from a browser that you signed in with "
            "before; a forgotten password is reset by an admin, or on the hub's machine with "
            "'bascule users reset'.",
            retry_after=wait,
        )
    waiting[key] += 1
    try:
        yield
    finally:
        waiting[key] -= 1
        if not waiting[key]:
            del waiting[key]


async def take_back(session: AsyncSession, attempt: Attempt) -> None:
    """It was the right password."""
    for key in sorted(attempt.keys.values()):
        if key == attempt.own:
            await session.execute(delete(SignInAttempts).where(SignInAttempts.key == key))
        else:
            await session.execute(_TAKE_BACK, {"key": key})


async def forgive(session: AsyncSession, hub: Hub, user: User) -> None:
    """What was tried at their names counts no more."""
    for name in filter(None, (user.username, user.email)):
        sealed = _sealed(hub, name)
        theirs = or_(
            SignInAttempts.key == f"name:{sealed}",
            SignInAttempts.key.startswith(f"pair:{sealed}:", autoescape=True),
        )
        await session.execute(delete(SignInAttempts).where(theirs))


async def forget_old_attempts(session: AsyncSession) -> None:
    old = SignInAttempts.last_at < func.now() - FORGOTTEN
    await session.execute(delete(SignInAttempts).where(old))


def _sealed(hub: Hub, name: str) -> str:
    """A name without being it: a name that nobody has may be a password in the wrong place."""
    key = hub.vault.derived("names at which somebody tries to sign in")
    return hmac.new(key, name.encode(), "sha256").hexdigest()
