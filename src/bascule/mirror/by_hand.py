"""Runs that somebody starts on a page: what is under way already is not started again."""

from collections.abc import Sequence
from dataclasses import dataclass

from bascule.connections.tables import Connection
from bascule.hub import Hub
from bascule.mirror.rounds import under_way
from bascule.mirror.starting import chosen, start_runs

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
class Begun:
    kind: str
    started: list[str]  # DocTypes
    already: list[str]

    @property
    def said(self) -> str:
        """Words that stay true when the runs have ended and somebody still reads them."""
        if self.started:
            more = f"; {_streams(self.already)} already" if self.already else ""
            return f"Started {WORDS[self.kind].format(_streams(self.started))}{more}."
        if self.already:
            doing = WORDS[self.kind].format(_streams(self.already))
            return f"Nothing was started, because the hub was {doing} already."
        return "No stream is switched on."


async def begin(
    hub: Hub, connection: Connection, kind: str, names: Sequence[str] | None = None
) -> Begun:
    """Starts runs of that kind for the streams that are on, or those named, and says which."""
    async with hub.db.session() as session:
        streams = await chosen(session, connection, names)
        doing = await under_way(session, connection)
        busy = {number for number, one in doing.items() if one.run.kind in AS_GOOD[kind]}
        started = [stream.doctype for stream in streams if stream.id not in busy]
        already = [stream.doctype for stream in streams if stream.id in busy]
    if started:
        await start_runs(hub, connection, names=started, kind=kind, trigger=TRIGGER)
    return Begun(kind, started, already)


def _streams(doctypes: list[str]) -> str:
    return doctypes[0] if len(doctypes) == 1 else f"{len(doctypes)} streams"
