"""How a connector's records are kept the same, over HTTP: looked at, set, begun, confirmed, ended.

What happens is `setup`'s and `matching`'s; the page says the same.
"""

from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.accounts.access import MayRead, TheHub
from bascule.audit.entries import entry_of
from bascule.connections.api import TheConnection
from bascule.connections.tables import Connection
from bascule.sync.api import CONFLICT
from bascule.sync.dependencies import MayManageTwoWay
from bascule.sync.fields import RecordType
from bascule.sync.pairing import confirmation, matching
from bascule.sync.queries import BIGGEST
from bascule.sync.receive import after_restore
from bascule.sync.record_types import record_type
from bascule.sync.setup import settings
from bascule.sync.setup.schemas import (
    AfterRestore,
    Begin,
    Checked,
    Decide,
    Decided,
    MatchAnswer,
    Preview,
    TwoWayAnswer,
    TwoWayChange,
    told_notes,
)

router = APIRouter(prefix="/api/connectors/{connector}/two-way", tags=["Two-way sync"])


def record_type_in_path(
    request: Request,
    records: Annotated[
        str, Path(max_length=40, description="customers or suppliers", examples=["customers"])
    ],
) -> RecordType:
    found = record_type(records)
    entry_of(request).detail["records"] = found.plural
    return found


TheKind = Annotated[RecordType, Depends(record_type_in_path)]


@router.get("/{records}", name="read_two_way")
async def read_two_way(
    hub: TheHub, user: MayRead, connection: TheConnection, kind: TheKind
) -> TwoWayAnswer:
    """Whether these records are kept the same with the site, how, and where each field lives."""
    async with hub.db.session() as session:
        found = await settings.find_two_way(session, connection, kind)
        two_way = found or settings.unsaved(connection, kind)
        return TwoWayAnswer.of(two_way, connection.slug)


@router.patch("/{records}", name="change_two_way")
async def change_two_way(
    hub: TheHub, user: MayManageTwoWay, connection: TheConnection, kind: TheKind, body: TwoWayChange
) -> TwoWayAnswer:
    """Changes what is named. `mapping` lists the fields that you add, and of the others those that
    you change. On a connector that all share: admins.
    """
    changes = body.model_dump(exclude_unset=True)
    two_way = await settings.configure(hub, connection, kind, changes, by=user)
    return TwoWayAnswer.of(two_way, connection.slug)


@router.post("/{records}/check", name="check_two_way")
async def check_two_way(
    hub: TheHub, user: MayManageTwoWay, connection: TheConnection, kind: TheKind
) -> Checked:
    """Asks the site which fields it can hold. Writes nothing there."""
    two_way, found = await settings.ask_the_site(hub, connection, kind, by=user)
    return Checked.of(two_way, found)


@router.post("/{records}/begin", name="begin_two_way", responses=CONFLICT)
async def begin_two_way(
    hub: TheHub, user: MayManageTwoWay, connection: TheConnection, kind: TheKind, body: Begin
) -> TwoWayAnswer:
    """The first of two steps: pairs what both sides have, for you to look at. Nothing is written to
    the site but the hub's own field, if you let it add one.
    """
    two_way = await settings.begin(hub, connection, kind, by=user, own_field=body.own_field)
    return TwoWayAnswer.of(two_way, connection.slug)


@router.get("/{records}/matches", name="matches_two_way")
async def matches(
    hub: TheHub,
    user: MayRead,
    connection: TheConnection,
    kind: TheKind,
    decision: Annotated[str | None, Query(pattern="^(pair|bring|send|leave)$")] = None,
    after: Annotated[int, Query(ge=0, le=BIGGEST)] = 0,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> Preview:
    """What would become of each record and document: `pair`, `bring` (make a record here), `send`
    (make a document there), `leave` (where several would fit: choose).
    """
    async with hub.db.session() as session:
        return await preview_of(
            session, connection, kind, decision=decision, after=after, limit=limit
        )


@router.post("/{records}/matches", name="decide_match")
async def decide_match(
    hub: TheHub, user: MayManageTwoWay, connection: TheConnection, kind: TheKind, body: Decide
) -> Preview:
    """Changes what becomes of one row of the preview; a record may be paired with any document."""
    await matching.decide(
        hub, connection, kind, body.id, body.decision, by=user, document=body.document
    )
    return await matches(hub, user, connection, kind)


@router.post("/{records}/confirm", name="confirm_two_way", responses=CONFLICT)
async def confirm_two_way(
    hub: TheHub, user: MayManageTwoWay, connection: TheConnection, kind: TheKind
) -> TwoWayAnswer:
    """The second step: turns two-way sync on with these pairs. From now on the hub writes to the
    site.
    """
    two_way = await confirmation.confirm(hub, connection, kind, by=user)
    return TwoWayAnswer.of(two_way, connection.slug)


@router.post("/{records}/restored", name="decide_after_restore", responses=CONFLICT)
async def decide_after_restore(
    hub: TheHub, user: MayManageTwoWay, connection: TheConnection, kind: TheKind, body: AfterRestore
) -> Decided:
    """After the site was restored from an older state: of all records that it has otherwise than
    was agreed on, or has no more, either ours is sent again (`here`) or theirs is taken (`there`).
    """
    decided = await after_restore.decide(hub, connection, kind, body.choice, by=user)
    return Decided(decided=decided)


@router.delete("/{records}", name="end_two_way")
async def end_two_way(
    hub: TheHub, user: MayManageTwoWay, connection: TheConnection, kind: TheKind
) -> TwoWayAnswer:
    """Turns it off: nothing is read or written any more. What is here stays."""
    two_way = await settings.turn_off(hub, connection, kind, by=user)
    return TwoWayAnswer.of(two_way, connection.slug)


async def preview_of(
    session: AsyncSession,
    connection: Connection,
    kind: RecordType,
    *,
    decision: str | None = None,
    after: int = 0,
    limit: int = 100,
) -> Preview:
    """Also for who asks from the command line."""
    found = await settings.find_two_way(session, connection, kind)
    two_way = found or settings.unsaved(connection, kind)
    rows = []
    if found is not None:
        rows = await matching.preview(
            session, two_way, decision=decision, after=after, limit=limit + 1
        )
    shown = rows[:limit]
    others = await matching.others_that_fit(session, kind, shown)
    return Preview(
        ready=two_way.last_summary.get("matching") == "ready",
        notes=told_notes(two_way),
        counts=await matching.preview_counts(session, two_way),
        matches=[MatchAnswer.of(*row, kind, others.get(row[0].id, [])) for row in shown],
        next=shown[-1][0].id if len(rows) > limit else None,
    )
