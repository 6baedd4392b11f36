"""What people decide about writes: to try again, to give up, to take back."""

from typing import Any

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.connections.tables import Connection
from bascule.errors import Conflict
from bascule.hub import Hub
from bascule.outbox.lanes import queue_lanes
from bascule.outbox.listeners import tell_of_failure
from bascule.outbox.tables import OutboxWrite
from bascule.outbox.writes import Write, put

ORPHANED = "Put one that does not depend on it, or give this up too."


async def retry(hub: Hub, session: AsyncSession, write: OutboxWrite) -> None:
    """At once, based on the document as it is now. `write`: of this session, locked."""
    if write.state in ("written", "given_up"):
        raise Conflict(
            f"This write is over: it is {write.state.replace('_', ' ')}.",
            next_step="Put another one, with a key of its own.",
        )
    if write.state == "sending":
        return
    if await _given_up(session, write):
        raise Conflict("What it depends on was given up.", next_step=ORPHANED)
    if write.failure == "changed_meanwhile":
        write.based_on = None
    if write.operation == "call":
        write.begun_at = None  # somebody looked whether it was made
    write.state = "in_doubt" if write.begun_at is not None else "waiting"
    write.retry_at = write.failure = write.why = write.next_step = None
    write.wrong = {}
    await session.flush()
    await queue_lanes(hub, session, write.connection_id, [write.lane])


async def give_up(hub: Hub, session: AsyncSession, write: OutboxWrite) -> None:
    """It is not sent any more, and what depends on it fails. What may have been made of it stays in
    ERPNext. Conflict while it is being sent, or is over. `write`: of this session, locked.
    """
    if write.state in ("sending", "written", "given_up"):
        told = "is being sent just now" if write.state == "sending" else "is over"
        raise Conflict(
            f"This write {told}.",
            next_step="Look again in a moment; what was written is taken back by an undo.",
        )
    write.state, write.retry_at = "given_up", None
    await session.flush()
    await tell_of_failure(hub, session, write)
    waiting = select(OutboxWrite).where(
        OutboxWrite.connection_id == write.connection_id,
        OutboxWrite.depends_on.contains([write.key]),
        OutboxWrite.state.in_(("waiting", "in_doubt")),
    )
    for other in await session.scalars(waiting.with_for_update()):
        other.state, other.failure, other.retry_at = "failed", "dependency", None
        other.why = f"What it depends on, '{write.key}', was given up."
        other.next_step = ORPHANED
        await session.flush()
        await tell_of_failure(hub, session, other)
    lanes = select(OutboxWrite.lane).where(
        OutboxWrite.connection_id == write.connection_id,
        OutboxWrite.origin_kind == write.origin_kind,
        OutboxWrite.origin_id == write.origin_id,
        OutboxWrite.state.in_(("waiting", "in_doubt")),
    )
    await queue_lanes(hub, session, write.connection_id, set(await session.scalars(lanes)))


async def undo(hub: Hub, session: AsyncSession, write: OutboxWrite, *, by: str = "") -> int:
    """The number of the write that takes this one back: a draft is deleted, what was submitted is
    cancelled, a change is put back to what was before. Only while nobody has saved the document
    since, but for a cancel. Conflict where there is nothing to take back, or no way.
    """
    connection = await session.get_one(Connection, write.connection_id)
    number = await put(
        hub,
        session,
        connection,
        _undoing(write),
        origin=(write.origin_kind, write.origin_id),
        by=by,
    )
    values: dict[str, Any] = {"undoes": write.id}
    if write.operation != "cancel":
        values["document_creation"] = write.document_creation
    await session.execute(update(OutboxWrite).where(OutboxWrite.id == number).values(values))
    return number


def _undoing(write: OutboxWrite) -> Write:
    if write.state != "written":
        raise Conflict(
            "It is not written, so there is nothing to take back.",
            next_step="Give it up, if it is no longer wanted.",
        )
    key, name = f"undo:{write.key}", write.name
    if write.operation == "submit" or (write.operation == "create" and write.docstatus == 1):
        return Write(write.doctype, key, "cancel", name, lock=write.lock_name)
    if write.operation == "create":
        modified = write.document_modified
        return Write(write.doctype, key, "delete", name, based_on=modified, lock=write.lock_name)
    if write.operation == "update" and write.before is not None:
        return Write(
            write.doctype,
            key,
            "update",
            name,
            write.before,
            based_on=write.document_modified,
            lock=write.lock_name,
        )
    raise Conflict(
        f"A {write.operation} cannot be taken back.",
        next_step="Put it right in ERPNext.",
    )


async def _given_up(session: AsyncSession, write: OutboxWrite) -> bool:
    query = select(OutboxWrite.id).where(
        OutboxWrite.connection_id == write.connection_id,
        OutboxWrite.key.in_(write.depends_on),
        OutboxWrite.state == "given_up",
    )
    return bool(write.depends_on) and await session.scalar(query.limit(1)) is not None
