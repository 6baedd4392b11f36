"""A lane's writes on their way: what may go is picked, creates of one DocType together, and sent.

Everything before and after a request is committed, so a job that is killed anywhere is simply done
again: each operation finds out what was done before it does anything.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from typing import Literal
from uuid import UUID

from sqlalchemy import select

from bascule.connections import circuit
from bascule.connections.tables import Circuit, Connection
from bascule.frappe import FrappeError, NoPermission, Site
from bascule.hub import Hub
from bascule.outbox.failures import HubFault
from bascule.outbox.lanes import holding, next_numbers, queue_lanes
from bascule.outbox.sending.change import OPERATIONS, told_again
from bascule.outbox.sending.create import create, create_batch
from bascule.outbox.sending.in_doubt import certainly_not_done
from bascule.outbox.sending.outcome import record_failure, record_refused_batch, record_written
from bascule.outbox.sending.work import Sending, TakenOver
from bascule.outbox.tables import OutboxWrite
from bascule.sites.pool import open_site
from bascule.store.failures import FAULT, cause_of

log = logging.getLogger(__name__)

BATCH = 200  # documents that Frappe takes at once
PICKED = 3 * BATCH
AT_ONCE = 2  # batches or single writes of a lane that are under way together
Left = Literal["nothing", "more", "shut"]  # of a lane, when its sender stops
TURN = 10.0  # seconds after which a job lets another one in


async def send_lane(hub: Hub, connection_id: UUID, lane: int) -> None:
    """Until nothing of it may go any more, or the site does not answer."""
    async with holding(hub, connection_id, lane) as ours:
        if not ours:
            return
        left = await _send_what_may_go(hub, connection_id, lane)
    if left == "shut":
        return  # `start_due` comes round when it may be tried again
    async with hub.db.session() as session:
        # What came while it was held was left to us by jobs that found it so.
        if left == "more" or await next_numbers(session, connection_id, lane, 1):
            await queue_lanes(hub, session, connection_id, [lane])


async def _send_what_may_go(hub: Hub, connection_id: UUID, lane: int) -> Left:
    until = time.monotonic() + TURN
    while time.monotonic() < until:
        async with hub.db.session() as session:
            connection = await session.get(Connection, connection_id)
            if connection is None or (await circuit.enter(session, connection)).shut is not None:
                return "shut"
            numbers = await next_numbers(session, connection_id, lane, PICKED)
            query = select(OutboxWrite).where(OutboxWrite.id.in_(numbers)).order_by(OutboxWrite.id)
            writes = list((await session.scalars(query)).all())
            session.expunge_all()
        if not writes:
            await _let_go(hub, connection)
            return "nothing"
        async with open_site(hub, connection) as site:
            if not await _send(hub, site, connection, writes):
                return "shut"
    return "more"


async def _let_go(hub: Hub, connection: Connection) -> None:
    """Who came in to try the site and has nothing to ask lets the next one try."""
    async with hub.db.session() as session:
        there = await session.get(Circuit, connection.id)
        if there is not None and there.trying_until is not None:
            await circuit.try_now(session, connection.id)


async def _send(
    hub: Hub, site: Site, connection: Connection, writes: Sequence[OutboxWrite]
) -> bool:
    """Whether the site was there for all of them."""
    places = asyncio.Semaphore(AT_ONCE)
    answered = True

    async def sent(group: list[OutboxWrite]) -> None:
        nonlocal answered
        async with places:
            if answered:
                work = Sending(hub, site, connection)
                answered = await _send_group(work, group) and answered

    async with asyncio.TaskGroup() as tasks:
        for group in groups(writes):
            tasks.create_task(sent(group))
    return answered


def groups(writes: Sequence[OutboxWrite]) -> list[list[OutboxWrite]]:
    """What is sent in one request; of writes with one lock the oldest alone."""
    found: list[list[OutboxWrite]] = []
    open_: dict[tuple[str, str | None], list[OutboxWrite]] = {}
    locks: set[str] = set()
    for write in writes:
        if write.lock_name is not None:
            if write.lock_name not in locks:
                locks.add(write.lock_name)
                found.append([write])
        elif not may_go_together(write):
            found.append([write])
        else:
            key = (write.doctype, write.sent_key_field if write.begun_at is not None else None)
            batch = open_.get(key)
            if batch is None or len(batch) == BATCH:
                batch = open_[key] = []
                found.append(batch)
            batch.append(write)
    return found


def may_go_together(write: OutboxWrite) -> bool:
    """A create without child rows, which a list can tell as it is stored; one that is in doubt only
    where it is known by its mark.
    """
    tables = any(isinstance(value, list) for value in write.values.values())
    known = write.begun_at is None or bool(write.sent_key_field)
    is_new = write.operation == "create" and write.failure != "listener"
    return is_new and not tables and known


async def _send_group(work: Sending, writes: list[OutboxWrite]) -> bool:
    """Whether the site was there. A refused batch goes on in halves, until who was refused is
    alone.
    """
    try:
        if len(writes) == 1:
            return await _send_one(work, writes[0])
        done = await create_batch(work, writes)
        await record_written(work, done)
    except TakenOver:
        log.info("Somebody else sends, or gave up, the writes %s", [one.id for one in writes])
    except Exception as unforeseen:
        error = unforeseen
        if cause_of(error) is not None:
            raise  # the database: what was done is found out when it is back
        if not isinstance(error, FrappeError):
            log.exception("The outbox failed over %s", [one.key for one in writes])
            told = f"{type(error).__name__} in the hub"
            error = HubFault(told, next_step=f"{FAULT} It tries again by itself.")
        of_all = isinstance(error, (NoPermission, *circuit.OF_THE_SITE))
        if of_all or not certainly_not_done(error):
            return (await record_failure(work, writes, error)).site is None
        await record_refused_batch(work, writes)
        half = (len(writes) + 1) // 2
        first = await _send_group(work, writes[:half])
        return first and await _send_group(work, writes[half:])
    return True


async def _send_one(work: Sending, write: OutboxWrite) -> bool:
    operation = create if write.operation == "create" else OPERATIONS[write.operation]
    try:
        if write.failure == "listener":
            done = await told_again(work, write)
        else:
            done = await operation(work, write)
    except FrappeError as error:
        return (await record_failure(work, [write], error)).site is None
    await record_written(work, [done])
    return True
