"""One open `Site` for each connection in a process, so that all callers share its rate limiter.

A changed address or credential opens a new one; the old one closes when its last user is done.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from bascule.accounts.allowed_sites.allowlist import OUTSIDE, reach_of
from bascule.connections.resting import refuse_at_rest
from bascule.connections.tables import Connection
from bascule.frappe import Site
from bascule.hub import Hub
from bascule.reach import MayConnect


@dataclass
class Lease:
    """An open site, what it was opened with (secret still encrypted), and how many use it."""

    opened_with: tuple[object, ...]
    site: Site
    closing: AsyncExitStack
    users: int = 0
    outdated: bool = False


class SitePool:
    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.leases: dict[UUID, Lease] = {}
        self.opening = asyncio.Lock()

    @asynccontextmanager
    async def lease(self, connection: Connection) -> AsyncIterator[Site]:
        """AtRest where nothing may be asked of its site."""
        await refuse_at_rest(self.hub, connection)
        lease = await self._current(connection)
        lease.users += 1
        try:
            yield lease.site
        finally:
            lease.users -= 1
            await self._close_if_done(lease)

    async def forget(self, connection_id: UUID) -> None:
        """Drops the site of a connection that is gone or changed; running requests finish."""
        if lease := self.leases.pop(connection_id, None):
            lease.outdated = True
            await self._close_if_done(lease)

    async def aclose(self) -> None:
        leases, self.leases = list(self.leases.values()), {}
        for lease in leases:
            await lease.closing.aclose()

    async def _current(self, connection: Connection) -> Lease:
        reach = await reach_of(self.hub, connection.api_url)
        wanted = (
            reach is OUTSIDE,
            connection.api_url,
            connection.api_key_encrypted,
            connection.api_secret_encrypted,
            connection.allow_http,
            connection.ca_bundle,
            connection.max_concurrency,
        )
        async with self.opening:
            lease = self.leases.get(connection.id)
            if lease is None or lease.opened_with != wanted:
                await self.forget(connection.id)
                closing = AsyncExitStack()
                site = await closing.enter_async_context(unpooled_site(self.hub, connection, reach))
                lease = self.leases[connection.id] = Lease(wanted, site, closing)
            return lease

    @staticmethod
    async def _close_if_done(lease: Lease) -> None:
        if lease.outdated and lease.users == 0:
            await lease.closing.aclose()


def pool_of(hub: Hub) -> SitePool:
    """The hub's one pool, closed with it."""
    pool: SitePool | None = hub.shared.get(SitePool)
    if pool is None:
        pool = hub.shared[SitePool] = SitePool(hub)
        hub.closing.push_async_callback(pool.aclose)
    return pool


def unpooled_site(hub: Hub, connection: Connection, reach: MayConnect) -> Site:
    """A site of its own, for a connection that is not saved yet. The caller closes it."""
    ca_bundle = connection.ca_bundle or hub.settings.ca_bundle
    return Site(
        connection.api_url,
        hub.vault.decrypt(connection.api_key_encrypted),
        hub.vault.decrypt(connection.api_secret_encrypted),
        allow_http=bool(connection.allow_http) or hub.settings.allow_http,
        ca_bundle=Path(ca_bundle) if ca_bundle else None,
        max_concurrency=connection.max_concurrency,
        may_connect=reach,
        versions=connection.versions,
    )


@asynccontextmanager
async def open_site(hub: Hub, connection: Connection) -> AsyncIterator[Site]:
    """The connection's site, shared by all in this process who speak to it: one limit for all."""
    async with pool_of(hub).lease(connection) as site:
        yield site
