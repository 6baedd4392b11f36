"""Many connections: found by words and state, in figures, a page of them at a time.

How each stands comes from sums over its streams, one question for all; the streams themselves are
read for those alone that are shown.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import and_, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.accounts.tables import User
from bascule.connections.queries import list_connections
from bascule.connections.tables import Connection
from bascule.errors import Invalid
from bascule.mirror.attention import PATIENCE, standing_of
from bascule.mirror.schemas import ConnectorStatus
from bascule.mirror.status.overview import SharedState, shared_state, state_of, statuses_of
from bascule.mirror.status.states import STATES
from bascule.mirror.tables import Stream

MOST = 500  # connections in one answer


@dataclass(frozen=True, slots=True)
class RosterQuery:
    """Which connections: `search`, in name, slug, address and group; `state`: one of STATES."""

    search: str = ""
    state: str = ""
    group: str = ""

    def __bool__(self) -> bool:
        return bool(self.search or self.state or self.group)


@dataclass(frozen=True, slots=True)
class Roster:
    """`counts`: by state, of all that `search` finds, the state left aside; `first`: how many stand
    before those of this page.
    """

    connections: list[Connection]
    statuses: list[ConnectorStatus]
    counts: dict[str, int]
    total: int
    first: int
    everything: int  # connections there are, whatever was asked
    groups: list[str]  # there are

    @property
    def more(self) -> bool:
        return self.first + len(self.statuses) < self.total

    @property
    def next(self) -> str | None:
        """The slug that the next page comes after; None: this is the last one."""
        return self.connections[-1].slug if self.more and self.connections else None


@dataclass(frozen=True, slots=True)
class RosterTotals:
    """Over a connection's streams that are on; `pulled`: over all of them."""

    failed: bool = False  # for a cause of their own, not the site's
    differs: bool = False
    pulled: bool = False


@dataclass(frozen=True, slots=True)
class RosterPage:
    """All that are asked for, by name, and how each of them stands."""

    every: list[Connection]  # there are, whatever was asked
    wanted: list[Connection]
    states: dict[UUID, str]
    counts: dict[str, int]
    at: SharedState

    def behind(self, slug: str) -> int:
        """How many of those wanted stand before and at this one; Invalid: it is there no more."""
        here = next((one for one in self.every if one.slug == slug), None)
        if here is None:
            raise Invalid(
                "There is no connection of this slug to go on behind.",
                next_step="Send `next` of the answer before, or begin anew without `after`.",
                fields={"after": "is no connection's slug"},
            )
        so_far = {one.id for one in self.every[: self.every.index(here) + 1]}
        return sum(one.id in so_far for one in self.wanted)


async def find(session: AsyncSession, viewer: User | None, asked: RosterQuery) -> RosterPage:
    every, at, sums = await _all(session, viewer)
    states = {
        one.id: state_of(one, at, failed=of.failed, differs=of.differs, pulled=of.pulled)
        for one, of in zip(every, sums, strict=True)
    }
    words = asked.search.casefold().split()
    searched = [one for one in every if _has(one, words) and asked.group in ("", one.group)]
    counted = Counter(states[one.id] for one in searched)
    return RosterPage(
        every,
        wanted=[one for one in searched if asked.state in ("", states[one.id])],
        states=states,
        counts={state: counted[state] for state in STATES if counted[state]},
        at=at,
    )


async def page_of(
    session: AsyncSession,
    found: RosterPage,
    *,
    first: int = 0,
    limit: int | None = None,
    worst_first: bool = False,
) -> Roster:
    """By name, or those first that want somebody."""
    wanted = found.wanted
    if worst_first:
        wanted = sorted(wanted, key=lambda one: STATES.index(found.states[one.id]))
    page = wanted[first:] if limit is None else wanted[first : first + limit]
    statuses = await statuses_of(session, page, found.at)
    groups = sorted({one.group for one in found.every} - {""})
    return Roster(page, statuses, found.counts, len(wanted), first, len(found.every), groups)


async def troubled(
    session: AsyncSession, viewer: User | None
) -> tuple[list[Connection], SharedState]:
    """Those of which `attention_of` has something to say, by name."""
    every, at, sums = await _all(session, viewer)
    overdue = datetime.now(UTC) - PATIENCE

    def wants_somebody(one: Connection, of: RosterTotals) -> bool:
        late = one.next_sync_at is not None and one.next_sync_at < overdue
        standing = standing_of(one, at.circuits.get(one.id))
        return of.failed or of.differs or late or standing in ("refused", "down")

    return [one for one, of in zip(every, sums, strict=True) if wants_somebody(one, of)], at


async def _all(
    session: AsyncSession, viewer: User | None
) -> tuple[list[Connection], SharedState, list[RosterTotals]]:
    """All that this viewer may see, by name, what is around them, and the sums of each."""
    every = await list_connections(session, viewer)
    at = await shared_state(session, [one.id for one in every])
    sums = await _sums(session, every)
    return every, at, [sums.get(one.id, RosterTotals()) for one in every]


def _has(connection: Connection, words: Sequence[str]) -> bool:
    text = f"{connection.name} {connection.slug} {connection.api_url} {connection.group}".casefold()
    return all(word in text for word in words)


async def _sums(
    session: AsyncSession, connections: Sequence[Connection]
) -> dict[UUID, RosterTotals]:
    on = Stream.enabled
    own = and_(
        on,
        Stream.last_error.is_not(None),
        func.coalesce(Stream.trouble["kind"].astext, "") != "site",
    )
    query = (
        select(
            Stream.connection_id,
            func.bool_or(own),
            func.bool_or(and_(on, Stream.verified_equal.is_(False))),
            func.bool_or(Stream.last_success_at.is_not(None)),
        )
        .where(Stream.connection_id.in_([one.id for one in connections]))
        .group_by(Stream.connection_id)
    )
    # A condition over NULL is NULL, and so is what it comes to.
    return {
        row[0]: RosterTotals(bool(row[1]), bool(row[2]), bool(row[3]))
        for row in (await session.execute(query)).all()
    }
