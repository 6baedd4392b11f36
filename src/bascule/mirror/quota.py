"""Room for what is pulled: the quota of a connection, and the disk of the database.

Looked at where rows are written, so a sync in which nothing changed needs none. What has been
committed before stays.
"""

import shutil
import time
from dataclasses import dataclass, field
from uuid import UUID

from psycopg import AsyncConnection

from bascule.connections.tables import Connection
from bascule.errors import HubError
from bascule.hub import Hub
from bascule.settings import Settings

EVERY = 2.0  # seconds between two looks at one mirror, or at the disk
_SIZE = """
    SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = %s AND c.relkind = 'r'
"""


class QuotaReached(HubError):
    """Only a person can help."""


class DiskNearlyFull(HubError):
    """The run waits, and goes on by itself."""


@dataclass(slots=True)
class RoomLeft:
    """One for a process; see `room_of`."""

    settings: Settings
    _looked: dict[UUID | None, float] = field(default_factory=dict)

    async def refuse_without(self, conn: AsyncConnection, connection: Connection) -> None:
        """QuotaReached; DiskNearlyFull. `conn` may be in the transaction that writes."""
        if self._is_due(None) and (full := disk_nearly_full(self.settings)):
            self._looked.clear()  # the next one looks again
            raise full
        most = self.settings.mirror_megabytes * 1_000_000
        if not most or not self._is_due(connection.id):
            return
        row = await (await conn.execute(_SIZE, [connection.slug])).fetchone()
        size = int(row[0]) if row else 0
        if size > most:
            del self._looked[connection.id]
            raise QuotaReached(
                f"The mirror of {connection.name} has {size / 1e6:,.0f} MB, and may have "
                f"{most / 1e6:,.0f}. What is new on the site is not fetched.",
                next_step="Fetch less: a shorter look-back, a filter, fields or DocTypes left out. "
                "Or let whoever runs the hub raise BASCULE_MIRROR_MEGABYTES.",
            )

    def _is_due(self, what: UUID | None) -> bool:
        now = time.monotonic()
        if now - self._looked.get(what, float("-inf")) < EVERY:
            return False
        self._looked[what] = now
        return True


def room_of(hub: Hub) -> RoomLeft:
    room: RoomLeft = hub.shared.setdefault(RoomLeft, RoomLeft(hub.settings))
    return room


def disk_nearly_full(settings: Settings) -> DiskNearlyFull | None:
    """Only the embedded server's disk is the hub's to look at."""
    if settings.database_url is not None or not settings.least_free_percent:
        return None
    disk = shutil.disk_usage(settings.data_dir)
    percent = 100 * disk.free / disk.total
    if percent >= settings.least_free_percent:
        return None
    return DiskNearlyFull(
        f"{percent:.1f} % of the database's disk are free ({disk.free / 1e9:,.1f} GB); below "
        f"{settings.least_free_percent:g} % nothing is pulled.",
        next_step="Free some space on the disk of the data folder, or move the folder to another; "
        "pulls go on by themselves within minutes.",
    )
