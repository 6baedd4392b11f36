"""Deletes entries of the audit log that are older than 400 days."""

from bascule.audit import entries
from bascule.hub import Hub
from bascule.jobs import Work, every


@every("15 4 * * *", "events.forget_old_journal", Work.HOUSEKEEPING)
async def forget_old_entries(hub: Hub) -> None:
    async with hub.db.connection() as conn:
        await entries.forget_old(conn)
