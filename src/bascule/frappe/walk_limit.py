"""A bound for a walk through all rows of a DocType: no more than the site counts.

A site that was taken over, or that lists a DocType with code of its own, can make up rows for ever.
A walk that passes the count has the site count again, since sites grow; past that it stops.
"""

import math
from collections.abc import Awaitable, Callable

from bascule.frappe.errors import FrappeError, NeverEnds

UNCOUNTED = 10_000  # rows that a walk takes before the site is asked for a count


def limit_by_name(counted: int) -> int:
    """The most rows of a walk by name: some are created, renamed or deleted while it lasts."""
    return counted + counted // 100 + 1_000


def limit_by_modified(counted: int) -> int:
    """The most rows of a walk by `modified`: a document saved during the walk comes again."""
    return 2 * counted + 10_000


class WalkLimit:
    """Counts the rows of one walk, and ends it with NeverEnds.

    `counted` is the site's count at the start, None while it was not asked. `got` are the rows that
    an earlier part of the walk has brought. A site that refuses to count has no limit.
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
        """Adds the rows of a page. NeverEnds where there are more than the site has."""
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
