"""Forgets what happened long ago."""

from bascule.events import journal, live
from bascule.hub import Hub
from bascule.jobs import Work, every


@every("*/10 * * * *", Work.HOUSEKEEPING)
async def forget_old_events(hub: Hub) -> None:
    async with hub.db.connection() as conn:
        await live.forget_old(conn)


@every("15 4 * * *", Work.HOUSEKEEPING)
async def forget_old_journal(hub: Hub) -> None:
    async with hub.db.connection() as conn:
        await journal.forget_old(conn)
