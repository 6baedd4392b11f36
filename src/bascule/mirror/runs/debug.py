"""Runs of which somebody wants to see the SQL that the site ran: it comes into their log."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from bascule.frappe.executed_sql import ExecutedSQL, collect_sql
from bascule.hub import Hub
from bascule.mirror.tables import Run, RunLog

MOST = 1_000  # statements of a run
LONGEST = 4_000  # characters of one


@asynccontextmanager
async def debugged(hub: Hub, run: Run) -> AsyncIterator[None]:
    """The block is the run's work. The statements are written when it ends, however it does."""
    if not run.debug:
        yield
        return
    told: list[RunLog] = []

    def tell(one: ExecutedSQL) -> None:
        if len(told) < MOST:
            now = datetime.now(UTC)
            told.append(RunLog(run_id=run.id, level="info", message=_line(one), at=now))

    try:
        with collect_sql(tell):
            yield
    finally:
        async with hub.db.session() as session:
            session.add_all(told)


def _line(one: ExecutedSQL) -> str:
    took = "" if one.seconds is None else f" in {one.seconds:.2f} s"
    sql = one.sql if len(one.sql) <= LONGEST else f"{one.sql[:LONGEST]}..."
    return f"The site ran{took}: {sql}"
