"""Passwords: what may be one, and their Argon2id hashes.

Hashing takes 64 MiB and tens of milliseconds on purpose, so it is done in two threads of its own:
a flood of sign-ins waits there, and neither the hub nor its memory suffers.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from bascule.errors import Invalid

T = TypeVar("T")
SHORTEST, LONGEST = 10, 200
_hasher = PasswordHasher()  # RFC 9106's second recommendation
_threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="argon2")


def check_rules(password: str, *names: str | None) -> None:
    """Invalid unless it may be the password of somebody with these names."""
    plain = password.casefold()
    why = None
    if len(password) < SHORTEST:
        why = f"it needs {SHORTEST} characters at least"
    elif len(password) > LONGEST:
        why = f"it may have {LONGEST} characters at most"
    elif any(name and plain in (name.casefold(), name.casefold()[::-1]) for name in names):
        why = "it is your name"
    elif len(set(plain)) < 4:
        why = "it has too few different characters"
    if why:
        raise Invalid(
            f"This password cannot be taken: {why}.",
            next_step="Choose a longer one; four words that do not belong together are good.",
            fields={"password": why},
        )


async def hash_of_password(password: str) -> str:
    return await _in_thread(lambda: _hasher.hash(password.encode("utf-8", "surrogatepass")))


async def is_password(password: str, hashed: str | None) -> bool:
    """Whether this is the password. Without a hash to compare with it takes as long all the same,
    so that nobody learns from the time which accounts there are.
    """
    return await _in_thread(
        lambda: _verified(password, hashed or _nobodys()) and hashed is not None
    )


def is_outdated(hashed: str) -> bool:
    """Made with weaker parameters than today's."""
    return _hasher.check_needs_rehash(hashed)


def _verified(password: str, hashed: str) -> bool:
    try:
        return _hasher.verify(hashed, password.encode("utf-8", "surrogatepass"))
    except (VerificationError, InvalidHashError):
        return False


@cache
def _nobodys() -> str:
    return _hasher.hash("nobody's")


async def _in_thread(work: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(_threads, work)
