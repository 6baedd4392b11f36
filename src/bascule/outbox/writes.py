"""A write, as a room asks for it: put in the caller's transaction, with the job that sends it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal
from zlib import crc32

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.connections.tables import Connection
from bascule.errors import Conflict, Invalid
from bascule.hub import Hub
from bascule.outbox.lanes import LANES, queue_lanes
from bascule.outbox.tables import OutboxWrite

Operation = Literal["create", "update", "submit", "cancel", "delete", "call"]
Origin = tuple[str, object]
REFERENCE = "$written"
AT_ONCE = 1000  # rows of one statement


@dataclass(frozen=True)
class Write:
    """`doctype`: of a call, the method. `name`: the document's, or `name_of` the write that makes
    it. `based_on`: its `modified` that the change was made upon; without one, whatever is there.

    `depends_on`: keys of writes that have to be written first; those that `name_of` names are
    added. `lock`: of writes with one lock, one is under way at a time.

    How a create is found whose answer was lost: by the hub's own field where the DocType has it
    (`key_fields.prepare`), by `unique_by`, a field that the DocType has unique, or by owner, time
    and the fields `found_by`; without any, all that was sent but for tables. `repeatable`: a call
    that may be made again when nobody knows whether it was; others wait for a person.
    """

    doctype: str
    key: str
    operation: Operation
    name: str | Mapping[str, str] | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    based_on: str | None = None
    depends_on: Sequence[str] = ()
    lock: str | None = None
    unique_by: str | None = None
    found_by: Sequence[str] = ()
    repeatable: bool = False


def name_of(key: str) -> dict[str, str]:
    """Stands in another write's values, or as its name, for the document's name that the write of
    this key gets.
    """
    return {REFERENCE: key}


async def put(
    hub: Hub,
    session: AsyncSession,
    connection: Connection,
    write: Write,
    *,
    origin: Origin,
    by: str = "",
) -> int:
    """The write's number. The same write put again is that which is there; Conflict where the key
    has become another one's. Writes of one origin go in the order in which they were put.
    """
    return (await put_many(hub, session, connection, [(write, origin)], by=by))[0]


async def put_many(
    hub: Hub,
    session: AsyncSession,
    connection: Connection,
    writes: Sequence[tuple[Write, Origin]],
    *,
    by: str = "",
) -> list[int]:
    """As `put` of each, in a few statements."""
    lanes = await _lanes_of(session, connection, writes)
    rows = [_row(connection, write, origin, lanes[write.key], by=by) for write, origin in writes]
    numbers: dict[str, int] = {}
    for at in range(0, len(rows), AT_ONCE):
        query = (
            insert(OutboxWrite)
            .values(rows[at : at + AT_ONCE])
            .on_conflict_do_nothing(index_elements=["connection_id", "key"])
            .returning(OutboxWrite.key, OutboxWrite.id)
        )
        numbers |= {row.key: row.id for row in await session.execute(query)}
    there = [row for row in rows if row["key"] not in numbers]
    numbers |= await _same_as_there(session, connection, there)
    await queue_lanes(hub, session, connection.id, set(lanes.values()))
    return [numbers[write.key] for write, _ in writes]


def _row(
    connection: Connection, write: Write, origin: Origin, lane: int, *, by: str
) -> dict[str, Any]:
    if write.operation in ("update", "submit", "cancel", "delete") and write.name is None:
        raise Invalid(
            f"The {write.operation} '{write.key}' does not say of which document.",
            next_step="Give the document's name.",
        )
    values = dict(write.values)
    if isinstance(write.name, Mapping):
        values[REFERENCE] = dict(write.name)
    return {
        "connection_id": connection.id,
        "key": write.key,
        "origin_kind": origin[0],
        "origin_id": str(origin[1]),
        "operation": write.operation,
        "doctype": write.doctype,
        "name": write.name if isinstance(write.name, str) else None,
        "values": values,
        "based_on": write.based_on,
        "found_by": list(write.found_by),
        "unique_by": write.unique_by,
        "repeatable": write.repeatable,
        "lock_name": write.lock,
        "depends_on": _needed(write),
        "by": by,
        "lane": lane,
    }


def _needed(write: Write) -> list[str]:
    found = [*write.depends_on, *references(write.values), *references(write.name)]
    return list(dict.fromkeys(found))


def references(value: Any) -> Iterator[str]:
    """The keys of the writes whose documents' names are wanted somewhere in this."""
    if isinstance(value, Mapping):
        if set(value) == {REFERENCE} and isinstance(value[REFERENCE], str):
            yield value[REFERENCE]
        else:
            for one in value.values():
                yield from references(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from references(one)


def with_names(value: Any, names: Mapping[str, str | None]) -> Any:
    """The same with the names put in."""
    if isinstance(value, Mapping):
        if set(value) == {REFERENCE} and isinstance(value[REFERENCE], str):
            return names[value[REFERENCE]]
        return {key: with_names(one, names) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [with_names(one, names) for one in value]
    return value


async def _lanes_of(
    session: AsyncSession, connection: Connection, writes: Sequence[tuple[Write, Origin]]
) -> dict[str, int]:
    """By key: a lock's lane, else that of the first write it depends on, else the origin's."""
    needed = {key for write, _ in writes for key in _needed(write)}
    query = select(OutboxWrite.key, OutboxWrite.lane, OutboxWrite.state).where(
        OutboxWrite.connection_id == connection.id, OutboxWrite.key.in_(needed)
    )
    lanes: dict[str, int] = {}
    if needed:
        for key, lane, state in await session.execute(query):
            if state == "given_up":
                raise Conflict(
                    f"The write '{key}' that this depends on was given up.",
                    next_step="Put one that makes what is needed, or leave the dependency out.",
                )
            lanes[key] = lane
    for write, origin in writes:
        first = _needed(write)
        if missing := [key for key in first if key not in lanes]:
            raise Invalid(
                f"There is no write '{missing[0]}' that '{write.key}' could depend on.",
                next_step="Put that one first.",
            )
        if write.lock is not None:
            lanes[write.key] = _lane(f"lock {write.lock}")
        else:
            lanes[write.key] = lanes[first[0]] if first else _lane(f"{origin[0]} {origin[1]}")
    return {write.key: lanes[write.key] for write, _ in writes}


def _lane(name: str) -> int:
    return crc32(name.encode()) % LANES


async def _same_as_there(
    session: AsyncSession, connection: Connection, rows: Iterable[dict[str, Any]]
) -> dict[str, int]:
    wanted = {row["key"]: row for row in rows}
    if not wanted:
        return {}
    query = select(OutboxWrite).where(
        OutboxWrite.connection_id == connection.id, OutboxWrite.key.in_(wanted)
    )
    found = {}
    for there in await session.scalars(query):
        row = wanted[there.key]
        if any(getattr(there, name) != row[name] for name in ("operation", "doctype", "values")):
            raise Conflict(
                f"The key '{there.key}' is that of another write.",
                next_step="A key is one write's for ever: give this one a key of its own.",
            )
        found[there.key] = there.id
    return found
