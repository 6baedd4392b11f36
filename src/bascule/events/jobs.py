"""Deletes live events that are older than an hour."""

from bascule.events import live
from bascule.hub import Hub
from bascule.jobs import Work, every


@every("*/10 * * * *", "events.forget_old_events", Work.HOUSEKEEPING)
async def forget_old_events(hub: Hub) -> None:
    async with hub.db.connection() as conn:
        await live.forget_old(conn)
