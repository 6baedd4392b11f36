"""How long to wait before something that failed is tried again: one rule for the whole hub."""

import math
import random
from dataclasses import dataclass

MAX_DOUBLINGS = 20  # keeps the arithmetic finite; every pause has reached its longest before


@dataclass(frozen=True, slots=True)
class Backoff:
    """A pause that doubles with each failure in a row.

    - `first` is the pause after the first failure, in seconds.
    - `longest` is the most that any pause lasts, in seconds.
    - `jitter` is the share of a pause that chance may take off, so that those who failed together
      do not come back together: 0.5 waits half to all of it.
    - `steps` are pauses in seconds that take the place of doubling; the last one repeats.
    """

    first: float = 1.0
    longest: float = math.inf
    jitter: float = 0.0
    steps: tuple[float, ...] = ()

    def pause(self, earlier: int = 0, *, at_least: float | None = None) -> float:
        """Seconds to wait after a failure that had `earlier` failures before it.

        `at_least` is what the other side asked for, such as a Retry-After; jitter does not cut it.
        """
        if self.steps:
            whole = self.steps[min(earlier, len(self.steps) - 1)]
        else:
            whole = self.first * 2.0 ** min(earlier, MAX_DOUBLINGS)
        return max(min(self.longest, whole) * self._share(), at_least or 0.0)

    def in_sql(self, earlier: str) -> str:
        """The same as an SQL expression of seconds; `earlier` is a column's name.

        Chance is asked once, so all rows of a statement wait for the same share.
        """
        whole = f"{self.first:f} * power(2, least({earlier}, {MAX_DOUBLINGS}))"
        longest = "" if math.isinf(self.longest) else f", {self.longest:f}"
        return f"least({whole}{longest}) * {self._share():f}"

    def _share(self) -> float:
        return random.uniform(1.0 - self.jitter, 1.0)  # noqa: S311 - spreads load, guards nothing
