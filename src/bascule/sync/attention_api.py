"""What waits for somebody, over HTTP; the pages /conflicts and /attention say the same."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from bascule.accounts.access import MayRead, TheHub
from bascule.sync import attention, conflicts
from bascule.sync.api import Before
from bascule.sync.dependencies import MayEditRecords
from bascule.sync.record_types import record_type
from bascule.sync.schemas import ConflictAnswer, Conflicts, RecordAnswer, Retried

router = APIRouter(prefix="/api", tags=["Two-way sync"])


class AttentionGroup(BaseModel):
    """Records of one type that one thing is the matter with. `records`: the first of them;
    `retryAt`: when the next is tried again by itself.
    """

    remedy: str
    type: str
    count: int
    retryAt: datetime | None
    records: list[RecordAnswer]


class AttentionAnswer(BaseModel):
    groups: list[AttentionGroup]


@router.get("/conflicts", name="all_conflicts")
async def all_conflicts(hub: TheHub, user: MayRead, before: Before = None) -> Conflicts:
    """Fields that both sides changed and nobody has decided about, of records of every type,
    newest first.
    """
    async with hub.db.session() as session:
        found = await conflicts.open_conflicts(session, user, before=before)
        return Conflicts(conflicts=[ConflictAnswer.of(*each) for each in found])


@router.get("/attention", name="all_attention")
async def all_attention(hub: TheHub, user: MayRead) -> AttentionAnswer:
    """Records that wait to be sent, or need somebody first, by what is the matter with them."""
    async with hub.db.session() as session:
        found = await attention.groups(session, user)
        return AttentionAnswer(
            groups=[
                AttentionGroup(
                    remedy=group.remedy,
                    type=record_type(group.record_type).plural,
                    count=group.count,
                    retryAt=group.first_at,
                    records=[RecordAnswer.of(whole) for whole in group.wholes],
                )
                for group in found
            ]
        )


@router.post("/attention/retry", name="retry_attention")
async def retry_attention(
    hub: TheHub,
    user: MayEditRecords,
    remedy: Annotated[
        str | None, Query(max_length=30, description="Those alone that wait for this.")
    ] = None,
) -> Retried:
    """Tries all again that wait or need attention, of every type."""
    return Retried(retried=await conflicts.retry_all(hub, None, by=user, remedy=remedy))
