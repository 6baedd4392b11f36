"""What became of writes, recorded in one transaction with how their requests ended and with what
the rooms that put them make of it.
"""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.connections import circuit
from bascule.connections.circuit import pause
from bascule.frappe import FrappeError
from bascule.outbox.failures import SendFailure, failure_of
from bascule.outbox.listeners import tell_of_failure, tell_written
from bascule.outbox.sending.create import adopt_alone
from bascule.outbox.sending.redaction import as_kept
from bascule.outbox.sending.work import Done, Sending, locked
from bascule.outbox.tables import OutboxWrite
from bascule.store.failures import FAULT
from bascule.telemetry import count

log = logging.getLogger(__name__)
LONGEST = 8  # attempts after which the pause between two grows no more


async def record_written(work: Sending, done: Sequence[Done]) -> None:
    """Those that were given to somebody else meanwhile are left alone."""
    async with work.hub.db.session() as session:
        await work.write_ends(session)
        rows = await locked(session, [one.write for one in done])
        for one in done:
            row = rows.get(one.write.id)
            if row is None:
                log.warning("The write %s was somebody else's when it was done.", one.write.id)
            elif await _is_its_own(session, row, one):
                _note(row, one)
        await session.flush()
        for row in rows.values():
            if row.state == "written":
                await _tell(work, session, row)
        await circuit.succeeded(session, work.connection.id)
    count("outbox_writes", len(done), outcome="written")


def _note(row: OutboxWrite, one: Done) -> None:
    stored = one.stored or {}
    row.state, row.name = "written", one.name
    row.document_modified = str(stored.get("modified") or "") or None
    row.document_creation = str(stored.get("creation") or "") or row.document_creation
    row.docstatus = int(stored.get("docstatus") or 0) if one.stored is not None else None
    row.not_kept, row.answer = one.not_kept, as_kept(one.answer)
    row.written_at = datetime.now(UTC)
    row.begun_at = row.retry_at = row.failure = row.why = row.next_step = None
    row.wrong = {}


async def _is_its_own(session: AsyncSession, row: OutboxWrite, one: Done) -> bool:
    """Of documents told by what was sent. One that is another write's is looked for again."""
    told_by_values = row.operation == "create" and not row.sent_key_field
    if not told_by_values or await adopt_alone(session, row, str(one.name)):
        return True
    row.state = "in_doubt"
    return False


async def _tell(work: Sending, session: AsyncSession, row: OutboxWrite) -> None:
    try:
        await tell_written(work.hub, session, row)
    except Exception as error:
        await session.refresh(row)
        log.exception("Who hears of the writes of %s failed over %s", row.origin_kind, row.key)
        row.state, row.failure, row.written_at = "in_doubt", "listener", None
        row.why = f"ERPNext has it; {type(error).__name__} in the hub, at {row.origin_kind}"
        row.next_step = f"{FAULT} It tries again by itself."
        row.attempts += 1
        row.retry_at = datetime.now(UTC) + pause(min(row.attempts, LONGEST))


async def record_failure(
    work: Sending, writes: Sequence[OutboxWrite], error: FrappeError
) -> SendFailure:
    """At the writes, and at the circuit where nobody gets through to the site."""
    failure = failure_of(error)
    async with work.hub.db.session() as session:
        await work.write_ends(session)
        if failure.site is not None:
            until = await circuit.failed(session, work.connection, failure.site)
        else:
            until = None
            await circuit.succeeded(session, work.connection.id)
        rows = await locked(session, writes)
        for write in writes:
            if (row := rows.get(write.id)) is not None:
                row.begun_at, row.sent_key_field = write.begun_at, write.sent_key_field
                _note_failure(row, failure, until)
        await session.flush()
        for row in rows.values():
            if row.state == "failed":
                await tell_of_failure(work.hub, session, row)
    count("outbox_writes", len(writes), outcome=failure.kind)
    return failure


def _note_failure(row: OutboxWrite, failure: SendFailure, until: datetime | None) -> None:
    row.failure, row.why, row.next_step = failure.kind, failure.why, failure.next_step
    row.wrong = dict(failure.wrong)
    if failure.again:
        waited = datetime.now(UTC) + pause(min(row.attempts, LONGEST), failure.retry_after)
        row.state = "in_doubt" if row.begun_at is not None else "waiting"
        row.retry_at = until or waited
        return
    row.state, row.retry_at = "failed", None
    if failure.kind != "unknown":
        row.begun_at = None


async def record_refused_batch(work: Sending, writes: Sequence[OutboxWrite]) -> None:
    """None of them was made: they go on in smaller batches."""
    async with work.hub.db.session() as session:
        await work.write_ends(session)
        await session.execute(
            update(OutboxWrite)
            .where(OutboxWrite.id.in_(list(await locked(session, writes))))
            .values(state="waiting", begun_at=None)
        )
