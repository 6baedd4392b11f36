"""What the hub made on a connection's site, and what becomes of the rest when it is deleted.

Each room registers what it makes there, how that is removed, and what a deletion means for what it
keeps; the dialog, the API and the command line tell it before anything is done.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from bascule.connections.tables import Connection
from bascule.frappe import Site
from bascule.hub import Hub


@dataclass(frozen=True)
class OnSite:
    """`what`: in words, as the object of a sentence. `data`: JSON, what its remover has to know
    when the connection is gone.
    """

    kind: str
    what: str
    data: dict[str, Any]


@dataclass(frozen=True)
class Removed:
    """`names`: of documents that are gone from the site. `kept`: what stays there, and why."""

    names: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Leaving:
    """What is on the site, and what becomes of what is here, in sentences."""

    on_site: list[OnSite]
    becomes: list[str]


Finder = Callable[[AsyncSession, Connection], Awaitable[list[OnSite]]]
Remover = Callable[[Hub, Site, str, dict[str, Any]], Awaitable[Removed]]
Teller = Callable[[AsyncSession, Connection], Awaitable[list[str]]]
_finders: list[Finder] = []
_removers: dict[str, Remover] = {}
_tellers: list[Teller] = []


def finds_on_site(finder: Finder) -> Finder:
    """Registers who knows what was made on a site. Asks no site."""
    _finders.append(finder)
    return finder


def removes(kind: str) -> Callable[[Remover], Remover]:
    """Registers who removes that kind: `(hub, site, api_url, data)`. What is gone already is no
    error; it may be called again.
    """

    def register(remover: Remover) -> Remover:
        _removers[kind] = remover
        return remover

    return register


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


async def remove(hub: Hub, site: Site, api_url: str, one: OnSite) -> Removed:
    return await _removers[one.kind](hub, site, api_url, one.data)
