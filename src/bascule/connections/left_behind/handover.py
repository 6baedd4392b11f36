"""Private connections of deactivated people, handed over or deleted by an admin.

The admin sees their names and nothing of what is in them. Those of active people stay unknown to
everybody else.
"""

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.accounts.people.users import find_active, find_person
from bascule.accounts.tables import User
from bascule.connections.deletion.delete import Deleted, delete_connection
from bascule.connections.permissions import CONNECTIONS_EDIT
from bascule.connections.tables import Connection
from bascule.errors import Conflict, Invalid
from bascule.events.live import publish
from bascule.hub import Hub


async def left_by(
    session: AsyncSession, who: int | str, *, lock: bool = False
) -> tuple[User, list[Connection]]:
    """NoSuchPerson; Conflict: they are active."""
    user = await find_person(session, who, lock=lock)
    if user.active:
        raise Conflict(
            f"{user.username} is active, and their private connections are theirs alone.",
            next_step="Deactivate them first, if they are gone.",
        )
    theirs = (Connection.owner_id == user.id, ~Connection.shared)
    query = select(Connection).where(*theirs).order_by(Connection.name, Connection.id)
    return user, list((await session.scalars(query)).all())


async def hand_over(
    session: AsyncSession, who: int | str, to: int | str
) -> tuple[User, User, list[Connection]]:
    """All of them, with their credentials and what was mirrored, to somebody who may have them;
    from then on they go on. Invalid: that is a viewer.
    """
    user, connections = await left_by(session, who, lock=True)
    heir = await find_active(session, to)
    if not heir.may(CONNECTIONS_EDIT):
        raise Invalid(
            f"{heir.username} is a viewer, and connections are an editor's or an admin's.",
            next_step="Hand them over to somebody else, or make them an editor first.",
            fields={"to": "is a viewer"},
        )
    for connection in connections:
        connection.owner_id = heir.id
        await publish(session, "connection", connection_id=connection.id, change="changed")
    await session.flush()
    return user, heir, connections


async def delete_left(hub: Hub, who: int | str) -> tuple[User, list[Deleted]]:
    """All of them, with their mirrors; nothing on their sites changes."""
    async with hub.db.session() as session:
        user, connections = await left_by(session, who)
        session.expunge_all()
    return user, [
        await delete_connection(hub, each, by=None, keep_on_site=True) for each in connections
    ]
