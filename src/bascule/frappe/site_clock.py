"""From when on to ask a site for changes, though its times are local and its clock can be set back.

`modified` is the site's local time, so it goes back an hour each autumn, and whenever someone sets
the clock. What was written after a reading of that clock was written after the reading, less such
a step.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self

# A document's `modified` is set when its transaction begins to write, and it is seen when that
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
    """From when on: naive, the site's local time. None: from the start.

    `last`: when the last look began; `site_clock`, `here`: both clocks now, the site's if it was
    read; `newest`: the latest `modified` that was seen.
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
