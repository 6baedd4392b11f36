"""What people who were deactivated left behind, for admins: told without contents, handed over,
deleted.
"""

from datetime import datetime
from typing import Any, Self
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from bascule.accounts.access import ConfirmedPerson, TheHub, require
from bascule.accounts.people.api import UserId, note
from bascule.accounts.permissions import PEOPLE_MANAGE
from bascule.audit.entries import entry_of
from bascule.connections.left_behind.handover import delete_left, hand_over, left_by
from bascule.connections.tables import Connection

router = APIRouter(
    prefix="/api/users/{user}/connections",
    tags=["People"],
    dependencies=[Depends(require(PEOPLE_MANAGE))],
)
ACTIVE: dict[int | str, dict[str, Any]] = {
    409: {"description": "They are active: their private connections are theirs alone."}
}


class LeftConnection(BaseModel):
    """A private connection at rest: that it is there, and nothing of what is in it."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    name: str = Field(examples=["Acme Trading"])
    api_url: str = Field(examples=["https://erp.example.com"])
    created_at: datetime


class LeftConnections(BaseModel):
    connections: list[LeftConnection]

    @classmethod
    def of(cls, connections: list[Connection]) -> Self:
        return cls(connections=[LeftConnection.model_validate(each) for each in connections])


class HandOver(BaseModel):
    to: str = Field(
        max_length=300,
        description="The username or e-mail address of an editor or an admin.",
        examples=["maarten"],
    )


class DeletedConnections(BaseModel):
    deleted: int = Field(examples=[1])


@router.get("", responses=ACTIVE)
async def left_connections(hub: TheHub, user: UserId) -> LeftConnections:
    """The private connections of somebody who was deactivated. They are at rest: nothing is asked
    of their sites, and nothing taken from them.
    """
    async with hub.db.session() as session:
        return LeftConnections.of((await left_by(session, user))[1])


@router.post("/hand-over", responses=ACTIVE)
async def hand_over_connections(
    request: Request, hub: TheHub, admin: ConfirmedPerson, user: UserId, body: HandOver
) -> LeftConnections:
    """Gives all of them to an editor or an admin, with the credentials and what was mirrored. They
    stay private, and go on from then on. This gives somebody a way into a site, so it needs a
    person who gave their password lately.
    """
    async with hub.db.session() as session:
        person, heir, connections = await hand_over(session, user, body.to)
        note(request, person)
        entry_of(request).detail["to"] = heir.username
        return LeftConnections.of(connections)


@router.delete("", responses=ACTIVE)
async def delete_left_connections(
    request: Request, hub: TheHub, user: UserId
) -> DeletedConnections:
    """Deletes all of them, with their mirrors. Nothing on their sites changes."""
    person, deleted = await delete_left(hub, user)
    note(request, person)
    return DeletedConnections(deleted=len(deleted))
