"""Runs that somebody starts on a page: what is under way already is not started again."""

from collections.abc import Sequence
from dataclasses import dataclass

from bascule.accounts.tables import User
from bascule.connections.tables import Connection
from bascule.connections.worker_attention import START
from bascule.hub import Hub
from bascule.jobs.queue_status import worker_seen
from bascule.mirror.runs.run_batches import under_way
from bascule.mirror.runs.start import chosen, start_runs
from bascule.ui.flash import Kind

TRIGGER = "page"
# A run of these does as well what is asked for.
AS_GOOD = {
    "sync": {"sync", "full"},
    "full": {"full"},
    "verify": {"verify", "repair"},
    "repair": {"repair"},
}
WORDS = {
    "sync": "pulling {}",
    "full": "fetching {} anew",
    "verify": "comparing {} with the site",
    "repair": "comparing {} with the site, and mending what differs",
}


@dataclass(frozen=True)
class ManualRuns:
    kind: str
    started: list[str]  # DocTypes
    already: list[str]
    worker_alive: bool = True

    @property
    def kind_said(self) -> Kind:
        if not self.worker_alive and (self.started or self.already):
            return "failed"
        return "done" if self.started else "note"

    @property
    def next_step(self) -> str:
        if not (self.started or self.already):
            return "Add a stream, or switch one on."
        return "" if self.worker_alive else START

    @property
    def said(self) -> str:
        """Words that stay true when the runs have ended and somebody still reads them."""
        if not self.worker_alive and (self.started or self.already):
            waits = WORDS[self.kind].format(_streams(self.started or self.already))
            return f"{waits[0].upper()}{waits[1:]} waits for a worker, and none is running."
        if self.started:
            more = f"; {_streams(self.already)} already" if self.already else ""
            return f"Started {WORDS[self.kind].format(_streams(self.started))}{more}."
        if self.already:
            doing = WORDS[self.kind].format(_streams(self.already))
            return f"Nothing was started, because the hub was {doing} already."
        return "No stream is switched on."


async def begin(
    hub: Hub,
    connection: Connection,
    kind: str,
    names: Sequence[str] | None = None,
    *,
    by: User | None = None,
) -> ManualRuns:
    """Starts runs of that kind for the streams that are on, or those named, and says which."""
    async with hub.db.session() as session:
        streams = await chosen(session, connection, names)
        doing = await under_way(session, connection)
        busy = {number for number, one in doing.items() if one.run.kind in AS_GOOD[kind]}
        started = [stream.doctype for stream in streams if stream.id not in busy]
        already = [stream.doctype for stream in streams if stream.id in busy]
    if started:
        await start_runs(hub, connection, names=started, kind=kind, trigger=TRIGGER, by=by)
    async with hub.db.connection() as conn:
        _, alive = await worker_seen(conn)
    return ManualRuns(kind, started, already, alive)


def _streams(doctypes: list[str]) -> str:
    return doctypes[0] if len(doctypes) == 1 else f"{len(doctypes)} streams"
