"""From the kept deliveries to their subscribers: in order, each subscriber for itself."""

import asyncio
import logging
import time
from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
from psycopg.types.json import Jsonb
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.backoff import Backoff
from bascule.connections.tables import Connection
from bascule.events.live import publish
from bascule.hub import Hub
from bascule.inbox.ingest import LOCK_ALONE, queue_dispatch
from bascule.inbox.sources import SOURCES, InboundEvent
from bascule.inbox.subscribers import SUBSCRIPTIONS, Subscription
from bascule.store.failures import FAULT, cause_of
from bascule.telemetry import count

log = logging.getLogger(__name__)

AT_ONCE = 500  # deliveries
GATHER = 0.05  # seconds; what comes in them is dispatched by the same job
TURN = 10.0  # seconds after which a job lets another one in
PATIENCE = 600.0  # seconds that a subscriber may take for them
RETRY = Backoff(5.0, longest=3600.0, jitter=0.5)
GIVE_UP = 3  # days after it arrived


class Topic(NamedTuple):
    """What a subscriber is called for at once."""

    source: str
    subject_type: str


@dataclass(frozen=True, slots=True)
class PendingDelivery:
    """`pending`: the subscribers that have not been told yet; None for all."""

    topic: Topic
    event: InboundEvent  # without its payload
    payload_encrypted: str | None
    pending: list[str] | None

    def opened(self, hub: Hub) -> InboundEvent:
        """WrongKey: the payload was encrypted with a key that the hub no longer has."""
        if self.payload_encrypted is None:
            return self.event
        payload = hub.vault.decrypt(self.payload_encrypted).encode("latin-1")
        return replace(self.event, payload=payload)

    def is_for(self, subscription: Subscription) -> bool:
        wanted = self.pending is None or subscription.stored in self.pending
        return wanted and subscription.wants(*self.topic)


@dataclass(frozen=True, slots=True)
class Failed:
    subscriber: str
    error: str
    next_step: str


@dataclass(slots=True)
class Told:
    """What came of one topic: each subscriber that was called, with its failure or None."""

    outcomes: dict[str, Failed | None] = field(default_factory=dict)

    @property
    def failures(self) -> list[Failed]:
        return [failed for failed in self.outcomes.values() if failed]


async def dispatch_due(hub: Hub, connection_id: UUID) -> None:
    """Tells the subscribers of everything that is kept and due. What fails stays kept, for a later
    attempt.
    """
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
        told: dict[Topic, Told] = defaultdict(Told)
        subscriptions = SUBSCRIPTIONS.values()
        await asyncio.gather(*[_tell(hub, connection, one, batch, told) for one in subscriptions])
        await _settle(hub, connection_id, batch, told)
        if time.monotonic() > until:
            await queue_dispatch(hub, connection_id)  # others' jobs have their turn too
            return
        if len(batch) < AT_ONCE:
            await asyncio.sleep(GATHER)


async def _due(hub: Hub, connection_id: UUID) -> list[PendingDelivery]:
    async with hub.db.connection() as conn:
        found = await conn.execute(
            "SELECT source, pending, payload_encrypted, id, subject_type, subject, event,"
            " received_at, version, external_id FROM bascule.deliveries"
            " WHERE connection_id = %s AND state = 'kept' AND next_try_at <= now()"
            " ORDER BY id LIMIT %s",
            [connection_id, AT_ONCE],
        )
        rows = await found.fetchall()
    return [
        PendingDelivery(Topic(source, about[1]), InboundEvent(*about), sealed, pending)
        for source, pending, sealed, *about in rows
    ]


async def _tell(
    hub: Hub,
    connection: Connection,
    subscription: Subscription,
    batch: list[PendingDelivery],
    told: dict[Topic, Told],
) -> None:
    by_topic: dict[Topic, list[PendingDelivery]] = defaultdict(list)
    for one in batch:
        if one.is_for(subscription):
            by_topic[one.topic].append(one)
    for topic, deliveries in by_topic.items():
        failed = None
        try:
            async with asyncio.timeout(PATIENCE):
                joined = SOURCES[topic.source].join([one.opened(hub) for one in deliveries])
                await subscription.notify(hub, connection, list(joined))
        except Exception as error:
            failed = _failure(subscription, topic, error)
        told[topic].outcomes[subscription.stored] = failed


