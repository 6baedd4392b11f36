"""Events as those see them who cause them: told when the cause is committed, kept for an hour.

Who listens is `listening`'s; how a browser hears of it is `api`'s.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
from psycopg.types.json import Jsonb
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.store.database import driver_connection

CHANNEL = "bascule"
KINDS = frozenset(("run", "stream", "connection", "user", "audit", "log", "delivery", "record"))
KEPT_MINUTES = 60
MOST_REPLAYED = 2_000
LARGEST = 7_500  # bytes; PostgreSQL takes just under 8000 in a notification
NOBODY = 0  # in `private_to`: no user has this id

# Whose a connection is alone: null for one that all may see, or for no connection.
PRIVATE_TO = """
    (SELECT CASE WHEN NOT c.shared THEN coalesce(c.owner_id, 0) END
       FROM bascule.connections c WHERE c.id = %(connection_id)s)
"""

_TELL = "SELECT pg_notify(%(channel)s, json_build_object('kind', %(kind)s::text, 'id', {id},"
_TELL += " 'connection_id', %(connection_id)s::uuid, 'private_to', {private_to},"
_TELL += " 'data', %(data)s::jsonb)::text)"
_WHOSE = f"coalesce(%(private_to)s::integer, {PRIVATE_TO}::integer)"
_ONLY_TELL = _TELL.format(id="NULL::bigint", private_to=_WHOSE)
_KEEP_AND_TELL = f"""
    WITH kept AS (
        INSERT INTO bascule.events (kind, connection_id, private_to, data, xact, oldest_xact)
        VALUES (%(kind)s, %(connection_id)s, {_WHOSE}, %(data)s,
                pg_current_xact_id()::text::bigint,
                pg_snapshot_xmin(pg_current_snapshot())::text::bigint)
        RETURNING id, private_to)
    {_TELL.format(id="kept.id", private_to="kept.private_to")} FROM kept
"""

_KEEP_AND_TELL_EACH = f"""
    WITH kept AS (
        INSERT INTO bascule.events (kind, connection_id, private_to, data, xact, oldest_xact)
        SELECT %(kind)s, %(connection_id)s, {PRIVATE_TO}::integer, given.data::jsonb,
               pg_current_xact_id()::text::bigint,
               pg_snapshot_xmin(pg_current_snapshot())::text::bigint
          FROM unnest(%(each)s::text[]) WITH ORDINALITY AS given (data, place)
         ORDER BY given.place
        RETURNING id, private_to, data)
    {
    _TELL.format(id="kept.id", private_to="kept.private_to").replace("%(data)s::jsonb", "kept.data")
} FROM kept
"""


@dataclass(frozen=True, slots=True)
class LiveEvent:
    """An event on its way to those who may see it. Without an id it is not kept: only the newest
    of its kind about its run matters, and who missed it needs it no more.
    """

    kind: str
    id: int | None
    connection_id: str | None
    private_to: int | None
    data: dict[str, Any]

    def shown_to(self, user_id: int, *, audit: bool, people: bool) -> bool:
        """`audit`, `people`: whether they may read the audit log, and look after people."""
        if self.private_to is not None and self.private_to != user_id:
            return False
        if self.kind == "audit":
            return audit
        if self.kind == "user":
            return people or self.data.get("user_id") == user_id
        return True

    def text(self) -> str:
        """What a browser gets."""
        about = {"connection_id": self.connection_id} if self.connection_id else {}
        return json.dumps({**about, **self.data}, separators=(",", ":"))


async def publish(
    conn_or_session: psycopg.AsyncConnection[Any] | AsyncSession,
    kind: str,
    *,
    connection_id: UUID | None = None,
    private_to: int | None = None,
    keep: bool = True,
    **data: Any,
) -> None:
    """Tells it when the caller's transaction commits, and not at all when it does not.

    Who may see it is decided here and now: `private_to`, else by whose connection it is, so tell of
    a deletion before it.
    `keep` False is for progress, which is not worth repeating to who was away. `data` is small and
    names things by their ids: no texts, no secrets.
    """
    if kind not in KINDS:
        raise ValueError(f"There is no event {kind!r}.")
    if len(json.dumps(data, default=str)) > LARGEST:
        raise ValueError(f"An event {kind!r} has at most {LARGEST} bytes.")
    raw = await driver_connection(conn_or_session)
    values = {
        "channel": CHANNEL,
        "kind": kind,
        "connection_id": connection_id,
        "private_to": private_to,
        "data": Jsonb(data, dumps=lambda value: json.dumps(value, default=str)),
    }
    await raw.execute(_KEEP_AND_TELL if keep else _ONLY_TELL, values)


async def publish_each(
    conn_or_session: psycopg.AsyncConnection[Any] | AsyncSession,
    kind: str,
    each: Sequence[Mapping[str, Any]],
    *,
    connection_id: UUID,
) -> None:
    """Tells many of one kind of a connection as `publish` tells one, in one statement."""
    raw = await driver_connection(conn_or_session)
    values = {
        "channel": CHANNEL,
        "kind": kind,
        "connection_id": connection_id,
        "each": [json.dumps(data, default=str) for data in each],
    }
    await raw.execute(_KEEP_AND_TELL_EACH, values)


async def position(conn_or_session: psycopg.AsyncConnection[Any] | AsyncSession) -> int:
    """The newest event that this transaction sees: a page that says it in `?after=` misses none."""
    raw = await driver_connection(conn_or_session)
    found = await raw.execute("SELECT coalesce(max(id), 0) FROM bascule.events")
    row = await found.fetchone()
    return int(row[0]) if row else 0


async def events_since(
    conn: psycopg.AsyncConnection[Any], after: int, user_id: int | None = None
) -> list[LiveEvent] | None:
    """The kept events after that one, in order; of those that the user may see, if one is named.
    None: they are not all here any more.

    Ids are given out before their transactions commit, so one with a smaller id may have come
    later: everything that was uncommitted when that event was written is told again. So an event
    may come twice and is never missed.
    """
    known = await (
        await conn.execute("SELECT oldest_xact FROM bascule.events WHERE id = %s", [after])
    ).fetchone()
    if known is None and after > 0:
        return None
    found = await conn.execute(
        """
        SELECT e.kind, e.id, e.connection_id::text, e.private_to, e.data
          FROM bascule.events e LEFT JOIN bascule.connections c ON c.id = e.connection_id
         WHERE (e.id > %(after)s OR e.xact >= %(oldest)s) AND e.id <> %(after)s
           AND (%(user)s::integer IS NULL OR (
                coalesce(e.private_to, %(user)s) = %(user)s
                AND (coalesce(c.shared, true) OR c.owner_id = %(user)s)))
         ORDER BY e.id LIMIT %(most)s
        """,
        {
            "after": after,
            "oldest": known[0] if known else 0,
            "user": user_id,
            "most": MOST_REPLAYED + 1,
        },
    )
    rows = await found.fetchall()
    return [LiveEvent(*row) for row in rows] if len(rows) <= MOST_REPLAYED else None


async def forget_old(conn: psycopg.AsyncConnection[Any]) -> None:
    """The newest stays: whoever heard it last can tell by it that nothing was missed."""
    await conn.execute(
        "DELETE FROM bascule.events WHERE at < now() - make_interval(mins => %s)"
        " AND id < (SELECT max(id) FROM bascule.events)",
        [KEPT_MINUTES],
    )
