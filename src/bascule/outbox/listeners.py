"""Rooms that hear what became of their writes, in the transaction that records it."""

import logging
from collections.abc import Awaitable, Callable

from sqlalchemy.ext.asyncio import AsyncSession

from bascule.hub import Hub
from bascule.outbox.tables import OutboxWrite

log = logging.getLogger(__name__)
Listener = Callable[[Hub, AsyncSession, OutboxWrite], Awaitable[None]]
_written: dict[str, Listener] = {}
_failed: dict[str, Listener] = {}


def written(origin: str) -> Callable[[Listener], Listener]:
    """Registers who is told when a write of this kind of origin is in ERPNext. What it raises is
    kept as the write's failure `listener`, and it is told again: once is what it may count on of
    its own transaction, not of its side effects elsewhere.
    """
    return _into(_written, origin)


def failed(origin: str) -> Callable[[Listener], Listener]:
    """Registers who is told when a write waits for somebody, or was given up."""
    return _into(_failed, origin)


async def tell_written(hub: Hub, session: AsyncSession, write: OutboxWrite) -> None:
    await _tell(_written, hub, session, write)


async def tell_of_failure(hub: Hub, session: AsyncSession, write: OutboxWrite) -> None:
    """Who fails over that holds up nothing: the write tells by itself what is the matter."""
    kind, key = write.origin_kind, write.key
    try:
        await _tell(_failed, hub, session, write)
    except Exception:
        log.exception("Who hears of the writes of %s failed over %s", kind, key)


def _into(registry: dict[str, Listener], origin: str) -> Callable[[Listener], Listener]:
    def register(listener: Listener) -> Listener:
        if origin in registry:
            raise ValueError(f"Somebody hears of the writes of {origin} already.")
        registry[origin] = listener
        return listener

    return register


async def _tell(
    registry: dict[str, Listener], hub: Hub, session: AsyncSession, write: OutboxWrite
) -> None:
    """In a savepoint: what a listener began before it failed is undone, and nothing else."""
    if (listener := registry.get(write.origin_kind)) is not None:
        async with session.begin_nested():
            await listener(hub, session, write)
