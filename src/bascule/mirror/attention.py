"""What somebody has to look at: found in what the hub knows already, without asking a site."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

from bascule.connections.tables import Connection
from bascule.mirror.answers import Attention
from bascule.mirror.tables import Stream

PATIENCE = timedelta(minutes=10)  # a schedule that is later than this is not a busy minute
MOST_NAMED = 4


def attention_of(connection: Connection, streams: Sequence[Stream]) -> Iterator[Attention]:
    """`streams`: those that are switched on. What the site itself refuses comes first, because the
    rest often follows from it; streams that failed for one reason are told together.
    """
    if connection.health in ("refused", "down"):
        refused = connection.health == "refused"
        yield Attention(
            kind="refused" if refused else "down",
            what=connection.health_detail or "The site did not let the hub in.",
            next_step="Give the hub other credentials."
            if refused
            else "Test again when the site is up; the hub tries by itself too.",
            streams=[],
            mend="credentials" if refused else "test",
        )
    else:
        yield from _failed(streams)
    if differing := [s.doctype for s in streams if s.verified_equal is False]:
        yield Attention(
            kind="differs",
            what=f"The mirror differs from the site in {named(differing)}.",
            next_step="Repair brings what differs again; the run of the proof lists each document.",
            streams=differing,
            mend="repair",
        )
    due = connection.next_sync_at
    if due is not None and due < datetime.now(UTC) - PATIENCE:
        yield Attention(
            kind="late",
            what="The last scheduled sync did not take place.",
            next_step="See that the hub's worker runs: 'bascule doctor' tells.",
            streams=[],
            mend="sync",
        )


def _failed(streams: Sequence[Stream]) -> Iterator[Attention]:
    together: dict[tuple[str, str], list[str]] = defaultdict(list)
    for stream in streams:
        if stream.last_error is not None:
            together[stream.last_error, stream.last_error_step or ""].append(stream.doctype)
    for (what, next_step), doctypes in together.items():
        yield Attention(
            kind="failed",
            what=f"{named(doctypes)}: {what}",
            next_step=next_step,
            streams=doctypes,
            mend="sync",
        )


def named(doctypes: Sequence[str]) -> str:
    """Some names, and how many more there are."""
    more = len(doctypes) - MOST_NAMED
    some = ", ".join(doctypes[:MOST_NAMED])
    return f"{some} and {more} more" if more > 0 else some
