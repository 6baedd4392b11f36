"""What sending one write, or a batch of them, needs; and how each request is written down: before
it is made, and how it ended together with what came of it.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.connections.tables import Connection
from bascule.frappe import ChangedMeanwhile, FrappeError, NotFound, Site
from bascule.hub import Hub
from bascule.outbox.sending.in_doubt import certainly_not_done
from bascule.outbox.sending.redaction import as_kept
from bascule.outbox.tables import UNFINISHED, OutboxAttempt, OutboxWrite


class TakenOver(Exception):
    """The write was given up, or somebody else sends it: whoever finds out lets it be."""


@dataclass
class Attempt:
    """A request that was made. `number`: of its row, by the write's number."""

    numbers: dict[int, int]
    answers: dict[int, Any] = field(default_factory=dict)
    status: int | None = None
    error: str | None = None


@dataclass
class Done:
    """What a write came to. `stored`: the document, as far as it was read; None: it is gone, or
    there is none.
    """

    write: OutboxWrite
    name: str | None
    stored: dict[str, Any] | None = None
    not_kept: dict[str, Any] | None = None
    answer: Any = None


@dataclass
class Sending:
    """One job's work at the writes of a lane. They are as they were when they were picked; what is
    recorded is recorded at rows that are read again.
    """

    hub: Hub
    site: Site
    connection: Connection
    ended: list[Attempt] = field(default_factory=list)  # whose end is not written down

    @asynccontextmanager
    async def request(
        self, writes: Sequence[OutboxWrite], what: str, requests: Sequence[Any], **intent: Any
    ) -> AsyncIterator[Attempt]:
        """A request that changes documents. `intent`: columns that are written with it. TakenOver
        where one of them may not be sent any more. One that was certainly not carried out leaves
        nothing in doubt.
        """
        attempt = await self._begin(writes, what, requests, intent)
        self.ended.append(attempt)
        try:
            yield attempt
        except FrappeError as raised:
            attempt.error, attempt.status = str(raised)[:1000], raised.status
            if certainly_not_done(raised) or isinstance(raised, ChangedMeanwhile | NotFound):
                for write in writes:
                    write.begun_at = None
            raise
        attempt.status = 200

    async def _begin(
        self,
        writes: Sequence[OutboxWrite],
        what: str,
        requests: Sequence[Any],
        intent: dict[str, Any],
    ) -> Attempt:
        now = datetime.now(UTC)
        async with self.hub.db.session() as session:
            await self.write_ends(session)
            rows = await locked(session, writes)
            if len(rows) < len(writes):
                raise TakenOver
            for write in writes:
                for name, value in (
                    ("state", "sending"),
                    ("attempts", write.attempts + 1),
                    ("begun_at", now),
                    *intent.items(),
                ):
                    setattr(write, name, value)
                    setattr(rows[write.id], name, value)
            made = await session.scalars(
                insert(OutboxAttempt).returning(OutboxAttempt, sort_by_parameter_order=True),
                [
                    {"write_id": write.id, "what": what, "request": as_kept(request)}
                    for write, request in zip(writes, requests, strict=True)
                ],
            )
            return Attempt({one.write_id: one.id for one in made})

    async def write_ends(self, session: AsyncSession) -> None:
        """How requests ended, in the transaction of what came of them."""
        now = datetime.now(UTC)
        rows = [
            {
                "id": number,
                "answer": as_kept(attempt.answers.get(write_id)),
                "status": attempt.status,
                "error": attempt.error,
                "finished_at": now,
            }
            for attempt in self.ended
            for write_id, number in attempt.numbers.items()
        ]
        self.ended.clear()
        if rows:
            await session.execute(update(OutboxAttempt), rows)


async def locked(session: AsyncSession, writes: Sequence[OutboxWrite]) -> dict[int, OutboxWrite]:
    """Their rows, locked, of those that are still ours to send; by number."""
    known = {write.id: write.attempts for write in writes}
    query = (
        select(OutboxWrite)
        .where(OutboxWrite.id.in_(known), OutboxWrite.state.in_(UNFINISHED))
        .order_by(OutboxWrite.id)
        .with_for_update()
    )
    found = (await session.scalars(query)).all()
    return {row.id: row for row in found if row.attempts == known[row.id]}
