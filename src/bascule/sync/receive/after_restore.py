"""A person's decision about all that a restored site has in an older state, at once."""

from sqlalchemy import Select, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.accounts.tables import User
from bascule.connections.tables import Connection
from bascule.errors import Invalid
from bascule.hub import Hub
from bascule.sync.conflicts import act, resolve_all
from bascule.sync.fields import RecordType
from bascule.sync.receive import renames
from bascule.sync.records import may_edit
from bascule.sync.tables import Conflict, Link, TwoWay

CHOICES = ("here", "there")
_IS_LOST = Link.remedy == renames.LOST.remedy


async def how_many(session: AsyncSession, connection: Connection, kind: RecordType) -> int:
    """Records that wait for this decision."""
    query = _undecided(connection, kind).with_only_columns(func.count()).order_by(None)
    return int(await session.scalar(query) or 0)


async def decide(
    hub: Hub, connection: Connection, kind: RecordType, choice: str, *, by: User | None
) -> int:
    """`here`: what the site had when both agreed is sent again, and what is gone is made again.
    `there`: what the site has is taken. Of how many records.
    """
    may_edit(by)
    if choice not in CHOICES:
        raise Invalid(
            "After a restore either side stays: here or there.",
            next_step="Choose one of these.",
            fields={"choice": "is here or there"},
        )
    async with hub.db.session() as session:
        found = (await session.execute(_undecided(connection, kind))).all()
    for number, is_lost in found:
        if is_lost:
            what = "recreate" if choice == "here" else "give_up"
            await act(hub, kind, number, what, by=by)
        else:
            await resolve_all(hub, kind, number, choice, by=by, restored=True)
    return len(found)


def _undecided(connection: Connection, kind: RecordType) -> Select[int, bool]:
    differs = exists().where(
        Conflict.record_id == Link.record_id,
        Conflict.settled_at.is_(None),
        Conflict.restored,
    )
    return (
        select(Link.record_id, func.coalesce(_IS_LOST, False))
        .join(TwoWay, TwoWay.id == Link.two_way_id)
        .where(
            TwoWay.connection_id == connection.id,
            TwoWay.record_type == kind.name,
            or_(_IS_LOST, differs),
        )
        .order_by(Link.record_id)
    )
