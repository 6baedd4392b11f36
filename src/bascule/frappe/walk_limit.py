"""A walk that has to end: what a site gives is held against what it counts.

A site that was taken over, or whose own code lists a DocType, can make rows up for ever. A walk
that goes on beyond what was counted has it counted again, since sites grow; beyond that it stops.
"""

import math
from collections.abc import Awaitable, Callable

from bascule.frappe.errors import FrappeError, NeverEnds

UNCOUNTED = 10_000  # rows of a walk that are taken before they are counted


def limit_by_name(counted: int) -> int:
    """The most rows that a walk by name gives: some are made, renamed or deleted meanwhile."""
    return counted + counted // 100 + 1_000


def limit_by_modified(counted: int) -> int:
    """The most rows of a walk by time of change: what is saved again comes again, at its end."""
    return 2 * counted + 10_000


class WalkLimit:
    """`counted`: what the site said at the beginning, None: nothing yet. `got`: the rows that are
    there from before. Where the site does not count, nothing is held against it.
    """

    def __init__(
        self,
        doctype: str,
        count: Callable[[], Awaitable[int]],
        most: Callable[[int], int] = limit_by_name,
        *,
        counted: int | None = None,
        got: int = 0,
    ) -> None:
        self._doctype = doctype
        self._count = count
        self._most = most
        self._allowed: float = UNCOUNTED if counted is None else most(counted)
        self.got = got

    async def saw(self, rows: int) -> None:
        """So many rows more. NeverEnds where they are more than the site has."""
        self.got += rows
        if self.got <= self._allowed:
            return
        try:
            counted = await self._count()
        except FrappeError:
            self._allowed = math.inf
            return
        self._allowed = self._most(counted)
        if self.got > self._allowed:
            raise NeverEnds(
                f"The site counts {counted:,} rows of {self._doctype}, gave {self.got:,}, and goes "
                "on. Are they real?",
                next_step=f"Look at {self._doctype} in ERPNext. If it is all right, sync it by "
                "hand: that takes as many rows again. If not, switch the stream off, and find out "
                "what answers there.",
                doctype=self._doctype,
            )
