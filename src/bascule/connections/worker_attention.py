"""Attention items for a missing worker and a queue that stands still.

They come first in the list, because other items may follow from them.
"""

from collections import Counter
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.accounts.tables import User
from bascule.attention.items import AttentionItem, finds_attention_items
from bascule.connections.sharing import seen_by
from bascule.connections.tables import Connection
from bascule.hub import Hub
from bascule.jobs.queue_status import Holder, Queue, queue_of
from bascule.store.database import driver_connection

MISSING = "No worker is running"
START = "Start one: 'bascule up', or 'bascule worker' beside 'bascule serve'."
MOST_NAMED = 4


@finds_attention_items
async def needs(hub: Hub, session: AsyncSession, viewer: User | None) -> list[AttentionItem]:
    """A missing worker counts only where a job waits or a schedule is set."""
    conn = await driver_connection(session)
    queue = await queue_of(conn, hub.settings.worker_concurrency)
    if not queue.worker_alive:
        planned = select(Connection.id).where(Connection.next_sync_at.is_not(None)).limit(1)
        if queue.waiting or await session.scalar(planned) is not None:
            return [_missing(queue)]
    elif queue.stands and queue.oldest_at is not None:
        return [await _stands(session, viewer, queue, queue.oldest_at)]
    return []


def _missing(queue: Queue) -> AttentionItem:
    waits = f" {queue.waiting:,} jobs wait for one." if queue.waiting > 1 else ""
    waits = " A job waits for one." if queue.waiting == 1 else waits
    return AttentionItem(
        kind="worker",
        name="The worker",
        what=f"{MISSING}, so nothing is synced and nothing is sent.{waits}",
        next_step=f"{START} What waits is done then.",
        page="",
        command="bascule worker",
    )


async def _stands(
    session: AsyncSession, viewer: User | None, queue: Queue, oldest_at: datetime
) -> AttentionItem:
    minutes = int((queue.oldest_seconds or 0) // 60)
    held = await held_by(session, viewer, queue.holders)
    return AttentionItem(
        kind="queue",
        name="The queue",
        what=f"{queue.waiting:,} jobs wait for a worker's place, the first for {minutes} minutes "
        f"(since {oldest_at:%H:%M} UTC). The places are held by {held}.",
        next_step="Cancel what holds them if it comes to nothing, or start another worker beside "
        "this one: 'bascule worker'.",
        page="",
        command="bascule logs",
    )


async def held_by(session: AsyncSession, viewer: User | None, holders: list[Holder]) -> str:
    """The connections that hold the places, in words, the most places first. Those that the viewer
    may not see are counted as others.
    """
    query = select(Connection.id, Connection.name).where(seen_by(viewer))
    names = {row[0]: row[1] for row in (await session.execute(query)).all()}
    places: Counter[str] = Counter()
    for holder in holders:
        known = holder.connection_id and names.get(UUID(holder.connection_id))
        other = "others" if holder.connection_id else "edits, webhooks and upkeep"
        places[known or other] += holder.places
    if not places:
        return "nobody"
    some = [f"{name} ({count})" for name, count in places.most_common(MOST_NAMED)]
    more = len(places) - len(some)
    return ", ".join(some) + (f" and {more} more" if more > 0 else "")
