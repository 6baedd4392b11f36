"""Runs worked off here and watched until they are done.

What is shown is what the runs' rows say, so a run that another worker took is shown all the same.
"""

import asyncio

from sqlalchemy import select

from bascule.cli.exit_codes import Exit, Refused
from bascule.cli.runs.display import Seen, display
from bascule.cli.serve import working
from bascule.connections.tables import Connection
from bascule.hub import Hub
from bascule.mirror.schemas import RunAnswer
from bascule.mirror.tables import Run, Stream

LOOK = 0.25  # seconds between two looks at the runs


class Runs:
    """These runs as they stand. Most of many stand still between two looks, so only those are read
    of which PostgreSQL has another version now.
    """

    def __init__(self, hub: Hub, run_ids: list[int]) -> None:
        self._hub = hub
        self._run_ids = run_ids
        self._versions: dict[int, str] = {}
        self._seen: dict[int, Seen] = {}

    async def look(self) -> list[Seen]:
        """All that are there, by connection."""
        query = "SELECT id, xmin::text FROM bascule.runs WHERE id = ANY(%s)"
        async with self._hub.db.connection() as conn:
            found = await conn.execute(query, [self._run_ids])
            versions: dict[int, str] = dict(await found.fetchall())
        moved = [one for one in versions if versions[one] != self._versions.get(one)]
        self._versions = versions
        self._seen |= {one.run.id: one for one in await _read(self._hub, moved)}
        there = [one for run_id, one in self._seen.items() if run_id in versions]
        return sorted(there, key=lambda one: (one.connection, one.run.id))


async def _read(hub: Hub, run_ids: list[int]) -> list[Seen]:
    if not run_ids:
        return []
    query = (
        select(Run, Stream.doctype, Connection.slug)
        .join(Stream, Stream.id == Run.stream_id)
        .join(Connection, Connection.id == Run.connection_id)
        .where(Run.id.in_(run_ids))
    )
    async with hub.db.session() as session:
        found = (await session.execute(query)).all()
        return [
            Seen(
                slug, doctype, RunAnswer.model_validate(run).model_copy(update={"doctype": doctype})
            )
            for run, doctype, slug in found
        ]


async def work_off(hub: Hub, run_ids: list[int], *, quiet: bool = False) -> list[Seen]:
    """Does the runs here, or sees them done by whoever is faster; how they ended."""
    async with working(hub) as worker:
        return await watch(hub, run_ids, worker=worker, quiet=quiet)


async def watch(
    hub: Hub, run_ids: list[int], *, worker: asyncio.Task[None], quiet: bool = False
) -> list[Seen]:
    runs = Runs(hub, run_ids)
    with display(quiet=quiet) as shown:
        while True:
            seen = await runs.look()
            shown.show(seen)
            if len(seen) < len(run_ids):
                raise Refused(
                    "The connection was deleted while it was synced.",
                    next_step="'bascule status' lists the connections there are.",
                    code=Exit.FAILED,
                )
            if all(one.finished for one in seen):
                return seen
            if worker.done():
                await worker  # tells why it ended
            await _next_look()


async def ended(hub: Hub, run_ids: list[int]) -> list[Seen]:
    """The runs once all of them have ended, whoever did them."""
    runs = Runs(hub, run_ids)
    while True:
        seen = await runs.look()
        if all(one.finished for one in seen):
            return seen
        await _next_look()


async def _next_look() -> None:
    await asyncio.sleep(LOOK)
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        # Ctrl-C, which came together with what was awaited then, and was swallowed with it.
        raise asyncio.CancelledError
