"""The steps of a start, reported to a listener if there is one."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_listener: ContextVar[Callable[[str], None] | None] = ContextVar("listener", default=None)


def step(what: str) -> None:
    """Reports that a step begins which takes more than a moment."""
    if (listener := _listener.get()) is not None:
        listener(what)


@contextmanager
def steps_told(listener: Callable[[str], None]) -> Iterator[None]:
    """Within the block steps are reported to `listener`, also by threads started there."""
    before = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(before)
