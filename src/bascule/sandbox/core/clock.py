"""The site's clock: local time without a zone, as Frappe writes it; faults can set it."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

_behind: ContextVar[timedelta] = ContextVar("_behind", default=timedelta(0))


class Clock:
    def __init__(self, time_zone: str) -> None:
        self.zone = ZoneInfo(time_zone)
        self.shift = timedelta(0)

    def now(self) -> datetime:
        """The site's local time, naive, to the microsecond."""
        return datetime.now(self.zone).replace(tzinfo=None) + self.shift - _behind.get()

    @contextmanager
    def behind(self, by: timedelta) -> Iterator[None]:
        """Within the block, in this task alone, the site's time is `by` earlier."""
        token = _behind.set(by)
        try:
            yield
        finally:
            _behind.reset(token)
