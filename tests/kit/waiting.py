"""Waits for what comes by itself. Patience is long: a busy machine decides no test."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")
Why = str | Callable[[], object]

PATIENCE = 180.0  # seconds
PAUSE = 0.05


def until(
    check: Callable[..., T | None],  # a lambda may keep what a loop gave it
    why: Why = "It did not happen.",
    *,
    patience: float = PATIENCE,
    pause: float = PAUSE,
) -> T:
    """What the check answers, once that is not falsy. `why`: what is said where it never is."""
    give_up = time.monotonic() + patience
    while not (found := check()):
        assert time.monotonic() < give_up, why if isinstance(why, str) else why()
        time.sleep(pause)
    return found


async def until_async(
    check: Callable[..., Awaitable[T | None]],
    why: Why = "It did not happen.",
    *,
    patience: float = PATIENCE,
    pause: float = PAUSE,
) -> T:
    """Likewise, of a check that has to be awaited."""
    give_up = time.monotonic() + patience
    while not (found := await check()):
        assert time.monotonic() < give_up, why if isinstance(why, str) else why()
        await asyncio.sleep(pause)
    return found
