"""The inbox's background work: dispatching what arrived, trying again, forgetting."""

from uuid import UUID

from bascule.hub import Hub
from bascule.inbox.dispatch import dispatch_due
from bascule.inbox.ingest import queue_dispatch
from bascule.jobs import Work, every, task

KEPT_DAYS = 30
MOST_KEPT = 20_000  # deliveries of one connection that are done with


@task("inbox.work", Work.PEOPLE)
async def dispatch(hub: Hub, connection_id: str) -> None:
    await dispatch_due(hub, UUID(connection_id))


@every("* * * * * */10", "inbox.try_again")
async def try_again(hub: Hub) -> None:
    """What failed and is due, and what a job left that was cut off."""
    async with hub.db.connection() as conn:
        found = await conn.execute(
            "SELECT DISTINCT connection_id FROM bascule.deliveries"
            " WHERE state = 'kept' AND next_try_at <= now()"
        )
        due = await found.fetchall()
    for (connection_id,) in due:
        await queue_dispatch(hub, connection_id)


@every("20 * * * *", "inbox.forget_old_deliveries", Work.HOUSEKEEPING)
async def forget_old_deliveries(hub: Hub) -> None:
    """Those that are still to be dispatched stay, however old they are."""
    async with hub.db.connection() as conn:
        await conn.execute(
            """
            DELETE FROM bascule.deliveries d USING (
                SELECT id, row_number() OVER (PARTITION BY connection_id ORDER BY id DESC) AS place
                  FROM bascule.deliveries WHERE state <> 'kept') AS o
             WHERE o.id = d.id
               AND (o.place > %s OR d.received_at < now() - make_interval(days => %s))
            """,
            [MOST_KEPT, KEPT_DAYS],
        )