def _failure(subscription: Subscription, topic: Topic, error: Exception) -> Failed:
    known = cause_of(error) or error
    step = getattr(known, "next_step", None)  # of the hub's errors, the store's, a client's
    if isinstance(step, str):
        return Failed(subscription.stored, str(known), step)
    log.error("%s failed over %s", subscription.name, topic.subject_type, exc_info=error)
    what = "took too long" if isinstance(error, TimeoutError) else f"{type(error).__name__}"
    return Failed(
        subscription.stored,
        f"{what} in the hub, at {subscription.name}",
        f"{FAULT} It tries again by itself.",
    )


async def _settle(
    hub: Hub, connection_id: UUID, batch: list[PendingDelivery], told: dict[Topic, Told]
) -> None:
    """Deliveries of a topic are settled together; those that had different subscribers pending, of
    which one was not called for some, apart.
    """
    groups: dict[tuple[Topic, frozenset[str]], list[int]] = defaultdict(list)
    for one in batch:
        names = [name for name in told[one.topic].outcomes if one.is_for(SUBSCRIPTIONS[name])]
        groups[one.topic, frozenset(names)].append(one.event.id)
    gave_up = False
    now = datetime.now(UTC).isoformat(timespec="seconds")
    async with hub.db.connection() as conn:
        for (topic, called), ids in groups.items():
            outcomes = {name: told[topic].outcomes[name] for name in sorted(called)}
            failures = [failed for failed in outcomes.values() if failed]
            count("deliveries", len(ids), outcome="failed" if failures else "done")
            shown = Jsonb(
                {SUBSCRIPTIONS[name].name: _outcome(one, now) for name, one in outcomes.items()}
            )
            if failures:
                gave_up = await _put_off(conn, ids, failures, shown) or gave_up
            else:
                await conn.execute(
                    "UPDATE bascule.deliveries SET state = 'done', done_at = now(), pending = NULL,"
                    " attempts = attempts + 1, error = NULL, next_step = NULL,"
                    " outcomes = outcomes || %s WHERE id = ANY(%s)",
                    [shown, ids],
                )
        if gave_up:
            await publish_trouble(conn, connection_id)
        else:
            await publish(conn, "delivery", connection_id=connection_id, keep=False)


def _outcome(failed: Failed | None, now: str) -> dict[str, Any]:
    if failed is None:
        return {"state": "done", "at": now}
    return {"state": "failed", "at": now, "error": failed.error, "next_step": failed.next_step}


async def _put_off(
    conn: psycopg.AsyncConnection, ids: list[int], failures: list[Failed], outcomes: Jsonb
) -> bool:
    """Whether one of them was given up."""
    ended = await conn.execute(
        f"""
        UPDATE bascule.deliveries SET
            state = CASE WHEN received_at < now() - make_interval(days => %(give_up)s)
                    THEN 'failed' ELSE 'kept' END,
            next_try_at = now() + {RETRY.in_sql("attempts")} * interval '1 s',
            attempts = attempts + 1, pending = %(pending)s, outcomes = outcomes || %(outcomes)s,
            error = %(error)s, next_step = %(step)s
        WHERE id = ANY(%(ids)s) RETURNING state
        """,
        {
            "ids": ids,
            "pending": [failed.subscriber for failed in failures],
            "outcomes": outcomes,
            "error": failures[0].error,
            "step": failures[0].next_step,
            "give_up": GIVE_UP,
        },
    )
    return ("failed",) in await ended.fetchall()


async def try_failed_again(hub: Hub, connection_id: UUID) -> int:
    """Those that were given up, and those that wait for their next attempt: how many."""
    async with hub.db.connection() as conn:
        again = await conn.execute(
            "UPDATE bascule.deliveries SET state = 'kept', attempts = 0, next_try_at = now()"
            " WHERE connection_id = %s"
            " AND (state = 'failed' OR (state = 'kept' AND next_try_at > now()))",
            [connection_id],
        )
        if again.rowcount:
            await queue_dispatch(hub, connection_id, conn)
            await publish_trouble(conn, connection_id)
        return again.rowcount


async def publish_trouble(
    conn_or_session: psycopg.AsyncConnection | AsyncSession, connection_id: UUID
) -> None:
    """Live, to the deliveries' pages and to those that show what needs attention."""
    await publish(conn_or_session, "delivery", connection_id=connection_id, keep=False)
    await publish(conn_or_session, "connection", connection_id=connection_id, change="webhooks")
