"""Background work of a site's webhooks."""

from bascule.hub import Hub
from bascule.inbox.frappe.site.monitor import check_all
from bascule.jobs import Work, every


@every("7-59/15 * * * *", "inbox.ask_the_sites", Work.HOUSEKEEPING)
async def check_webhooks_of_all_sites(hub: Hub) -> None:
    """Whether they are still as they should be."""
    await check_all(hub)
