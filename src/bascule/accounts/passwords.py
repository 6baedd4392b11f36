"""Passwords: what may be one, and their Argon2id hashes.

Hashing takes 64 MiB and tens of milliseconds on purpose, so it is done in two threads of its own:
a flood of sign-ins waits there, and neither the hub nor its memory suffers.
"""

import asyncio
import re
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar
from urllib.parse import urlsplit

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession
from zxcvbn import zxcvbn

from bascule.errors import Invalid
from bascule.hub import Hub

T = TypeVar("T")
SHORTEST, LONGEST = 10, 200
JUDGED = 72  # characters
GUESSES = 1e9  # fewer than these are too few
_hasher = PasswordHasher()  # RFC 9106's second recommendation
_threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="argon2")


def check_rules(password: str, *names: str | None, context: Iterable[str] = ()) -> None:
    """Invalid unless it may be the password of somebody with these names; `context`: what else
    everybody knows here. What is common, or made of these words, dates, keys side by side and
    repetitions, is guessed too soon.
    """
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
    else:
        why = _guessed(password, _words_of(*filter(None, names), *context))
    if why:
        raise Invalid(
            f"This password cannot be taken: {why}.",
            next_step="Choose a longer one; four words that do not belong together are good.",
            fields={"password": why},
        )


def _guessed(password: str, words: list[str]) -> str | None:
    """Why it would be guessed soon, in words; None where it would not."""
    # How it judges takes longer with each character; the first ones tell enough.
    found = zxcvbn(password[:JUDGED], user_inputs=words, max_length=JUDGED)
    if found["guesses"] >= GUESSES:
        return None
    if any(match.get("dictionary_name") == "user_inputs" for match in found["sequence"]):
        return "it is made of your name, or of a word that everybody knows here"
    said = str(found["feedback"]["warning"]).rstrip(".") or "It is easily guessed"
    return f"{said[0].lower()}{said[1:]}"


def _words_of(*texts: str) -> list[str]:
    """The texts and the words in them, also joined otherwise and backwards."""
    words = {said.casefold() for said in texts}
    for said in list(words):
        inner = [word for word in re.split(r"[^\w]+|_", said) if word]
        words |= {word for word in inner if len(word) > 2}
        words |= {between.join(inner) for between in ("", ".", "-", "_", " ")}
    return sorted({*words, *(word[::-1] for word in words)} - {""})


async def words_here(hub: Hub, session: AsyncSession) -> list[str]:
    """What somebody who knows this hub tries first: it, its address, and the companies in it."""
    shared = text("SELECT name FROM bascule.connections WHERE shared ORDER BY id LIMIT 50")
    names = [str(name) for (name,) in await session.execute(shared)]
    return ["bascule", "erpnext", "frappe", urlsplit(hub.settings.public_url or "").netloc, *names]


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
