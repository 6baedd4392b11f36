"""Who did what, over HTTP: pages of the journal, and all of it as CSV, for admins."""

import csv
import io
import json
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from fastapi.responses import StreamingResponse
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from bascule.accounts.access import TheHub
from bascule.accounts.downloads import REFUSALS, Download
from bascule.audit.dependencies import MayReadAudit
from bascule.audit.entries import EntryQuery, entries, recorded
from bascule.spreadsheets import disarmed

router = APIRouter(tags=["Audit"])
BIGGEST = 2**63 - 1  # of a bigint
AT_ONCE = 1_000
COLUMNS = ("id", "at", "username", "action", "via", "address", "connection_id", "object", "detail")


class AuditEntry(BaseModel):
    """One thing that was done, or tried: `detail.status` tells how a request was answered."""

    model_config = ConfigDict(
        from_attributes=True,
        json_schema_extra={
            "example": {
                "id": 311,
                "at": "2026-11-20T22:48:17Z",
                "user_id": 1,
                "username": "maarten",
                "action": "change_connector",
                "via": "session",
                "address": "192.168.1.20",
                "connection_id": "7c9e6679-7425-40de-944b-e07fc1f90ae7",
                "object": "acme_trading",
                "detail": {
                    "method": "PATCH",
                    "route": "/api/connectors/{connector}",
                    "status": 200,
                },
            }
        },
    )

    id: int
    at: datetime
    user_id: int | None = Field(description="null: the machine itself, or nobody that is known.")
    username: str
    action: str = Field(description="A route's name, or sign-in, sign-in.failed, cli.connect, ...")
    via: str = Field(description="session, jwt, token or cli.")
    address: str
    connection_id: UUID | None
    object: str = Field(description="What it was done to, by its name.")
    detail: dict[str, Any]


class AuditEntries(BaseModel):
    entries: list[AuditEntry]
    next: int | None = Field(description="Send it as `before` for the next page; null at the end.")


def wanted(
    user: Annotated[str | None, Query(max_length=300, description="A user's name.")] = None,
    action: Annotated[
        str | None,
        Query(max_length=100, description="An action, or what stands before its dot: `cli`."),
    ] = None,
    connection: Annotated[
        str | None, Query(max_length=100, description="A connection's id or slug.")
    ] = None,
    since: Annotated[AwareDatetime | None, Query(description="Not before this moment.")] = None,
    until: Annotated[AwareDatetime | None, Query(description="Before this moment.")] = None,
) -> EntryQuery:
    return EntryQuery(user=user, action=action, connection=connection, since=since, until=until)


Asked = Annotated[EntryQuery, Depends(wanted)]


@router.get("/api/audit")
async def audit(
    hub: TheHub,
    user: MayReadAudit,
    asked: Asked,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    before: Annotated[
        int | None, Query(ge=1, le=BIGGEST, description="`next` of the page before.")
    ] = None,
) -> AuditEntries:
    """Who did what, newest first: everything that changed something or tried to, sign-ins and
    downloads. What concerns somebody else's private connection is left out. Kept for 400 days.
    """
    async with hub.db.session() as session:
        found = await entries(session, user, asked, before=before, limit=limit + 1)
    page = [AuditEntry.model_validate(entry) for entry in found[:limit]]
    return AuditEntries(entries=page, next=page[-1].id if len(found) > limit else None)


@router.get(
    "/api/audit.csv",
    dependencies=[Depends(recorded)],
    response_class=StreamingResponse,
    responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}, **REFUSALS},
)
async def audit_csv(hub: TheHub, user: MayReadAudit, asked: Asked) -> Download:
    """The same as a file, without pages."""

    async def lines() -> AsyncGenerator[str]:
        yield _csv(COLUMNS)
        before = None
        while True:
            async with hub.db.session() as session:
                found = await entries(session, user, asked, before=before, limit=AT_ONCE)
            yield "".join(_csv(_cells(AuditEntry.model_validate(entry))) for entry in found)
            if len(found) < AT_ONCE:
                return
            before = found[-1].id

    name = f"audit-{datetime.now(UTC):%Y-%m-%d}.csv"
    return Download(hub, user, lines(), name=name, media_type="text/csv; charset=utf-8")


def _cells(entry: AuditEntry) -> list[str]:
    told = entry.model_dump(mode="json")
    cells = [json.dumps(v) if isinstance(v, dict) else str(v or "") for v in map(told.get, COLUMNS)]
    return [disarmed(cell) for cell in cells]


def _csv(cells: tuple[str, ...] | list[str]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue()
