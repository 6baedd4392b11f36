"""The endpoints of ERPNext's webhooks, as the receiver compares signatures with them."""

from bascule.hub import Hub
from bascule.inbox.endpoints import Endpoint, Endpoints, open_secrets


class SiteEndpoints(Endpoints):
    """Of all sites. Those of a connection at rest (`connections.resting`) count for nothing."""

    def __init__(self, hub: Hub) -> None:
        super().__init__(self._read_endpoints)
        self._hub = hub

    async def _read_endpoints(self) -> list[Endpoint]:
        async with self._hub.db.connection() as conn:
            found = await conn.execute(
                "SELECT connection_id, token, secret_encrypted,"
                " CASE WHEN previous_until > now() THEN previous_encrypted END"
                " FROM bascule.webhook_ends w WHERE NOT EXISTS ("
                "SELECT FROM bascule.connections c JOIN bascule.users u ON u.id = c.owner_id"
                " WHERE c.id = w.connection_id AND NOT c.shared AND NOT u.active)"
            )
            rows = await found.fetchall()
        return [
            Endpoint(connection_id, token, open_secrets(self._hub, connection_id, *sealed))
            for connection_id, token, *sealed in rows
        ]


def endpoints_of(hub: Hub) -> SiteEndpoints:
    endpoints: SiteEndpoints | None = hub.shared.get(SiteEndpoints)
    if endpoints is None:
        endpoints = hub.shared[SiteEndpoints] = SiteEndpoints(hub)
    return endpoints
