"""How far a stream has come: kept as JSON in its row, and written in the transaction of each page.

A full pull walks each DocType by name from both ends until they meet. An incremental pull asks
for what was modified since a little before the last one began, by the site's own clock.
"""

from datetime import datetime
from typing import Any

import msgspec

from bascule.frappe.site_clock import ClockReading, changed_since


class Lane(msgspec.Struct):
    """One DocType's walk by name: `low` was reached from below, `high` from above."""

    doctype: str
    low: list[str] | None = None
    high: list[str] | None = None
    fresh: bool = True  # the table was empty: pages go in without a merge
    done: bool = False

    @property
    def begun(self) -> bool:
        return self.low is not None or self.high is not None


class Cursor(msgspec.Struct):
    phase: str = "new"  # new, full, incremental
    filters: list[Any] = []  # those that the rows here were fetched under
    floor: str | None = None  # the look-back's oldest date
    lanes: list[Lane] = []
    refresh: bool = False  # the full pull goes over rows that were there: reconcile at its end
    site_clock: str | None = None  # the site's local time when the last pull began
    hub_clock: str | None = None  # the same moment here, UTC
    max_modified: str | None = None
    since: str | None = None  # of the incremental pull under way
    position: list[str] | None = None
    late_at: str | None = None  # when it was last asked from longer ago, see `incremental`
    gone: list[str] = []  # fields that the site no longer has, as they were told
    count_offset: int | None = (
        None  # the site's count less the rows here, when both were known equal
    )
    deleted_documents: bool = True  # whether the user may read them
    checksummed: dict[str, int] = {}  # DocType -> which fields its rows' checksums are of
    # DocType -> count and checksum of rows that the site counts and gives nobody: child rows of
    # documents outside the stream
    unreachable: dict[str, list[int]] = {}
    # The proof by value that is spread over nights: where it goes on, how many documents it has
    # compared since it began, and when it last came to its end.
    proof_at: list[str] | None = None
    proof_seen: int = 0
    proof_round_at: str | None = None
    looked_at: str | None = None  # when checksums were last compared, and how long that took
    look_seconds: float = 0.0
    family_at: str | None = None  # when those of the child tables were compared as well
    withheld: dict[str, dict[str, str]] = {}  # DocType -> field -> what it needs, see `withheld`

    @classmethod
    def load(cls, stored: dict[str, Any]) -> "Cursor":
        return msgspec.convert(stored, cls)

    def dump(self) -> str:
        return msgspec.json.encode(self).decode()

    def looked(self) -> str:
        """What a look that found nothing changes, as JSON. One at all tables sets the pace."""
        changed: dict[str, object] = {"looked_at": self.looked_at}
        if self.family_at == self.looked_at:
            changed |= {"look_seconds": self.look_seconds, "family_at": self.family_at}
        return msgspec.json.encode(changed).decode()

    def begin(self, site_clock: datetime, hub_clock: datetime) -> None:
        self.site_clock = site_clock.isoformat(" ")
        self.hub_clock = hub_clock.isoformat()

    def since_for(self, site_clock: datetime | None, hub_clock: datetime) -> datetime | None:
        """From when on the next incremental pull asks: naive, the site's local time.

        None: from the start; see `frappe.clocks`.
        """
        last = None
        if self.site_clock is not None and self.hub_clock is not None:
            last = ClockReading(
                datetime.fromisoformat(self.site_clock), datetime.fromisoformat(self.hub_clock)
            )
        newest = self.max_modified if moment_of(self.max_modified) else None
        return changed_since(last, site_clock, hub_clock, newest)


def moment_of(value: Any) -> datetime | None:
    """What a document has for a moment; None where it is none, such as MariaDB's all zeros."""
    if not isinstance(value, str):
        return value if isinstance(value, datetime) else None
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return None
