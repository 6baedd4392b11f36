"""What waits for somebody, over all records: conflicts, and what a site did not take or answer."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.accounts.tables import User
from bascule.attention.items import Action, AttentionItem, Kind, finds_attention_items
from bascule.connections.tables import Connection
from bascule.hub import Hub
from bascule.sync.conflicts import open_conflicts
from bascule.sync.permissions import RECORDS_EDIT
from bascule.sync.queries import LinkedRecord, of_numbers, visible_to
from bascule.sync.record_types import RECORD_TYPES
from bascule.sync.tables import Conflict, Link, Record

SHOWN = 20  # records of a group


@dataclass(frozen=True)
class Undecided:
    """A record with what is open about it."""

    whole: LinkedRecord
    conflicts: list[Conflict]


@dataclass(frozen=True)
class Group:
    """Records of one kind that one thing is the matter with: `remedy`, see `failures`. `count`: of
    all of them; `wholes` are the first. `first_at`: when the next is tried again by itself.
    """

    remedy: str
    record_type: str
    count: int
    first_at: datetime | None
    wholes: list[LinkedRecord]


async def undecided(
    session: AsyncSession,
    viewer: User | None,
    *,
    record_id: int | None = None,
    before: int | None = None,
    limit: int = 50,
) -> tuple[list[Undecided], int | None]:
    """Record by record, those of the newest conflicts first; and where the next page begins."""
    found = await open_conflicts(
        session, viewer, record_id=record_id, before=before, limit=limit + 1
    )
    shown = found[:limit]
    by_record: dict[int, list[Conflict]] = defaultdict(list)
    for conflict, record, _ in shown:
        by_record[record.id].append(conflict)
    wholes = await of_numbers(session, viewer, by_record)
    listed = [
        Undecided(wholes[number], sorted(conflicts, key=lambda one: one.id))
        for number, conflicts in by_record.items()
        if number in wholes
    ]
    return listed, shown[-1][0].id if len(found) > limit else None


async def groups(session: AsyncSession, viewer: User | None) -> list[Group]:
    """What needs somebody first, then what is tried again by itself; the largest first."""
    key = (Link.remedy, Record.record_type)
    ranked = (
        select(
            Record.id,
            func.coalesce(Link.remedy, "").label("remedy"),
            Record.record_type,
            func.row_number().over(partition_by=key, order_by=(Record.title, Record.id)).label("n"),
            func.count().over(partition_by=key).label("many"),
            func.min(Link.retry_at).over(partition_by=key).label("first_at"),
        )
        .join(Link, Link.record_id == Record.id)
        .outerjoin(Connection, Connection.id == Record.connection_id)
        .where(Link.state.in_(("waiting", "attention")), visible_to(viewer))
        .subquery()
    )
    rows = (await session.execute(select(ranked).where(ranked.c.n <= SHOWN))).all()
    wholes = await of_numbers(session, viewer, [row.id for row in rows])
    found: dict[tuple[str, str], Group] = {}
    for row in sorted(rows, key=lambda row: row.n):
        group = found.setdefault(
            (row.remedy, row.record_type),
            Group(row.remedy, row.record_type, row.many, row.first_at, []),
        )
        if row.id in wholes:
            group.wholes.append(wholes[row.id])
    return sorted(found.values(), key=lambda one: (one.first_at is not None, -one.count))


async def how_many(
    session: AsyncSession, viewer: User | None, states: Sequence[str]
) -> dict[tuple[str, str], int]:
    """(record type, state) -> how many, of those that are not deleted here."""
    query = (
        select(Record.record_type, Link.state, func.count())
        .join(Link, Link.record_id == Record.id)
        .outerjoin(Connection, Connection.id == Record.connection_id)
        .where(Link.state.in_(states), visible_to(viewer))
        .group_by(Record.record_type, Link.state)
    )
    return {(kind, state): int(n) for kind, state, n in (await session.execute(query)).all()}


async def open_fields(session: AsyncSession, viewer: User | None) -> dict[str, tuple[int, int]]:
    """Record type -> (records with something to decide, fields to decide in them), of what
    `open_conflicts` lists, whatever else is the matter with a record.
    """
    query = (
        select(Record.record_type, func.count(Record.id.distinct()), func.count())
        .select_from(Conflict)
        .join(Record, Record.id == Conflict.record_id)
        .join(Link, Link.record_id == Conflict.record_id)
        .outerjoin(Connection, Connection.id == Record.connection_id)
        .where(Conflict.settled_at.is_(None), visible_to(viewer))
        .group_by(Record.record_type)
    )
    return {
        kind: (int(records), int(fields))
        for kind, records, fields in (await session.execute(query)).all()
    }


@dataclass(frozen=True)
class _Told:
    """How records in one state are told of on the first page; of conflicts the number of fields is
    told behind it.
    """

    kind: Kind
    what: str
    next_step: str
    page: str
    command: str  # with the type's plural
    mend: str = ""  # none: the hub tries by itself


_TOLD = {
    "conflict": _Told(
        "conflict",
        "changed here and in ERPNext",
        "Decide which value stays; nothing else of them is held up.",
        "/conflicts",
        "bascule records conflicts {}",
        "Decide",
    ),
    "attention": _Told(
        "failed",
        "could not be sent to ERPNext.",
        "What is wrong, and what mends it, is listed.",
        "/attention",
        "bascule records list {} --state attention",
        "Mend",
    ),
    "waiting": _Told(
        "waiting",
        "still to be sent to ERPNext.",
        "The hub tries again by itself; nothing is lost.",
        "/attention",
        "bascule records retry {}",
    ),
}


def _to_decide(fields: int) -> str:
    return f": {fields:,} {'field' if fields == 1 else 'fields'} to decide."


@finds_attention_items
async def attention_items(
    hub: Hub, session: AsyncSession, viewer: User | None
) -> list[AttentionItem]:
    """For the first page."""
    found = await how_many(session, viewer, ("attention", "waiting"))
    undecided = await open_fields(session, viewer)
    fields = {kind: many for kind, (_, many) in undecided.items()}
    found |= {(kind, "conflict"): many for kind, (many, _) in undecided.items()}
    return [
        AttentionItem(
            kind=told.kind,
            name=kind.label,
            what=f"{count:,} {kind.name if count == 1 else kind.plural} {told.what}"
            + (_to_decide(fields[kind.name]) if state == "conflict" else ""),
            next_step=told.next_step,
            page=told.page,
            mend=Action(told.mend, told.page, permission=RECORDS_EDIT) if told.mend else None,
            command=told.command.format(kind.plural),
        )
        for kind in RECORD_TYPES.values()
        for state, told in _TOLD.items()
        if (count := found.get((kind.name, state), 0))
    ]
