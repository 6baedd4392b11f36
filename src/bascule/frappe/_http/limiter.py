"""How many requests a site gets at once: more while it keeps its pace, fewer when it does not.

Additive increase, multiplicative decrease, as in TCP. One limiter a site; what is asked, and
whether it is asked again, is not known here.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

START = 2
# How much slower than its best pace a site may get before it is taken to be crowded: twice as slow
# at twice the concurrency is no gain.
CROWDED = 1.75
SMOOTHING = 0.3
LONGEST_PAUSE = 30.0  # seconds; who has to wait longer is told so instead


class Limiter:
    """`allowed` is how many requests may be under way; `most` is its ceiling."""

    def __init__(self, most: int) -> None:
        if most < 1:
            raise ValueError("At least one request at a time must be allowed.")
        self.most = most
        self.allowed = float(min(START, most))
        self.running = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._resume_at = 0.0
        self._pace: dict[str, float] = {}
        self._best: dict[str, float] = {}
        self._cut_at = 0.0

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """A request's place, in the order of asking. Waits while all are taken, and while the site
        asked for a pause.
        """
        await self._take()
        try:
            await asyncio.sleep(max(0.0, self._resume_at - time.monotonic()))
            yield
        finally:
            self._give_back()

    async def _take(self) -> None:
        if self.running < int(self.allowed) and not self._waiting:
            self.running += 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                self._give_back()  # the place was given just as its taker was cancelled
            raise

    def _give_back(self) -> None:
        """Never awaits, so that no cancellation can keep a place taken."""
        self.running -= 1
        while self._waiting and self.running < int(self.allowed):
            turn = self._waiting.popleft()
            if not turn.cancelled():
                turn.set_result(None)
                self.running += 1

    def went_well(self, kind: str, cost: float) -> None:
        """A request of this kind took `cost`: seconds for a comparable amount of work."""
        pace = self._pace.get(kind, cost)
        pace += SMOOTHING * (cost - pace)
        # The best pace wears off, so that a site that became slower for good is not held back.
        best = min(pace, self._best.get(kind, pace) * 1.01)
        self._pace[kind], self._best[kind] = pace, best
        if pace > CROWDED * best and self.allowed > START:
            self._cut(0.8, floor=START)
        elif self.running >= int(self.allowed):
            self.allowed = min(float(self.most), self.allowed + 1 / self.allowed)

    def struggled(self, pause: float | None = None) -> None:
        """The site refused, or did not answer in time. `pause`: seconds that it asked for."""
        self._cut(0.5, floor=1)
        if pause:
            self._resume_at = max(self._resume_at, time.monotonic() + min(pause, LONGEST_PAUSE))

    def heed(self, headers: Mapping[str, str]) -> None:
        """Frappe's own rate limit (frappe/rate_limiter.py): what is left, in microseconds of the
        site's time, and seconds until there is more. One at a time on the last tenth.
        """
        try:
            limit = float(headers["X-RateLimit-Limit"])
            left = float(headers["X-RateLimit-Remaining"])
            reset = float(headers.get("X-RateLimit-Reset", 0))
        except (KeyError, ValueError):
            return
        if left < limit / 10:
            self.allowed = 1.0
        if left <= 0 < reset <= LONGEST_PAUSE:
            self._resume_at = max(self._resume_at, time.monotonic() + reset)

    def _cut(self, factor: float, *, floor: int) -> None:
        """Once for all requests that were under way together: they tell of the same moment."""
        now = time.monotonic()
        if now - self._cut_at < 0.5 and self.allowed > 1:
            return
        self._cut_at = now
        self.allowed = max(float(min(floor, self.most)), self.allowed * factor)
