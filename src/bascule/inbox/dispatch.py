"""From what is kept to those who listen: in order, joined by document, each listener for itself."""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from bascule.backoff import Backoff
from bascule.connections.tables import Connection
from bascule.errors import HubError
from bascule.events.live import publish
from bascule.frappe import FrappeError
from bascule.hub import Hub
from bascule.inbox.frappe.monitor import tell
from bascule.inbox.ingest import LOCK_ALONE, queue_work
from bascule.inbox.subscribers import SUBSCRIPTIONS, DocumentChange, Subscription
from bascule.store import StoreError
from bascule.store.failures import FAULT, cause_of
from bascule.telemetry import count

log = logging.getLogger(__name__)

AT_ONCE = 500  # deliveries
GATHER = 0.05  # seconds; what comes in them is told together, and by the same job
TURN = 10.0  # seconds after which a job lets another one in
PATIENCE = 600.0  # seconds that a listener may take for them
RETRY = Backoff(5.0, longest=3600.0, jitter=0.5)
GIVE_UP = 3  # days after it arrived
TRASH = "on_trash"


@dataclass(frozen=True, slots=True)
class Waiting:
    """A delivery as it is kept; `owed`: the listeners that have not heard it, None for all."""

    id: int
    doctype: str
    name: str
    event: str
    received_at: datetime
    modified: str | None
    owed: list[str] | None

    def is_for(self, listener: Subscription) -> bool:
        wanted = self.owed is None or listener.name in self.owed
        return wanted and listener.wants(self.doctype)


@dataclass(frozen=True, slots=True)
class Failed:
    listener: str
    doctype: str
    error: str
    next_step: str


async def dispatch_due(hub: Hub, connection_id: UUID) -> None:
    """Tells of everything that is kept and due. What fails is kept, for a later attempt."""
    async with hub.db.connection() as conn:
        await conn.execute(LOCK_ALONE, [connection_id])
    until = time.monotonic() + TURN
    while True:
        async with hub.db.session() as session:
            connection = await session.get(Connection, connection_id)
            session.expunge_all()
        batch = await _due(hub, connection_id)
        if connection is None or not batch:
            return
        told = [_tell(hub, connection, one, batch) for one in SUBSCRIPTIONS.values()]
        failed = [failure for each in await asyncio.gather(*told) for failure in each]
        await _settle(hub, connection_id, batch, failed)
        if time.monotonic() > until:
            await queue_work(hub, connection_id)  # others' jobs have their turn too
            return
        if len(batch) < AT_ONCE:
            await asyncio.sleep(GATHER)


async def _due(hub: Hub, connection_id: UUID) -> list[Waiting]:
    async with hub.db.connection() as conn:
        found = await conn.execute(
            "SELECT id, doctype, name, event, received_at, modified, owed FROM bascule.deliveries"
            " WHERE connection_id = %s AND state = 'kept' AND next_try_at <= now()"
            " ORDER BY id LIMIT %s",
            [connection_id, AT_ONCE],
        )
        return [Waiting(*row) for row in await found.fetchall()]


async def _tell(
    hub: Hub, connection: Connection, listener: Subscription, batch: list[Waiting]
) -> list[Failed]:
    by_doctype: dict[str, list[Waiting]] = defaultdict(list)
    for one in batch:
        if one.is_for(listener):
            by_doctype[one.doctype].append(one)
    failed = []
    for doctype, waiting in by_doctype.items():
        try:
            async with asyncio.timeout(PATIENCE):
                await listener.hear(hub, connection, joined(waiting))
        except Exception as error:
            failed.append(_failure(listener, doctype, error))
    return failed


def joined(waiting: Iterable[Waiting]) -> list[DocumentChange]:
    """One for each document, in the order in which they were first spoken of."""
    documents: dict[tuple[str, str], DocumentChange] = {}
    for one in waiting:
        before = documents.get((one.doctype, one.name))
        event, since = one.event, one.received_at
        if before is not None:
            since = before.received_at
            event = TRASH if before.event == TRASH else one.event or before.event
        documents[one.doctype, one.name] = DocumentChange(
            one.doctype, one.name, event, since, one.modified
        )
    return list(documents.values())


def _failure(listener: Subscription, doctype: str, error: Exception) -> Failed:
    known = cause_of(error) or error
    if isinstance(known, HubError | FrappeError | StoreError):
        return Failed(listener.name, doctype, str(known), known.next_step)
    log.error("%s failed over %s", listener.name, doctype, exc_info=error)
    what = "took too long" if isinstance(error, TimeoutError) else f"{type(error).__name__}"
    return Failed(
        listener.name,
        doctype,
        f"{what} in the hub, at {listener.name}",
        f"{FAULT} It tries again by itself.",
    )


async def _settle(
    hub: Hub, connection_id: UUID, batch: list[Waiting], failed: list[Failed]
) -> None:
    wrong: dict[str, list[Failed]] = defaultdict(list)
    for failure in failed:
        wrong[failure.doctype].append(failure)
    done = [one.id for one in batch if one.doctype not in wrong]
    for outcome, many in (("done", len(done)), ("failed", len(batch) - len(done))):
        count("deliveries", many, outcome=outcome)
    async with hub.db.connection() as conn:
        await conn.execute(
            "UPDATE bascule.deliveries SET state = 'done', done_at = now(), owed = NULL,"
            " attempts = attempts + 1, error = NULL, next_step = NULL WHERE id = ANY(%s)",
            [done],
        )
        gave_up = False
        for doctype, failures in wrong.items():
            ended = await conn.execute(
                f"""
                UPDATE bascule.deliveries SET
                    state = CASE WHEN received_at < now() - make_interval(days => %(give_up)s)
                            THEN 'failed' ELSE 'kept' END,
                    next_try_at = now() + {RETRY.in_sql("attempts")} * interval '1 s',
                    attempts = attempts + 1, owed = %(owed)s,
                    error = %(error)s, next_step = %(step)s
                WHERE id = ANY(%(ids)s) RETURNING state
                """,
                {
                    "ids": [one.id for one in batch if one.doctype == doctype],
                    "owed": [failure.listener for failure in failures],
                    "error": failures[0].error,
                    "step": failures[0].next_step,
                    "give_up": GIVE_UP,
                },
            )
            gave_up = gave_up or ("failed",) in await ended.fetchall()
        if gave_up:
            await tell(conn, connection_id)
        else:
            await publish(conn, "delivery", connection_id=connection_id, keep=False)


async def try_failed_again(hub: Hub, connection_id: UUID) -> int:
    """What was given up, and what waits for its next attempt: how many."""
    async with hub.db.connection() as conn:
        again = await conn.execute(
            "UPDATE bascule.deliveries SET state = 'kept', attempts = 0, next_try_at = now()"
            " WHERE connection_id = %s"
            " AND (state = 'failed' OR (state = 'kept' AND next_try_at > now()))",
            [connection_id],
        )
        if again.rowcount:
            await queue_work(hub, connection_id, conn)
            await tell(conn, connection_id)
        return again.rowcount
