"""What a run said: the newest lines that one looks for, and all of them."""

from collections.abc import AsyncIterator

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.hub import Hub
from bascule.mirror.answers import LogLine
from bascule.mirror.runs import logs_of
from bascule.mirror.tables import RunLog

SHOWN = 500
AT_LEAST = {"info": ("info", "warning", "error"), "warning": ("warning", "error")}


async def newest_lines(
    session: AsyncSession, run_id: int, *, level: str = "info", words: str = ""
) -> list[LogLine]:
    """Oldest first; `level`: this and what is worse. `words` are found in any case of letters."""
    query = select(RunLog).where(
        RunLog.run_id == run_id, RunLog.level.in_(AT_LEAST.get(level, (level,)))
    )
    if wanted := words.replace("\0", "").strip():
        query = query.where(RunLog.message.icontains(wanted, autoescape=True))
    found = await session.scalars(query.order_by(RunLog.id.desc()).limit(SHOWN))
    return [LogLine.model_validate(line) for line in reversed(found.all())]


async def count_lines(session: AsyncSession, run_id: int) -> int:
    query = select(func.count()).select_from(RunLog).where(RunLog.run_id == run_id)
    return await session.scalar(query) or 0


async def all_lines(hub: Hub, run_id: int) -> AsyncIterator[LogLine]:
    """Some at a time, however many there are."""
    after = 0
    while True:
        async with hub.db.session() as session:
            lines = [LogLine.model_validate(one) for one in await logs_of(session, run_id, after)]
        for line in lines:
            yield line
        if not lines:
            return
        after = lines[-1].id
