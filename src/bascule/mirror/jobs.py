"""The mirror's background work: runs, and the clock that starts them."""

import logging
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy.exc import OperationalError

from bascule.connections.schedules import PROOFS, SYNCS, all_due, take_due
from bascule.connections.tables import Connection
from bascule.frappe.side_effects import affected_doctypes
from bascule.hub import Hub
from bascule.inbox.frappe import DocumentChange, subscribe
from bascule.jobs import Work, every, task
from bascule.mirror.pull.survey import survey
from bascule.mirror.runs.execution import carry_out
from bascule.mirror.runs.quiet import AT_ONCE, count_and_delete, forget_days
from bascule.mirror.runs.resume import resume
from bascule.mirror.runs.start import start_runs, start_runs_in
from bascule.mirror.streams.settings import streams_of

log = logging.getLogger(__name__)

# Runs and their logs are kept this long; the newest of each stream stays.
KEPT_DAYS = 30
RENAMED = "after_rename"
# Between two runs that webhooks start: what is told meanwhile is fetched by the later one.
PAUSE = timedelta(seconds=2)


@task("mirror.run", Work.RUNS)
async def run_stream(hub: Hub, run_id: int, connection_id: str | None = None) -> None:
    """`connection_id`: for the queue, which lets those of one connection hold few places."""
    await carry_out(hub, run_id)


@task("mirror.survey", Work.RUNS)
async def survey_streams(hub: Hub, connection_id: str, run_ids: list[int]) -> None:
    await survey(hub, UUID(connection_id), run_ids)


@every("* * * * *", "mirror.start_due")
async def start_due(hub: Hub) -> None:
    """Starts what is due: each connection's schedule moves on as its runs are queued, or not at
    all. So whatever ends this job in the middle, the rest is due still; and one connection that
    cannot be started keeps no other from it.
    """
    now = datetime.now(UTC)
    for table, kind in ((SYNCS, "sync"), (PROOFS, "repair")):
        async with hub.db.session() as session:
            numbers = await all_due(session, table, now)
        for number in numbers:
            try:
                async with hub.db.session() as session:
                    if connection := await take_due(session, table, number, now):
                        await start_runs_in(hub, session, connection, kind=kind, trigger="schedule")
            except OperationalError:  # the database is away, for the others too
                raise
            except Exception:
                log.exception("What is due of the connection %s could not be started.", number)


@every("* * * * * */5", "mirror.resume_what_was_held_up")
async def resume_what_was_held_up(hub: Hub) -> None:
    await resume(hub)


@subscribe("*", name="mirror.fetch_what_changed")
async def fetch_what_changed(
    hub: Hub, connection: Connection, documents: list[DocumentChange]
) -> None:
    """The site says that documents changed: their streams are pulled at once, and those of what
    ERPNext moves with them. A rename changes whatever links there, so all are.
    """
    async with hub.db.session() as session:
        streams = await streams_of(session, connection)
    mirrored = {stream.doctype for stream in streams if stream.enabled}
    told = {document.doctype for document in documents}
    names = sorted(mirrored & (told | affected_doctypes(told)))
    if any(document.event == RENAMED for document in documents):
        names = sorted(mirrored)
    if names:
        await start_runs(hub, connection, names=names, trigger="webhook", pause=PAUSE)


@every("30 4 * * *", "mirror.forget_old_runs", Work.HOUSEKEEPING)
async def forget_old_runs(hub: Hub) -> None:
    async with hub.db.connection() as conn:
        await conn.execute(
            """
            DELETE FROM bascule.runs r
             WHERE r.finished_at < now() - make_interval(days => %s)
               AND r.id < (SELECT max(n.id) FROM bascule.runs n WHERE n.stream_id = r.stream_id)
            """,
            [KEPT_DAYS],
        )
        await forget_days(conn, KEPT_DAYS)


@every("17 * * * *", "mirror.count_quiet_runs", Work.HOUSEKEEPING)
async def count_quiet_runs(hub: Hub) -> None:
    """Runs that changed nothing become counts; in batches, for other work to come between."""
    counted = AT_ONCE
    while counted == AT_ONCE:
        async with hub.db.connection() as conn:
            counted = await count_and_delete(conn)
