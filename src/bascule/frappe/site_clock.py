"""Since when to ask a site for changes, although its times are local and its clock may be set back.

`modified` is the site's local time: it goes back an hour each autumn, and when somebody sets the
clock. So the start of a pull is the last reading of that clock, less any step back since.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self

# A document gets its `modified` when its transaction begins to write, and is visible only when that
# commits.
OVERLAP = timedelta(minutes=10)
# Below this a step of the site's clock is the resolution of the Date header and the network.
SMALLEST_STEP = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class ClockReading:
    """The site's clock (naive, its local time) and ours (UTC) at one moment."""

    site: datetime
    here: datetime

    def dump(self) -> dict[str, str]:
        return {"site": self.site.isoformat(" "), "here": self.here.isoformat()}

    @classmethod
    def load(cls, kept: dict[str, Any] | None) -> Self | None:
        if not kept:
            return None
        return cls(datetime.fromisoformat(kept["site"]), datetime.fromisoformat(kept["here"]))


def changed_since(
    last: ClockReading | None, site_clock: datetime | None, here: datetime, newest: str | None
) -> datetime | None:
    """Since when to ask for changes: naive, the site's local time; None for everything.

    `last` is the reading at which the last pull began. `site_clock` and `here` are both clocks now,
    the site's None where it was not read. `newest` is the latest `modified` seen so far.
    """
    if last is None:
        return None
    start = last.site
    if site_clock is not None:
        expected = start + (here - last.here)
        step = expected - site_clock
        start -= step if step > SMALLEST_STEP else timedelta(0)
    if newest is not None:
        start = min(start, datetime.fromisoformat(newest))
    return start - OVERLAP
