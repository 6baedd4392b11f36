"""How long a piece of work has waited for its site, so that hopeless work can be ended.

One request has a time limit, but requests are repeated, or made smaller: a site that hangs, or that
sends a byte at a time, could keep work waiting for hours. The time runs from the first request
without an answer; any answer stops it, a refusal too.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar


class OutstandingAnswers:
    """The unanswered requests of one piece of work. `pages` counts the pages that came."""

    def __init__(self) -> None:
        self.pages = 0
        self._requested = _Since()
        self._sent = _Since()

    @contextmanager
    def requested(self) -> Iterator[None]:
        """A request, from when it asks for its turn; others may go first."""
        with self._requested.going_on():
            yield

    @contextmanager
    def sent(self) -> Iterator[None]:
        """The same request, from when it is sent."""
        with self._sent.going_on():
            yield

    def answered(self, *, page: bool) -> None:
        """An answer came, a refusal included."""
        self.pages += page
        self._requested.settle()
        self._sent.settle()

    def seconds(self, site_answered_at: float) -> float:
        """For how long an answer is outstanding; 0.0 while nothing is asked.

        `site_answered_at` (monotonic) is when the site last answered anybody: waiting for a turn
        while others are answered does not count.
        """
        if not self._requested.many:
            return 0.0
        since = [self._sent.at] if self._sent.at is not None else []
        if self._requested.at is not None:
            since.append(max(self._requested.at, site_answered_at))
        return time.monotonic() - min(since) if since else 0.0

    def others_were_answered(self, site_answered_at: float) -> bool:
        """Whether the site answered others since this work waits."""
        return self._requested.at is not None and site_answered_at > self._requested.at


class _Since:
    """When the oldest of the current requests began."""

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


# The work that the requests of this task, and of tasks it starts, belong to.
OUTSTANDING: ContextVar[OutstandingAnswers | None] = ContextVar("owed", default=None)
