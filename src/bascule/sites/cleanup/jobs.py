"""The connections' background work: what deleted ones have left on their sites."""

from bascule.hub import Hub
from bascule.jobs import Work, every
from bascule.sites.cleanup.cleanups import try_due


@every("* * * * *", "connections.clean_sites_up", Work.HOUSEKEEPING)
async def clean_sites_up(hub: Hub) -> None:
    await try_due(hub)
