"""What happens when in the demo company: actions in order of time, up to where the story ends."""

import heapq
import random
from collections.abc import Callable
from datetime import datetime, timedelta

Action = Callable[[datetime], None]


class Agenda:
    def __init__(self, end: datetime) -> None:
        self.end = end
        self._heap: list[tuple[datetime, int, Action]] = []
        self._count = 0

    def at(self, moment: datetime, action: Action) -> None:
        """Do it then; what would come after the end never happens."""
        if moment.hour == 2:
            moment += timedelta(hours=1)  # from two to three there is no time on a day in spring
        if moment < self.end:
            self._count += 1
            heapq.heappush(self._heap, (moment, self._count, action))

    def run(self) -> None:
        while self._heap:
            moment, _, action = heapq.heappop(self._heap)
            action(moment)


def office_hour(day: datetime, rng: random.Random) -> datetime:
    """Some moment of that day between 8:00 and 17:59."""
    midnight = day.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + timedelta(
        seconds=rng.randint(28_800, 64_799), microseconds=rng.randrange(10**6)
    )
