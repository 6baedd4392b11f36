"""Edits that wait, or whose job is gone, are sent again."""

import logging
from datetime import timedelta

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.connections import circuit
from bascule.connections.tables import Connection
from bascule.hub import Hub
from bascule.sync.records import start, start_again
from bascule.sync.tables import Link, Outbox, TwoWay

log = logging.getLogger(__name__)
LYING = timedelta(minutes=1)  # that an edit may wait for a job that has not begun


async def wake(hub: Hub, session: AsyncSession, connection: Connection | None = None) -> int:
    """Starts those whose time has come, or all that wait for this connection; how many."""
    query = select(Link.record_id).where(Link.state == "waiting").limit(500)
    query = query.with_for_update(skip_locked=True)
    if connection is None:
        query = query.where(Link.retry_at <= func.now())
    else:
        of_it = select(TwoWay.id).where(TwoWay.connection_id == connection.id)
        query = query.where(Link.two_way_id.in_(of_it))
    numbers = (await session.scalars(query)).all()
    await start_again(hub, session, numbers)
    return len(numbers)


async def wake_who_need_not_wait(hub: Hub, session: AsyncSession) -> int:
    """Those that wait for a site which somebody has got through to since: a pull, or a test."""
    query = (
        select(Link.record_id)
        .join(TwoWay, TwoWay.id == Link.two_way_id)
        .join(Connection, Connection.id == TwoWay.connection_id)
        .where(
            Link.state == "waiting",
            Link.remedy.in_(("down", "credentials")),
            ~circuit.is_shut(),
        )
        .limit(500)
        .with_for_update(of=Link, skip_locked=True)
    )
    numbers = (await session.scalars(query)).all()
    await start_again(hub, session, numbers)
    return len(numbers)


async def start_what_lies(hub: Hub, session: AsyncSession) -> int:
    """Edits whose job is gone: it failed in a way nobody foresaw, or the database went away under
    it. They are sent again; how many.
    """
    unqueued = text(
        "NOT EXISTS (SELECT 1 FROM procrastinate_jobs j WHERE j.lock = 'record:' || links.record_id"
        " AND j.status IN ('todo', 'doing'))"
    )
    query = (
        select(Link.record_id)
        .join(TwoWay, TwoWay.id == Link.two_way_id)
        .where(
            TwoWay.status == "on",
            Link.state == "sending",
            Link.record_id.in_(select(Outbox.record_id).where(Outbox.at < func.now() - LYING)),
            unqueued,
        )
        .limit(500)
    )
    numbers = (await session.scalars(query)).all()
    for number in numbers:
        log.warning("The job that would send record %s is gone; it is started again.", number)
    await start(hub, session, *numbers)
    return len(numbers)
