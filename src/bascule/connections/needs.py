"""What needs somebody, as rooms find it for the first page; each registers how it does."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from bascule.accounts.tables import User


@dataclass(frozen=True)
class Need:
    """`kind`: how it looks. `name`: what it is about. `mend`: a button, which leads to `href`."""

    kind: str
    name: str
    what: str
    next_step: str
    href: str
    mend: str


Finder = Callable[[AsyncSession, User | None], Awaitable[list[Need]]]
_finders: list[Finder] = []


def finds_needs(finder: Finder) -> Finder:
    _finders.append(finder)
    return finder


async def needs_of(session: AsyncSession, viewer: User | None) -> list[Need]:
    """All that concerns what this viewer may see."""
    return [need for finder in _finders for need in await finder(session, viewer)]
