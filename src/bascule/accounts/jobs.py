"""Forgets ways in that are closed."""

from typing import Any

from psycopg import AsyncConnection

from bascule.accounts.known_devices import forget_old_devices
from bascule.accounts.sessions import forget_old_sessions
from bascule.accounts.sign_in.bearer_tokens import forget_old_families
from bascule.accounts.sign_in.challenges import forget_old_challenges
from bascule.accounts.sign_in.half_sign_in import forget_old_halves
from bascule.accounts.sign_in.password_sign_in import forget_old_links
from bascule.accounts.signing import forget_old_keys
from bascule.accounts.throttle import forget_old_attempts
from bascule.hub import Hub
from bascule.jobs import Work, every
from bascule.store.identity import after_restore


@every("20 * * * *", "accounts.forget_old_ways_in", Work.HOUSEKEEPING)
async def forget_old_ways_in(hub: Hub) -> None:
    async with hub.db.session() as session:
        await forget_old_sessions(session)
        await forget_old_families(session)
        await forget_old_keys(session)
        await forget_old_devices(session)
        await forget_old_halves(session)
        await forget_old_links(session)
        await forget_old_challenges(session)
        await forget_old_attempts(session)


@after_restore
async def end_ways_in(conn: AsyncConnection[Any]) -> None:
    """Those that were ended since the backup must not open again, and nobody knows which. API
    tokens stay, as programs depend on them: docs/backup.md says to look through them.
    """
    for table in (
        "sessions",
        "refresh_families",
        "half_sign_ins",
        "challenges",
        "one_time_links",
        "signing_keys",
    ):
        await conn.execute(f"DELETE FROM bascule.{table}".encode())
