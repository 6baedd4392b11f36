"""Connections found: by id or slug, and only where the viewer may know of them."""

from uuid import UUID

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.accounts.tables import User
from bascule.connections.sharing import (
    seen_by,
)
from bascule.connections.slugs import SLUG
from bascule.connections.tables import Connection
from bascule.errors import NoSuch


class NoSuchConnection(NoSuch):
    def __init__(self) -> None:
        super().__init__(
            "There is no such connection.",
            next_step="GET /api/connectors, or 'bascule status', lists the ones there are.",
        )


async def find_connection(
    session: AsyncSession, id_or_slug: str | UUID, viewer: User | None
) -> Connection:
    """By its id or its slug; NoSuchConnection, also where this viewer may not know of it."""
    query = select(Connection).where(_named(id_or_slug), seen_by(viewer))
    found = await session.scalar(query)
    if found is None:
        raise NoSuchConnection
    return found


async def list_connections(session: AsyncSession, viewer: User | None) -> list[Connection]:
    query = select(Connection).where(seen_by(viewer)).order_by(Connection.name)
    return list((await session.scalars(query)).all())


async def connections_named(
    session: AsyncSession, id_or_slug: str | None, viewer: User | None
) -> list[Connection]:
    """The one that is named, as `find_connection` finds it; without a name, all of them."""
    if id_or_slug:
        return [await find_connection(session, id_or_slug, viewer)]
    return await list_connections(session, viewer)


def _named(id_or_slug: str | UUID) -> ColumnElement[bool]:
    if isinstance(id_or_slug, UUID):
        return Connection.id == id_or_slug
    if SLUG.fullmatch(id_or_slug):
        return Connection.slug == id_or_slug
    try:
        return Connection.id == UUID(id_or_slug)
    except ValueError:
        raise NoSuchConnection from None
