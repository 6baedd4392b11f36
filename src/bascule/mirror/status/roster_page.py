"""Connections on a page: as cards while they are few; else as a list that is searched and paged."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Query, Request
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.accounts.tables import User
from bascule.mirror.status.roster import Roster, RosterQuery, find, page_of
from bascule.mirror.status.states import STATES, WORDS
from bascule.ui import page_url

FEW = 12  # connections that are seen at a glance, as cards
ROWS = 50


@dataclass(frozen=True, slots=True)
class RosterPosition:
    """What the address of the page asks for."""

    path: str
    asked: RosterQuery
    page: int


def roster_position_of(
    request: Request,
    search: Annotated[str, Query(max_length=200)] = "",
    state: Annotated[str, Query(pattern=f"^({'|'.join(STATES)})?$")] = "",
    group: Annotated[str, Query(max_length=100)] = "",
    page: Annotated[int, Query(ge=1, le=10_000)] = 1,
) -> RosterPosition:
    return RosterPosition(request.url.path, RosterQuery(search, state, group), page)


APageOfThem = Annotated[RosterPosition, Depends(roster_position_of)]


@dataclass(frozen=True, slots=True)
class Choice:
    label: str
    href: str
    count: int
    on: bool


@dataclass(frozen=True, slots=True)
class ListedConnections:
    """A page of connections with the ways on from it."""

    place: RosterPosition
    roster: Roster
    few: bool  # cards, not a list

    @property
    def choices(self) -> list[Choice]:
        counts, state = self.roster.counts, self.place.asked.state
        every = Choice("All", self._href(state=""), sum(counts.values()), on=not state)
        shown = [one for one in STATES if one in counts or one == state]
        return [
            every,
            *(
                Choice(
                    WORDS[one].capitalize(), self._href(state=one), counts.get(one, 0), one == state
                )
                for one in shown
            ),
        ]

    @property
    def figures(self) -> str:
        counts = self.roster.counts
        return ", ".join(
            f"{counts[one]:,} {WORDS[one]}" for one in reversed(STATES) if one in counts
        )

    @property
    def next_page(self) -> str:
        return self._href(page=self.place.page + 1) if self.roster.more else ""

    @property
    def first_page(self) -> str:
        return self._href() if self.place.page > 1 else ""

    @property
    def twin(self) -> str:
        asked = self.place.asked
        return page_url(
            "/api/connectors/status", search=asked.search, state=asked.state, group=asked.group
        )

    def _href(self, *, state: str | None = None, page: int = 1) -> str:
        asked = self.place.asked
        return page_url(
            self.place.path,
            search=asked.search,
            state=asked.state if state is None else state,
            group=asked.group,
            page=page if page > 1 else None,
        )


async def listed(
    session: AsyncSession, viewer: User | None, place: RosterPosition
) -> ListedConnections:
    found = await find(session, viewer, place.asked)
    few = len(found.every) <= FEW and not place.asked
    page = await page_of(
        session,
        found,
        first=0 if few else (place.page - 1) * ROWS,
        limit=ROWS,
        worst_first=not few,
    )
    return ListedConnections(place, page, few)
