"""What runs said: the newest lines that one looks for, and all of them."""

from collections.abc import AsyncIterator
from typing import Annotated, Literal, TypeVarTuple

from fastapi import Query
from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.connections.tables import Connection
from bascule.hub import Hub
from bascule.mirror.schemas import LogLine, SaidLine
from bascule.mirror.tables import Run, RunLog, Stream

Shape = TypeVarTuple("Shape")
SHOWN = 500
AT_ONCE = 1_000
MOST_RECENT = 2_000  # of a connection's runs, the newest: what they said is its log
AT_LEAST = {"info": ("info", "warning", "error"), "warning": ("warning", "error")}
Level = Annotated[Literal["info", "warning", "error"], Query(description="This and what is worse.")]
Words = Annotated[str, Query(max_length=200, description="Only lines that hold them, in any case.")]


async def newest_lines(
    session: AsyncSession, run_id: int, *, level: str = "info", words: str = ""
) -> list[LogLine]:
    """Oldest first; `level`: this and what is worse. `words` are found in any case of letters."""
    query = _fitting(select(RunLog).where(RunLog.run_id == run_id), level, words)
    found = await session.scalars(query.order_by(RunLog.id.desc()).limit(SHOWN))
    return [LogLine.model_validate(line) for line in reversed(found.all())]


async def newest_of_connection(
    session: AsyncSession,
    connection: Connection,
    *,
    level: str = "info",
    words: str = "",
    limit: int = SHOWN,
) -> list[SaidLine]:
    """The same of all its streams' latest runs."""
    query = _fitting(_of(connection), level, words)
    found = (await session.execute(query.order_by(RunLog.id.desc()).limit(limit))).all()
    return [_said(line, doctype) for line, doctype in reversed(found)]


def _of(connection: Connection) -> Select[RunLog, str]:
    """Lines, and the DocType each is about."""
    recent = (
        select(Run.id, Run.stream_id)
        .where(Run.connection_id == connection.id)
        .order_by(Run.id.desc())
        .limit(MOST_RECENT)
        .subquery()
    )
    return (
        select(RunLog, Stream.doctype)
        .join(recent, recent.c.id == RunLog.run_id)
        .join(Stream, Stream.id == recent.c.stream_id)
    )


def _said(line: RunLog, doctype: str) -> SaidLine:
    plain = LogLine.model_validate(line).model_dump()
    return SaidLine(**plain, run_id=line.run_id, doctype=doctype)


def _fitting(query: Select[*Shape], level: str, words: str) -> Select[*Shape]:
    query = query.where(RunLog.level.in_(AT_LEAST.get(level, (level,))))
    if wanted := words.replace("\0", "").strip():
        query = query.where(RunLog.message.icontains(wanted, autoescape=True))
    return query


async def count_lines(session: AsyncSession, run_id: int) -> int:
    query = select(func.count()).select_from(RunLog).where(RunLog.run_id == run_id)
    return await session.scalar(query) or 0


async def all_lines(hub: Hub, of: Run | Connection) -> AsyncIterator[SaidLine]:
    """Oldest first, some at a time, however many there are; of a connection those of its latest
    runs.
    """
    if isinstance(of, Connection):
        query = _of(of)
    else:
        stream = Stream.id == of.stream_id
        query = select(RunLog, Stream.doctype).join(Stream, stream).where(RunLog.run_id == of.id)
    after = 0
    while True:
        page = query.where(RunLog.id > after).order_by(RunLog.id).limit(AT_ONCE)
        async with hub.db.session() as session:
            found = (await session.execute(page)).all()
            lines = [_said(line, doctype) for line, doctype in found]
        for line in lines:
            yield line
        if len(lines) < AT_ONCE:
            return
        after = lines[-1].id
