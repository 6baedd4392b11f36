"""Forgets ways in that are closed."""

from bascule.accounts.bearer import forget_old_families
from bascule.accounts.devices import forget_old_devices
from bascule.accounts.half_sign_in import forget_old_halves
from bascule.accounts.sessions import forget_old_sessions
from bascule.accounts.signing import forget_old_keys
from bascule.accounts.signing_in import forget_old_links
from bascule.accounts.throttle import forget_old_attempts
from bascule.hub import Hub
from bascule.jobs import Work, every


@every("20 * * * *", Work.HOUSEKEEPING)
async def forget_old_ways_in(hub: Hub) -> None:
    async with hub.db.session() as session:
        await forget_old_sessions(session)
        await forget_old_families(session)
        await forget_old_keys(session)
        await forget_old_devices(session)
        await forget_old_halves(session)
        await forget_old_links(session)
        await forget_old_attempts(session)
