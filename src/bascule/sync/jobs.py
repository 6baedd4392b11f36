"""Background work of two-way sync: sends, polls, and what comes round."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg import AsyncConnection
from sqlalchemy import select

from bascule.connections import circuit
from bascule.connections.resting import at_rest
from bascule.connections.tables import Connection
from bascule.hub import Hub
from bascule.inbox.frappe import DocumentChange, subscribe
from bascule.jobs import Work, every, task
from bascule.store.identity import after_restore
from bascule.sync.pairing import matching
from bascule.sync.receive import pull
from bascule.sync.send import attempts, send_edit, wake
from bascule.sync.tables import TwoWay

TRASH = "on_trash"
ECHO = 0.2  # seconds
NUMBERS_LEFT_OUT = 10_000  # after a restore: more records than are made between two backups


@task("twoway.send", Work.PEOPLE)
async def send(hub: Hub, record_id: int) -> None:
    await send_edit.send(hub, record_id)


@task("twoway.poll", Work.SOON)
async def poll(hub: Hub, two_way_id: int, whole: bool = False, ticket: str | None = None) -> None:
    await pull.poll_quietly(hub, two_way_id, whole=whole, ticket=ticket)


@task("twoway.match", Work.SOON)
async def match(hub: Hub, two_way_id: int) -> None:
    await matching.prepare(hub, two_way_id)


@subscribe("Customer", "Supplier", "Address", "Contact", name="twoway.refetch")
async def refetch(hub: Hub, connection: Connection, documents: list[DocumentChange]) -> None:
    doctype = documents[0].doctype
    told = {one.name: one.modified for one in documents if one.event != TRASH}
    news = {one.name for one in documents} - await pull.known(hub, connection, doctype, told)
    if news and await pull.being_sent(hub, connection, doctype, news):
        # An echo can be faster than the answer to our own write, which is about to tell as much.
        await asyncio.sleep(ECHO)
        news -= await pull.known(hub, connection, doctype, told)
    if news:
        await pull.refetch(hub, connection, doctype, sorted(news), "webhook")


@every("* * * * * */2", "twoway.wake_waiting")
async def wake_waiting(hub: Hub) -> None:
    async with hub.db.session() as session:
        await wake.wake(hub, session)
        await wake.wake_who_need_not_wait(hub, session)
        for connection in await circuit.mended(session):
            await wake.wake(hub, session, connection)


@every("* * * * *", "twoway.start_what_lies")
async def start_what_lies(hub: Hub) -> None:
    async with hub.db.session() as session:
        await wake.start_what_lies(hub, session)


@every("* * * * *", "twoway.start_due_polls")
async def start_due_polls(hub: Hub) -> None:
    """The next look is due from the moment on that this one is started, so it starts once."""
    now = datetime.now(UTC)
    async with hub.db.session() as session:
        query = (
            select(TwoWay)
            .join(Connection, Connection.id == TwoWay.connection_id)
            .where(TwoWay.status == "on", TwoWay.next_poll_at <= now, ~at_rest())
            .with_for_update(of=TwoWay, skip_locked=True)
        )
        for two_way in (await session.scalars(query)).all():
            # Half a minute early, or a clock that ticks each minute would be late by one.
            two_way.next_poll_at = now + timedelta(minutes=two_way.poll_minutes, seconds=-30)
            await pull.start_poll(hub, session, two_way)


@every("50 4 * * *", "twoway.forget_old_exchanges", Work.HOUSEKEEPING)
async def forget_old_exchanges(hub: Hub) -> None:
    async with hub.db.session() as session:
        await attempts.forget_old(session)


# What waited to be made there may have been made since the backup: it is looked for first.
_MAY_HAVE_BEEN_MADE = """
UPDATE bascule.links SET create_begun_at = waiting.at, create_title = waiting.title
  FROM (SELECT o.record_id, min(o.at) AS at, min(r.title) AS title
          FROM bascule.outbox o JOIN bascule.records r ON r.id = o.record_id GROUP BY 1) waiting
 WHERE waiting.record_id = links.record_id AND links.document IS NULL
   AND links.create_begun_at IS NULL"""
# The first look is at all there is, and at once.
_LOOK_AT_ALL = """
UPDATE bascule.two_ways SET cursor = cursor - 'swept_at', next_poll_at = now()
 WHERE status = 'on'"""
# Numbers that were given out since the backup are somewhere, and must not mean another record.
_OTHER_NUMBERS = f"""
SELECT setval(pg_get_serial_sequence('bascule.records', 'id'),
              (SELECT coalesce(max(id), 0) FROM bascule.records) + {NUMBERS_LEFT_OUT})"""


@after_restore
async def look_before_anything_is_sent(conn: AsyncConnection[Any]) -> None:
    """ERPNext has gone on since the backup, with what this hub sent too."""
    for statement in (_MAY_HAVE_BEEN_MADE, _LOOK_AT_ALL, _OTHER_NUMBERS):
        await conn.execute(statement.encode())
