"""The journal of what was said to sites and heard from them about records, without credentials.

A request is written down before it is made, so that one whose answer never came is known.
"""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import delete, exists, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from bascule.frappe import FrappeError, NotFound
from bascule.hub import Hub
from bascule.outbox.sending.redaction import as_kept
from bascule.sync.tables import Exchange

KEPT_DAYS = 90
WRITES = ("update", "create")


@dataclass
class ExchangeOutcome:
    """A request that was made. `answer` is set by who asks."""

    number: int
    answer: Any = None
    status: int | None = None
    error: str | None = None
    ms: float | None = None

    @property
    def is_over(self) -> bool:
        return self.error is not None or self.answer is not None or self.status is not None


@asynccontextmanager
async def record_attempt(
    hub: Hub, two_way_id: int, record_id: int | None, what: str, document: str, request: Any
) -> AsyncIterator[ExchangeOutcome]:
    """One request to a site, written down first. How it ended is `note_ends`', together with what
    came of it.
    """
    async with hub.db.session() as session:
        row = Exchange(
            two_way_id=two_way_id,
            record_id=record_id,
            direction="out",
            what=what,
            document=document[:300],
            request=as_kept(request),
        )
        session.add(row)
        await session.flush()
        said = ExchangeOutcome(row.id)
    started = time.perf_counter()
    try:
        yield said
    except FrappeError as raised:
        said.error, said.status = str(raised)[:1000], raised.status
        raise
    finally:
        said.ms = round((time.perf_counter() - started) * 1000, 1)


async def note_ends(session: AsyncSession, ended: list[ExchangeOutcome]) -> None:
    """How requests ended, in the transaction of what came of them."""
    for said in ended:
        if said.is_over:
            status = said.status if said.error is not None else said.status or 200
            await session.execute(
                update(Exchange)
                .where(Exchange.id == said.number)
                .values(
                    answer=as_kept(said.answer),
                    status=status,
                    error=said.error,
                    finished_at=Exchange.at + timedelta(milliseconds=said.ms or 0.0),
                    ms=said.ms,
                )
            )
    ended.clear()


def record_inbound(
    session: AsyncSession,
    two_way_id: int,
    record_id: int,
    what: str,
    document: str,
    answer: Any,
    *,
    took: timedelta,
) -> None:
    """What a site had that was new to us, in the caller's transaction. `took`: from asking it to
    having taken it.
    """
    session.add(
        Exchange(
            two_way_id=two_way_id,
            record_id=record_id,
            direction="in",
            what=what,
            document=document[:300],
            answer=as_kept(answer),
            finished_at=datetime.now(UTC),
            ms=round(took.total_seconds() * 1000, 1),
        )
    )


@asynccontextmanager
async def record_read(
    hub: Hub, two_way_id: int, record_id: int, document: str
) -> AsyncIterator[None]:
    """Records a read of documents that brings none; `record_inbound` records what was new."""
    started = time.perf_counter()
    try:
        yield
    except NotFound:  # an answer, and followed
        raise
    except FrappeError as raised:
        ms = round((time.perf_counter() - started) * 1000, 1)
        async with hub.db.session() as session:
            session.add(
                Exchange(
                    two_way_id=two_way_id,
                    record_id=record_id,
                    direction="out",
                    what="read",
                    document=document[:300],
                    status=raised.status,
                    error=str(raised)[:1000],
                    finished_at=datetime.now(UTC),
                    ms=ms,
                )
            )
        raise


async def unconfirmed(session: AsyncSession, record_id: int) -> list[dict[str, Any]]:
    """What a site was sent about each document of a record since its last answer to a write of it:
    it may have been taken, or not. As it was sent.
    """
    later = aliased(Exchange)
    heard_later = exists().where(
        later.record_id == record_id,
        later.document == Exchange.document,
        later.id > Exchange.id,
        later.what.in_(WRITES),
        later.status.between(200, 299),
    )
    query = (
        select(Exchange.request)
        .where(
            Exchange.record_id == record_id,
            Exchange.direction == "out",
            Exchange.what.in_(WRITES),
            or_(Exchange.status.is_(None), Exchange.status >= 500),
            ~heard_later,
        )
        .order_by(Exchange.id.desc())
        .limit(20)
    )
    return [one for one in (await session.scalars(query)).all() if isinstance(one, dict)]


async def attempts_of(
    session: AsyncSession, record_id: int, *, before: int | None = None, limit: int = 50
) -> list[Exchange]:
    """Newest first."""
    query = select(Exchange).where(Exchange.record_id == record_id)
    if before is not None:
        query = query.where(Exchange.id < before)
    return list((await session.scalars(query.order_by(Exchange.id.desc()).limit(limit))).all())


async def forget_old(session: AsyncSession) -> None:
    old = datetime.fromtimestamp(time.time() - KEPT_DAYS * 86_400, UTC)
    await session.execute(delete(Exchange).where(Exchange.at < old))
