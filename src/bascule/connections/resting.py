"""Private connections of deactivated people are at rest.

From the transaction that deactivates the owner on, no request goes to their services and no
delivery from there is accepted. They go on when the owner is active again. Derived from the owner
each time; no column stores it.
"""

from sqlalchemy import ColumnElement, and_, select

from bascule.accounts.tables import User
from bascule.connections.tables import Connection
from bascule.frappe import Unavailable
from bascule.hub import Hub


class AtRest(Unavailable):
    """Raised like an outage of the site, so that work waits and is tried again."""

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
    """Raises AtRest. Shared connections need no query."""
    if connection.shared:
        return
    async with hub.db.session() as session:
        resting = select(Connection.id).where(Connection.id == connection.id, at_rest())
        if await session.scalar(resting):
            raise AtRest
