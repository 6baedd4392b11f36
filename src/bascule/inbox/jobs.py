"""The inbox's background work: telling of what arrived, trying again, forgetting."""

from uuid import UUID

from bascule.hub import Hub
from bascule.inbox.dispatch import dispatch_due
from bascule.inbox.frappe.monitor import check_all
from bascule.inbox.ingest import queue_work
from bascule.jobs import Work, every, task

KEPT_DAYS = 30
MOST_KEPT = 20_000  # deliveries of one connection that are done with


@task("inbox.work", Work.PEOPLE)
async def work(hub: Hub, connection_id: str) -> None:
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
        await queue_work(hub, connection_id)


@every("7-59/15 * * * *", "inbox.ask_the_sites", Work.HOUSEKEEPING)
async def ask_the_sites(hub: Hub) -> None:
    """Whether their webhooks are still as they should be."""
    await check_all(hub)


@every("20 * * * *", "inbox.forget_old_deliveries", Work.HOUSEKEEPING)
async def forget_old_deliveries(hub: Hub) -> None:
    """Those that are still to be told stay, however old they are."""
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
