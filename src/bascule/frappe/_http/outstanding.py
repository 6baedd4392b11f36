"""How long a piece of work has waited for its site, for who ends work that comes to nothing.

A request has a time limit, but is asked again, or for less; so a site that hangs, or that gives its
answers a byte at a time, could keep a piece of work waiting for hours. What is counted is from when
an answer has been owed on; any answer settles it, a refusal as well.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar


class OutstandingAnswers:
    """What a site owes to one piece of work. `pages`: how many have come."""

    def __init__(self) -> None:
        self.pages = 0
        self._requested = _Since()
        self._sent = _Since()

    @contextmanager
    def requested(self) -> Iterator[None]:
        """A request, from when it wants to be sent; it may wait until others have been answered."""
        with self._requested.going_on():
            yield

    @contextmanager
    def sent(self) -> Iterator[None]:
        """The same request, from when it is sent."""
        with self._sent.going_on():
            yield

    def answered(self, *, page: bool) -> None:
        """Something came, if only a refusal."""
        self.pages += page
        self._requested.settle()
        self._sent.settle()

    def seconds(self, site_answered_at: float) -> float:
        """For how long an answer has been owed; 0.0 while nothing is asked. Where others who ask
        the same site are answered (`site_answered_at`, monotonic), waiting for a turn among them
        does not count.
        """
        if not self._requested.many:
            return 0.0
        since = [self._sent.at] if self._sent.at is not None else []
        if self._requested.at is not None:
            since.append(max(self._requested.at, site_answered_at))
        return time.monotonic() - min(since) if since else 0.0

    def others_were_answered(self, site_answered_at: float) -> bool:
        """Since this work has had no answer to what it asked."""
        return self._requested.at is not None and site_answered_at > self._requested.at


class _Since:
    """When the first of what goes on began; once all was in vain, it goes on with the next."""

    def __init__(self) -> None:
        self.at: float | None = None
        self.many = 0

    @contextmanager
    def going_on(self) -> Iterator[None]:
        self.many += 1
        self.at = self.at or time.monotonic()
        try:
            yield
        finally:
            self.many -= 1

    def settle(self) -> None:
        self.at = time.monotonic() if self.many > 1 else None


# What the requests of this task, and of those that it starts, are owed for.
OUTSTANDING: ContextVar[OutstandingAnswers | None] = ContextVar("owed", default=None)
