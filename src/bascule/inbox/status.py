"""Whether the deliveries of each source arrive, and what came of them: for the page and the API."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, cast, get_args

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.accounts.tables import User
from bascule.connections.sharing import seen_by
from bascule.connections.tables import Connection
from bascule.errors import Conflict, Invalid, NoSuch
from bascule.hub import Hub
from bascule.inbox.dispatch import publish_trouble
from bascule.inbox.ingest import queue_dispatch
from bascule.inbox.sources import SOURCES, Source
from bascule.inbox.tables import Delivery

DeliveryState = Literal["kept", "done", "failed", "unreadable"]


def state_named(state: str | None) -> DeliveryState | None:
    """Invalid: there is no such state."""
    for known in get_args(DeliveryState):
        if state == known:
            return cast(DeliveryState, known)
    if state is None:
        return None
    names = ", ".join(get_args(DeliveryState))
    raise Invalid(
        f"No delivery is in a state {state!r}.",
        next_step=f"Name one of {names}.",
        fields={"state": f"is none of {names}"},
    )


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """Of the deliveries that are still there; `failed` and `unreadable` want somebody's look."""

    source: Source
    last_at: datetime | None = None
    last_day: int = 0  # deliveries in the last 24 hours
    kept: int = 0
    failed: int = 0
    unreadable: int = 0


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which deliveries; None: any."""

    source: str | None = None
    state: DeliveryState | None = None
    connection: str | None = None  # slug


async def status_of_sources(session: AsyncSession, viewer: User | None) -> list[SourceStatus]:
    """Each source that is registered, in the connections that `viewer` sees."""
    lately = Delivery.received_at > func.now() - func.make_interval(0, 0, 0, 1)
    states = [
        func.count().filter(Delivery.state == state) for state in ("kept", "failed", "unreadable")
    ]
    query = (
        select(
            Delivery.source, func.max(Delivery.received_at), func.count().filter(lately), *states
        )
        .join(Connection, Connection.id == Delivery.connection_id)
        .where(seen_by(viewer))
        .group_by(Delivery.source)
    )
    found = {name: figures for name, *figures in (await session.execute(query)).all()}
    return [SourceStatus(source, *found.get(name, [])) for name, source in SOURCES.items()]


async def deliveries_seen(
    session: AsyncSession,
    viewer: User | None,
    wanted: Wanted,
    limit: int,
    before: int | None = None,
) -> Sequence[tuple[Delivery, Connection]]:
    """Newest first; `before` is the id of the last one that the caller has."""
    query = (
        select(Delivery, Connection)
        .join(Connection, Connection.id == Delivery.connection_id)
        .where(seen_by(viewer))
    )
    if wanted.source is not None:
        query = query.where(Delivery.source == wanted.source)
    if wanted.state is not None:
        query = query.where(Delivery.state == wanted.state)
    if wanted.connection is not None:
        query = query.where(Connection.slug == wanted.connection)
    if before is not None:
        query = query.where(Delivery.id < before)
    rows = (await session.execute(query.order_by(Delivery.id.desc()).limit(limit))).all()
    return [(delivery, connection) for delivery, connection in rows]


async def retry_delivery(hub: Hub, delivery_id: int, *, by: User | None) -> Delivery:
    """Dispatches one again to the subscribers that failed. NoSuch: not for `by` to see. Conflict:
    it does not wait for another attempt.
    """
    async with hub.db.session() as session:
        delivery = await session.scalar(
            select(Delivery)
            .join(Connection, Connection.id == Delivery.connection_id)
            .where(Delivery.id == delivery_id, seen_by(by))
            .with_for_update(of=Delivery)
        )
        if delivery is None:
            raise NoSuch(
                "There is no delivery of this number.",
                next_step="Look at the page Deliveries; the oldest are forgotten after 30 days.",
            )
        if delivery.state not in ("failed", "kept"):
            raise Conflict(
                "This delivery does not wait for another attempt.",
                next_step="Its sender may send it again; the page Deliveries says what it lacked."
                if delivery.state == "unreadable"
                else "Nothing: every subscriber has taken it.",
            )
        delivery.state, delivery.attempts, delivery.next_try_at = "kept", 0, func.now()
        await publish_trouble(session, delivery.connection_id)
        await session.flush()
        await session.refresh(delivery)
        session.expunge(delivery)
    await queue_dispatch(hub, delivery.connection_id)
    return delivery
