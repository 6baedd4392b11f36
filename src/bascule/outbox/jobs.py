"""The outbox's background work: sending, coming round, forgetting."""

from typing import Any
from uuid import UUID

from psycopg import AsyncConnection

from bascule.hub import Hub
from bascule.jobs import Work, every, task
from bascule.outbox.lanes import SEND, start_due
from bascule.outbox.sending.send import send_lane
from bascule.store.identity import after_restore

KEPT_DAYS = 90  # attempts of what is over; the writes themselves stay, for their keys


@task(SEND, Work.PEOPLE)
async def send(hub: Hub, connection_id: str, lane: int) -> None:
    await send_lane(hub, UUID(connection_id), lane)


@every("* * * * * */2", "outbox.send_due")
async def send_what_is_due(hub: Hub) -> None:
    """What waited for its time or its site, and what a worker left that was killed."""
    await start_due(hub)


@every("55 4 * * *", "outbox.forget_attempts", Work.HOUSEKEEPING)
async def forget_old_attempts(hub: Hub) -> None:
    async with hub.db.connection() as conn:
        await conn.execute(
            "DELETE FROM bascule.outbox_attempts a USING bascule.outbox_writes w"
            " WHERE w.id = a.write_id AND w.state IN ('written', 'given_up')"
            " AND a.at < now() - make_interval(days => %s)",
            [KEPT_DAYS],
        )


@after_restore
async def look_before_anything_is_sent(conn: AsyncConnection[Any]) -> None:
    """What waited may have been written since the backup."""
    await conn.execute(
        "UPDATE bascule.outbox_writes SET state = 'in_doubt',"
        " begun_at = coalesce(begun_at, created_at)"
        " WHERE state IN ('waiting', 'sending', 'in_doubt')"
    )
