"""What could not be synced because nobody got through to its site: tried again, and gone on with.

Level by level and not by events, so that it holds whoever got through (a run, a send, a test by a
person), and whenever a worker was killed: a site whose time is over is tried by one run; of a site
that is not left alone any more, all is started that failed of it.
"""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.connections import circuit
from bascule.connections.resting import at_rest
from bascule.connections.tables import Circuit, Connection
from bascule.hub import Hub
from bascule.mirror.runs.start import start_runs_in
from bascule.mirror.tables import Run, Stream

TRIGGER = "schedule"


async def resume(hub: Hub) -> None:
    """Queues what may be asked again."""
    async with hub.db.session() as session:
        mended = [connection.id for connection in await circuit.mended(session)]
        over = or_(Circuit.open_until <= datetime.now(UTC), Circuit.connection_id.in_(mended))
        to_try = select(Circuit).where(Circuit.connection_id == Connection.id, over).exists()
        for connection, names in await _held_up(session, to_try):
            await start_runs_in(hub, session, connection, names=names[:1], trigger=TRIGGER)
        for connection, names in await _held_up(session, ~circuit.is_shut()):
            await start_runs_in(hub, session, connection, names=names, trigger=TRIGGER)


async def go_on(hub: Hub, connection: Connection) -> list[int]:
    """The site has just let somebody in: what failed is started at once, for whatever reason it
    did, and is not told as failed meanwhile where the reason was the site. The runs' ids.
    """
    async with hub.db.session() as session:
        its = (Stream.connection_id == connection.id, Stream.enabled)
        failed = select(Stream.doctype).where(*its, Stream.last_error.is_not(None))
        names = (await session.scalars(failed.order_by(Stream.id))).all()
        if not names:
            return []
        gone: dict[str, Any] = {"last_error": None, "last_error_step": None, "trouble": {}}
        of_site = Stream.trouble["kind"].astext == "site"
        await session.execute(update(Stream).where(*its, of_site).values(**gone))
        return await start_runs_in(hub, session, connection, names=names, trigger=TRIGGER)


async def _held_up(
    session: AsyncSession, which: ColumnElement[bool]
) -> list[tuple[Connection, list[str]]]:
    """Connections none of whose streams has a run, with the DocTypes that failed of the site."""
    query = (
        select(Connection, Stream.doctype)
        .join(Stream, Stream.connection_id == Connection.id)
        .where(
            which,
            ~at_rest(),
            Stream.enabled,
            Stream.trouble["kind"].astext == "site",
            ~select(Run)
            .where(Run.connection_id == Connection.id, Run.outcome.in_(("queued", "running")))
            .exists(),
        )
        .order_by(Stream.id)
    )
    found: dict[Connection, list[str]] = {}
    for connection, doctype in (await session.execute(query)).all():
        found.setdefault(connection, []).append(doctype)
    return list(found.items())
