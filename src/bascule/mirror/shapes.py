"""DocType definitions, which rarely change and cost requests: kept for a few minutes in this
process, and in the database for as long as a look at when they were changed finds nothing new.
"""

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.connections.tables import Connection
from bascule.frappe import NoPermission, NotFound, Site
from bascule.mirror.columns import Shape, shape_of
from bascule.mirror.tables import Definition, Stream

KEPT_FOR = 300.0  # seconds
# What no look tells of, such as other roles of the hub's user, is seen within this time.
LONGEST = timedelta(days=1)
# What a definition is made of beside the DocType itself, and the field that names the DocType.
LAID_OVER = (("Custom Field", "dt"), ("Property Setter", "doc_type"), ("Custom DocPerm", "parent"))

Key = tuple[object, ...]


class Kept(NamedTuple):
    at: float  # of `time.monotonic`: from then on it was the site's
    asked_at: datetime
    shape: Shape


class Look(NamedTuple):
    """`changes`: by DocType, what is otherwise after each change of its definition."""

    at: float  # when it was over
    changes: dict[str, list[object]]

    def of(self, shape: Shape) -> str:
        names = [one.doctype for one in (shape, *shape.children)]
        return msgspec.json.encode([(name, self.changes.get(name)) for name in names]).decode()


_kept: dict[Key, Kept] = {}


async def shape_for(
    site: Site, connection_id: UUID, doctype: str, omit: list[str], rename: Mapping[str, Any]
) -> Shape:
    """The shape of a DocType as the site told it, now or a few minutes ago."""
    key = _key(connection_id, doctype, omit, rename)
    kept = _kept.get(key)
    if kept is None or time.monotonic() - kept.at >= KEPT_FOR:
        at, now = time.monotonic(), datetime.now(UTC)
        kept = _kept[key] = Kept(at, now, await shape_of(site, doctype, omit, rename))
    return kept.shape


def _key(connection_id: UUID, doctype: str, omit: Sequence[str], rename: Mapping[str, Any]) -> Key:
    return (connection_id, doctype, tuple(omit), tuple(sorted(rename.items())))


def forget_shapes(connection_id: UUID, doctype: str) -> None:
    """The site refused a field that it had: ask again."""
    for key in [key for key in _kept if key[:2] == (connection_id, doctype)]:
        del _kept[key]


async def look_at_definitions(
    site: Site, session: AsyncSession, connection: Connection, streams: Sequence[Stream]
) -> Look | None:
    """Have the definitions of these streams that did not change at hand, by a few requests. None
    for a user who may not read what they are made of.
    """
    try:
        changes = await _changes(site)
    except (NoPermission, NotFound):
        return None
    look = Look(time.monotonic(), changes)
    query = select(Definition).where(Definition.stream_id.in_([stream.id for stream in streams]))
    known = {one.stream_id: one for one in await session.scalars(query)}
    for stream in streams:
        key = _key(connection.id, stream.doctype, stream.omit, stream.rename)
        # What was asked for before the look may have changed in between.
        _kept.pop(key, None)
        one = known.get(stream.id)
        if one is None or one.asked_as != _asked_as(connection, key):
            continue
        shape = msgspec.convert(one.shape, Shape)
        if one.changes == look.of(shape) and datetime.now(UTC) - one.asked_at < LONGEST:
            _kept[key] = Kept(look.at, one.asked_at, shape)
    return look


async def keep_definitions(
    session: AsyncSession, connection: Connection, streams: Sequence[Stream], look: Look
) -> None:
    """Keep the definitions that were asked for since the look for the next one."""
    rows = []
    for stream in streams:
        key = _key(connection.id, stream.doctype, stream.omit, stream.rename)
        kept = _kept.get(key)
        if kept is not None and kept.at > look.at:
            rows.append(
                {
                    "stream_id": stream.id,
                    "asked_as": _asked_as(connection, key),
                    "asked_at": kept.asked_at,
                    "changes": look.of(kept.shape),
                    "shape": msgspec.to_builtins(kept.shape),
                }
            )
    if rows:
        fresh = insert(Definition)
        others = {name: fresh.excluded[name] for name in rows[0] if name != "stream_id"}
        await session.execute(
            fresh.on_conflict_do_update(index_elements=["stream_id"], set_=others), rows
        )


def _asked_as(connection: Connection, key: Key) -> str:
    way_in = (connection.api_url, connection.api_key_encrypted, connection.api_secret_encrypted)
    return sha256(repr((way_in, key)).encode()).hexdigest()


async def _changes(site: Site) -> dict[str, list[object]]:
    rows = await site.list("DocType", ["name", "modified"], limit=0)
    found: dict[str, list[object]] = {str(row["name"]): [row["modified"]] for row in rows}
    for doctype, names in LAID_OVER:
        rows = await site.list(
            doctype,
            [names, "count(name) as total", "max(modified) as newest"],
            group_by=names,
            limit=0,
        )
        for row in rows:
            found.setdefault(str(row[names]), []).extend((doctype, row["total"], row["newest"]))
    return found
