"""What the hub made at a connection's service, and what becomes of the rest when it is deleted.

Each room registers what it makes there and what a deletion means for what it keeps. The dialog, the
API and the command line tell it before anything is done.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from bascule.connections.tables import Connection, SiteCleanup


@dataclass(frozen=True)
class OnSite:
    """`what`: in words, as the object of a sentence. `data`: JSON, what its remover has to know
    when the connection is gone.
    """

    kind: str
    what: str
    data: dict[str, Any]


@dataclass(frozen=True)
class Leaving:
    """What is on the site, and what becomes of what is here, in sentences."""

    on_site: list[OnSite]
    becomes: list[str]


@dataclass
class RemovalAttempt:
    """`names`: documents that are gone. `kept`: what stays there on purpose. `cleanup`: what is
    still to be removed; None: nothing.
    """

    names: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    cleanup: SiteCleanup | None = None


Finder = Callable[[AsyncSession, Connection], Awaitable[list[OnSite]]]
Teller = Callable[[AsyncSession, Connection], Awaitable[list[str]]]
_finders: list[Finder] = []
_tellers: list[Teller] = []


def finds_on_site(finder: Finder) -> Finder:
    """Registers who knows what was made on a site. Asks no site."""
    _finders.append(finder)
    return finder


def tells_what_becomes(teller: Teller) -> Teller:
    """Registers who tells what a deletion means for what is kept here."""
    _tellers.append(teller)
    return teller


async def leaving(session: AsyncSession, connection: Connection) -> Leaving:
    """In what the hub knows; asks no site."""
    return Leaving(
        [one for finder in _finders for one in await finder(session, connection)],
        [line for teller in _tellers for line in await teller(session, connection)],
    )
