"""Links from a document of a site to what the hub keeps of it besides the mirror, such as a record.

Each room registers how it finds its own; the document's page shows the link.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from bascule.connections.tables import Connection


@dataclass(frozen=True)
class Kept:
    """`page`: where people look at it, whose JSON is at `/api` and the same path; `what` it is
    called there.
    """

    page: str
    what: str


Finder = Callable[[AsyncSession, Connection, str, str], Awaitable[Kept | None]]
_finders: list[Finder] = []


def finds_kept(finder: Finder) -> Finder:
    _finders.append(finder)
    return finder


async def kept_of(
    session: AsyncSession, connection: Connection, doctype: str, name: str
) -> Kept | None:
    """Who may see the connection may see it. `doctype` and `name`: as the site writes them."""
    for finder in _finders:
        if found := await finder(session, connection, doctype, name):
            return found
    return None
