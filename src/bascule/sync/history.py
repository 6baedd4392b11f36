"""A record's history: every value it ever had, on either side as far as the hub saw it, and why.

Origins of a step:

    here        somebody changed it in the hub
    erpnext     changed in ERPNext, and taken
    overruled   both changed a field, and a policy decided: before lost, after won
    seen        changed in ERPNext while a conflict about it is open: kept in mind, not taken
    conflict    both changed a field: before is what is here, after what is there
    settled     somebody decided a conflict
    linked      joined to a document; created: that document was made by the hub
    renamed, merged, gone, back    what became of the document there
    lost        the document is not there, and nothing tells of a deletion
    deleted_there    the hub deleted the document, because the record was deleted here
    deleted, restored              what became of the record here
    gave_up     an edit was not sent after all: the record is what ERPNext has
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.sync.tables import Change, Record


async def add_change(
    session: AsyncSession,
    record: Record,
    origin: str,
    changes: Mapping[str, tuple[Any, Any]],
    *,
    by: str | None = None,
    note: str = "",
) -> None:
    """One step, in the caller's transaction."""
    session.add(
        Change(
            record_id=record.id,
            origin=origin,
            by=record.updated_by if by is None else by,
            version=record.version,
            changes={name: [before, after] for name, (before, after) in changes.items()},
            note=note[:1000],
        )
    )


async def history_of(
    session: AsyncSession, record: Record, *, before: int | None = None, limit: int = 50
) -> list[Change]:
    """Newest first; `before`: the id of the last one that one has."""
    query = select(Change).where(Change.record_id == record.id)
    if before is not None:
        query = query.where(Change.id < before)
    return list((await session.scalars(query.order_by(Change.id.desc()).limit(limit))).all())
