"""What of the outbox somebody may see, by what they ask for."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.accounts.tables import User
from bascule.connections.sharing import seen_by
from bascule.connections.tables import Connection
from bascule.errors import NoSuch
from bascule.hub import Hub
from bascule.outbox.decisions import retry
from bascule.outbox.tables import OutboxAttempt, OutboxWrite

State = Literal["waiting", "sending", "in_doubt", "written", "failed", "given_up"]
MOST_RETRIED = 1000


@dataclass(frozen=True)
class Wanted:
    """None: any. `connector`: a slug. `key`: a part of the key or of the document's name."""

    state: State | None = None
    connector: str | None = None
    doctype: str | None = None
    origin: str | None = None
    failure: str | None = None
    search: str | None = None

    def conditions(self) -> list[ColumnElement[bool]]:
        found = [
            column == value
            for column, value in (
                (OutboxWrite.state, self.state),
                (Connection.slug, self.connector),
                (OutboxWrite.doctype, self.doctype),
                (OutboxWrite.origin_kind, self.origin),
                (OutboxWrite.failure, self.failure),
            )
            if value
        ]
        if self.search:
            found.append(
                OutboxWrite.key.icontains(self.search, autoescape=True)
                | OutboxWrite.name.icontains(self.search, autoescape=True)
            )
        return found


class NoSuchWrite(NoSuch):
    def __init__(self) -> None:
        super().__init__(
            "There is no such write.",
            next_step="GET /api/outbox, or 'bascule outbox', lists the ones there are.",
        )


def _seen(viewer: User | None) -> Select[OutboxWrite, Connection]:
    return (
        select(OutboxWrite, Connection)
        .join(Connection, Connection.id == OutboxWrite.connection_id)
        .where(seen_by(viewer))
    )


async def list_writes(
    session: AsyncSession,
    viewer: User | None,
    wanted: Wanted,
    *,
    before: int | None = None,
    limit: int = 50,
) -> list[tuple[OutboxWrite, Connection]]:
    """Newest first."""
    query = _seen(viewer).where(*wanted.conditions())
    if before is not None:
        query = query.where(OutboxWrite.id < before)
    rows = (await session.execute(query.order_by(OutboxWrite.id.desc()).limit(limit))).all()
    return [(write, connection) for write, connection in rows]


async def counts(session: AsyncSession, viewer: User | None) -> dict[str, int]:
    """How many are in each state."""
    query = (
        select(OutboxWrite.state, func.count())
        .join(Connection, Connection.id == OutboxWrite.connection_id)
        .where(seen_by(viewer))
        .group_by(OutboxWrite.state)
    )
    return {state: int(many) for state, many in (await session.execute(query)).all()}


async def doctypes(session: AsyncSession, viewer: User | None) -> list[str]:
    """Those that writes are of, by name; at most 200."""
    query = (
        select(OutboxWrite.doctype)
        .join(Connection, Connection.id == OutboxWrite.connection_id)
        .where(seen_by(viewer))
        .distinct()
        .order_by(OutboxWrite.doctype)
    )
    return list(await session.scalars(query.limit(200)))


async def find_write(
    session: AsyncSession, viewer: User | None, number: int, *, lock: bool = False
) -> tuple[OutboxWrite, Connection]:
    query = _seen(viewer).where(OutboxWrite.id == number)
    if lock:
        query = query.with_for_update(of=OutboxWrite)
    row = (await session.execute(query)).first()
    if row is None:
        raise NoSuchWrite
    return row[0], row[1]


async def attempts_of(session: AsyncSession, number: int) -> list[OutboxAttempt]:
    """In order."""
    query = select(OutboxAttempt).where(OutboxAttempt.write_id == number)
    return list((await session.scalars(query.order_by(OutboxAttempt.id))).all())


async def writes_of_document(
    session: AsyncSession, connection: Connection, doctype: str, name: str
) -> Sequence[OutboxWrite]:
    """Of one document, newest first."""
    query = select(OutboxWrite).where(
        OutboxWrite.connection_id == connection.id,
        OutboxWrite.doctype == doctype,
        OutboxWrite.name == name,
    )
    return (await session.scalars(query.order_by(OutboxWrite.id.desc()).limit(50))).all()


async def retry_failed(hub: Hub, session: AsyncSession, viewer: User | None, wanted: Wanted) -> int:
    """All that failed, and what they ask for besides; how many. What depends on a write that was
    given up stays as it is.
    """
    query = (
        _seen(viewer)
        .where(*wanted.conditions(), OutboxWrite.state == "failed")
        .where(OutboxWrite.failure != "dependency")
        .order_by(OutboxWrite.id)
        .limit(MOST_RETRIED)
        .with_for_update(of=OutboxWrite, skip_locked=True)
    )
    found = (await session.execute(query)).all()
    for write, _ in found:
        await retry(hub, session, write)
    return len(found)
