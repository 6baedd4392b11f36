"""Private connections of people who were deactivated: at rest.

Nothing is asked of their sites, and nothing that comes from there is taken, from the transaction on
in which their owner is deactivated; active again, they go on. It is told by the owner, so there is
no second place in which it could be wrong.
"""

from sqlalchemy import ColumnElement, and_, select

from bascule.accounts.tables import User
from bascule.connections.tables import Connection
from bascule.frappe import Unavailable
from bascule.hub import Hub


class AtRest(Unavailable):
    """As if the site did not answer, to all who ask it: what they would do waits."""

    def __init__(self) -> None:
        super().__init__(
            "This connection is at rest: it is private, and its owner was deactivated.",
            next_step="An admin hands it over or deletes it ('bascule users left'), or activates "
            "its owner again.",
        )
        self.undone = True


def at_rest() -> ColumnElement[bool]:
    """For a query of connections."""
    inactive = select(User.id).where(~User.active)
    return and_(~Connection.shared, Connection.owner_id.in_(inactive))


async def refuse_at_rest(hub: Hub, connection: Connection) -> None:
    """AtRest. Asks the database of private connections alone."""
    if connection.shared:
        return
    async with hub.db.session() as session:
        resting = select(Connection.id).where(Connection.id == connection.id, at_rest())
        if await session.scalar(resting):
            raise AtRest
