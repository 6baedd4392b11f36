"""What of a stream is mirrored, and what the next sync does because its settings changed since."""

from collections.abc import Collection, Iterable
from datetime import UTC, date, datetime

from bascule.connections.tables import Connection
from bascule.mirror.pull.cursor import Cursor
from bascule.mirror.streams.presets import effective_filters, look_back_floor
from bascule.mirror.tables import Stream


def wanted_filters(
    connection: Connection, stream: Stream, cursor: Cursor, *, afresh: bool
) -> tuple[list[list[object]], str | None]:
    """What the site is asked for, and the oldest date of it. That date stays where it was, unless
    the look-back goes back further by now, or everything is fetched anew.
    """
    floor = date.fromisoformat(cursor.floor) if cursor.floor and not afresh else None
    wanted = look_back_floor(connection, stream.doctype, datetime.now(UTC).date())
    if wanted is not None and (floor is None or wanted < floor):
        floor = wanted
    found = effective_filters(connection, stream.doctype, stream.filters, floor)
    return found, floor.isoformat() if floor else None


def pending(connection: Connection, stream: Stream) -> str | None:
    """What the next sync will do, where the rows here were fetched under other settings."""
    cursor = Cursor.load(stream.cursor)
    if cursor.phase == "new" or not stream.enabled:
        return None
    wanted, floor = wanted_filters(connection, stream, cursor, afresh=False)
    if wanted == cursor.filters:
        return None
    older = cursor.floor is not None and floor is not None and floor < cursor.floor
    if older and _without_floor(wanted, floor) == _without_floor(cursor.filters, cursor.floor):
        return f"The next sync fetches what is older too, back to {floor}: all of it is read anew."
    return (
        "The next sync reads all of it anew under the filter that is set now; what does not fit "
        "leaves the table. Until then rows and proof are of what was mirrored before."
    )


def what_follows(
    connection: Connection, streams: Iterable[Stream], changed: Collection[str]
) -> str:
    """What settings of a connection that were `changed` just now mean for its mirror; empty:
    nothing.
    """
    if not {"lookback_days", "warehouse_filter"} & set(changed):
        return ""
    anew = [one.doctype for one in streams if pending(connection, one) is not None]
    if anew:
        return f"The next sync reads {', '.join(anew)} anew. Sync now, if it should not wait."
    if "lookback_days" in changed:
        return "What is here already stays; a shorter look-back counts for a full resync alone."
    return ""


def _without_floor(filters: list[list[object]], floor: str | None) -> list[list[object]]:
    return [one for one in filters if one[1:] != [">=", floor]]


def limits(stream: Stream) -> str:
    """Which documents the rows here and their proof are of; empty where it is all."""
    cursor = Cursor.load(stream.cursor)
    told = []
    if _without_floor(cursor.filters, cursor.floor):
        told.append("that fit the filter")
    if cursor.floor:
        told.append(f"since {cursor.floor}")
    return " ".join(told)
