"""DocType definitions, which rarely change and cost requests: kept for a few minutes in this
process, and in the database for as long as a look at when they were changed finds nothing new.
Equal ones, which sites of one version have, are one object here.
"""

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, NamedTuple
from uuid import UUID
from weakref import WeakValueDictionary

import msgspec
from sqlalchemy import Text, cast, delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.connections.tables import Connection
from bascule.frappe import NoPermission, NotFound, Site
from bascule.mirror.schema.columns import TableSchema, table_schema_of
from bascule.mirror.tables import Definition, Stream

KEPT_FOR = 300.0  # seconds
# By the clock, a change of a definition is looked for once an hour; by hand at each sync.
SETTLED = timedelta(minutes=55)
# What no look tells of, such as other roles of the hub's user, is seen within this time.
LONGEST = timedelta(days=1)
# What a definition is made of beside the DocType itself, and the field that names the DocType.
LAID_OVER = (("Custom Field", "dt"), ("Property Setter", "doc_type"), ("Custom DocPerm", "parent"))

Key = tuple[object, ...]


class CachedSchema(NamedTuple):
    at: float  # of `time.monotonic`: from then on it was the site's
    asked_at: datetime
    digest: str
    shape: TableSchema


class _Row(NamedTuple):
    """A row of `Definition`, but for its shape."""

    stream_id: int
    asked_as: str
    asked_at: datetime
    looked_at: datetime
    changes: str
    digest: str


class DefinitionCheck(NamedTuple):
    """`changes`: by DocType, what is otherwise after each change of its definition."""

    at: float  # when it was over
    changes: dict[str, list[object]]

    def of(self, shape: TableSchema) -> str:
        names = [one.doctype for one in (shape, *shape.children)]
        return msgspec.json.encode([(name, self.changes.get(name)) for name in names]).decode()


_kept: dict[Key, CachedSchema] = {}
# By digest: many sites have the same, and a shape is as large as a small page.
_shared: WeakValueDictionary[str, TableSchema] = WeakValueDictionary()


async def table_schema_for(
    site: Site, connection_id: UUID, doctype: str, omit: list[str], rename: Mapping[str, Any]
) -> TableSchema:
    """The shape of a DocType as the site told it, now or a few minutes ago."""
    key = _key(connection_id, doctype, omit, rename)
    kept = _kept.get(key)
    if kept is None or time.monotonic() - kept.at >= KEPT_FOR:
        at, now = time.monotonic(), datetime.now(UTC)
        shape = await table_schema_of(site, doctype, omit, rename)
        kept = _keep(key, at, now, _digest(shape), shape)
    return kept.shape


def _key(connection_id: UUID, doctype: str, omit: Sequence[str], rename: Mapping[str, Any]) -> Key:
    return (connection_id, doctype, tuple(omit), tuple(sorted(rename.items())))


def _digest(shape: TableSchema) -> str:
    return sha256(msgspec.json.encode(shape, order="deterministic")).hexdigest()


def _keep(key: Key, at: float, asked_at: datetime, digest: str, shape: TableSchema) -> CachedSchema:
    """Keep it, as the one that is here already if that is equal; and forget what is too old."""
    _kept.pop(key, None)
    _kept[key] = kept = CachedSchema(at, asked_at, digest, _shared.setdefault(digest, shape))
    oldest = next(iter(_kept))
    while time.monotonic() - _kept[oldest].at >= KEPT_FOR:
        del _kept[oldest]
        oldest = next(iter(_kept))
    return kept


def forget_table_schemas(connection_id: UUID, doctype: str) -> None:
    """Have it asked for again, by this process."""
    for key in [key for key in _kept if key[:2] == (connection_id, doctype)]:
        del _kept[key]


async def forget_definition(session: AsyncSession, stream: Stream) -> None:
    """The site refused a field that it had: ask again, all that know it."""
    forget_table_schemas(stream.connection_id, stream.doctype)
    await session.execute(delete(Definition).where(Definition.stream_id == stream.id))


async def check_definitions(
    site: Site,
    session: AsyncSession,
    connection: Connection,
    streams: Sequence[Stream],
    *,
    closely: bool,
) -> DefinitionCheck | None:
    """Have the definitions of these streams that did not change at hand, by a few requests; or, not
    `closely`, by none, where that was looked at lately. None then, and for a user who may not read
    what they are made of.
    """
    keys = {
        stream.id: _key(connection.id, stream.doctype, stream.omit, stream.rename)
        for stream in streams
    }
    known = await _known(session, connection, keys)
    now = datetime.now(UTC)
    lately = all(one.looked_at > now - SETTLED for one in known.values())
    if not closely and lately and len(known) == len(keys):
        at = time.monotonic()
        for stream_id, one in known.items():
            shape = await _shape(session, one)
            _keep(keys[stream_id], at, one.asked_at, one.digest, shape)
        return None
    try:
        changes = await _changes(site)
    except (NoPermission, NotFound):
        return None
    look, same = DefinitionCheck(time.monotonic(), changes), []
    for stream_id, key in keys.items():
        # What was asked for before the look may have changed in between.
        _kept.pop(key, None)
        row = known.get(stream_id)
        if row is None:
            continue
        shape = await _shape(session, row)
        if row.changes == look.of(shape):
            _keep(key, look.at, row.asked_at, row.digest, shape)
            same.append(stream_id)
    looked = update(Definition).where(Definition.stream_id.in_(same)).values(looked_at=now)
    await session.execute(looked)
    return look


async def _known(
    session: AsyncSession, connection: Connection, keys: Mapping[int, Key]
) -> dict[int, _Row]:
    """What is known of these streams' definitions, by stream, if it was asked for in the same way
    and not too long ago.
    """
    query = select(
        Definition.stream_id,
        Definition.asked_as,
        Definition.asked_at,
        Definition.looked_at,
        Definition.changes,
        Definition.digest,
    ).where(Definition.stream_id.in_(keys), Definition.asked_at > datetime.now(UTC) - LONGEST)
    rows = [_Row(*row) for row in await session.execute(query)]
    return {
        row.stream_id: row
        for row in rows
        if row.asked_as == _asked_as(connection, keys[row.stream_id])
    }


async def _shape(session: AsyncSession, one: _Row) -> TableSchema:
    """The shape of a known definition: that which this process has, or else the database's."""
    shape = _shared.get(one.digest)
    if shape is None:
        query = select(cast(Definition.shape, Text)).where(Definition.stream_id == one.stream_id)
        told = (await session.execute(query)).scalar_one()
        shape = _shared.setdefault(one.digest, msgspec.json.decode(told, type=TableSchema))
    return shape


async def keep_definitions(
    session: AsyncSession, connection: Connection, streams: Sequence[Stream], look: DefinitionCheck
) -> None:
    """Keep the definitions that were asked for since the look for the next one."""
    rows, now = [], datetime.now(UTC)
    for stream in streams:
        key = _key(connection.id, stream.doctype, stream.omit, stream.rename)
        kept = _kept.get(key)
        if kept is not None and kept.at > look.at:
            rows.append(
                {
                    "stream_id": stream.id,
                    "asked_as": _asked_as(connection, key),
                    "asked_at": kept.asked_at,
                    "looked_at": now,
                    "changes": look.of(kept.shape),
                    "digest": kept.digest,
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
