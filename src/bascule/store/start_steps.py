"""What a start is doing, for who waits for it: nothing is said unless somebody listens."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_listener: ContextVar[Callable[[str], None] | None] = ContextVar("listener", default=None)


def step(what: str) -> None:
    """Something that takes more than a moment begins, in words."""
    if (listener := _listener.get()) is not None:
        listener(what)


@contextmanager
def steps_told(listener: Callable[[str], None]) -> Iterator[None]:
    """While it is open, to `listener`, also from threads that are started meanwhile."""
    before = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(before)
