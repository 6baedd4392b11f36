"""What somebody has to look at: found in what the hub knows already, without asking a site."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from bascule.connections.tables import Circuit, Connection
from bascule.mirror.schemas import Attention
from bascule.mirror.tables import Stream
from bascule.sites.roles import step_to_read

PATIENCE = timedelta(minutes=10)  # a schedule that is later than this is not a busy minute
MOST_NAMED = 4


def attention_of(
    connection: Connection,
    streams: Sequence[Stream],
    *,
    shut: Circuit | None = None,
    worker: bool = True,
) -> Iterator[Attention]:
    """`streams`: those that are switched on. `shut`: why the site is left alone, if it is. What the
    site itself refuses comes first, because the rest follows from it; streams that failed for one
    cause are told together. Without a worker that is told, and not what it did not do.
    """
    of_site = _of_site(connection, shut)
    if of_site is not None:
        yield of_site
    said = connection.health_detail if of_site else None
    own = [s for s in streams if s.trouble.get("kind") != "site" and s.last_error != said]
    yield from _failed(connection, own)
    if differing := [s.doctype for s in streams if s.verified_equal is False]:
        yield Attention(
            kind="differs",
            what=f"The mirror differs from the site in {named(differing)}.",
            next_step="Repair brings what differs again; the run of the proof lists each document.",
            streams=differing,
            mend="repair",
        )
    due = connection.next_sync_at
    late = due is not None and due < datetime.now(UTC) - PATIENCE
    if late and worker and of_site is None:
        yield Attention(
            kind="late",
            what="The last scheduled sync did not take place.",
            next_step="See that the hub's worker runs: 'bascule doctor' tells.",
            streams=[],
            mend="sync",
        )


def standing_of(connection: Connection, shut: Circuit | None) -> str:
    """ok, refused, down or unknown: what the site said last, or why it is left alone."""
    if connection.health in ("refused", "down") or shut is None:
        return connection.health
    return shut.kind


def _of_site(connection: Connection, shut: Circuit | None) -> Attention | None:
    standing = standing_of(connection, shut)
    if standing not in ("refused", "down"):
        return None
    said = connection.health_detail if connection.health == standing else None
    what = said or (shut and shut.why) or "The site did not let the hub in."
    again = "The hub tries again by itself"
    if shut is not None:
        again = f"The hub leaves the site alone until {shut.open_until:%H:%M} UTC, longer each time"
        if shut.open_until <= datetime.now(UTC) or shut.trying_until is not None:
            again = "The hub is just trying it again"
    if standing == "refused":
        step = f"Give the hub other credentials; what failed is started again then. {again}."
        return Attention(kind="refused", what=what, next_step=step, streams=[], mend="credentials")
    step = f"{again}; 'Try now' asks at once."
    return Attention(kind="down", what=what, next_step=step, streams=[], mend="test")


def _failed(connection: Connection, streams: Sequence[Stream]) -> Iterator[Attention]:
    together: dict[tuple[str, str], list[str]] = defaultdict(list)
    lacking: dict[str, Stream] = {}
    for stream in streams:
        if stream.last_error is None:
            continue
        if stream.trouble.get("kind") == "rights":
            lacking[stream.doctype] = stream
        else:
            together[stream.last_error, stream.last_error_step or ""].append(stream.doctype)
    if lacking:
        yield _without_rights(connection, lacking)
    for (what, next_step), doctypes in together.items():
        yield Attention(
            kind="failed",
            what=f"{named(doctypes)}: {what}",
            next_step=next_step,
            streams=doctypes,
            mend="sync",
        )


def _without_rights(connection: Connection, lacking: Mapping[str, Stream]) -> Attention:
    """One cause, however many DocTypes it is: the hub's user has too few roles."""
    doctypes = list(lacking)
    user = connection.site_user or "the hub's user"
    first = next(iter(lacking.values()))
    if len(doctypes) == 1:
        what, step = f"{doctypes[0]}: {first.last_error}", first.last_error_step or ""
    else:
        what = f"{user} may not read {len(doctypes)} of the DocTypes: {named(doctypes)}."
        step = step_to_read({d: s.trouble.get("roles", []) for d, s in lacking.items()})
    return Attention(
        kind="failed",
        what=what[0].upper() + what[1:],
        next_step=f"{step} Then try again, or switch off what is not wanted.",
        streams=doctypes,
        mend="rights",
    )


def named(doctypes: Sequence[str]) -> str:
    """Some names, and how many more there are."""
    more = len(doctypes) - MOST_NAMED
    some = ", ".join(doctypes[:MOST_NAMED])
    return f"{some} and {more} more" if more > 0 else some
