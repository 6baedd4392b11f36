"""The outbox over HTTP: what waits, what failed and why; tried again, given up, taken back."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request

from bascule.accounts.access import MayRead, TheHub
from bascule.outbox import decisions, queries
from bascule.outbox.dependencies import MayManageOutbox, write_to_decide
from bascule.outbox.failures import Kind
from bascule.outbox.queries import State, Wanted
from bascule.outbox.schemas import RetriedWrites, WholeWrite, WriteAnswer, Writes

router = APIRouter(prefix="/api/outbox", tags=["Outbox"])
BIGGEST = 2**63 - 1  # of a bigint
Number = Annotated[int, Path(ge=1, le=BIGGEST, description="A write's number, as the list has it.")]
Responses = dict[int | str, dict[str, Any]]
OVER: Responses = {409: {"description": "Not now: it is being sent, or is over."}}


def wanted(
    state: State | None = None,
    connector: Annotated[
        str | None, Query(max_length=100, description="A connector's slug.")
    ] = None,
    doctype: Annotated[str | None, Query(max_length=140)] = None,
    origin: Annotated[
        str | None, Query(max_length=100, description="The part of the hub that put it.")
    ] = None,
    failure: Kind | None = None,
    search: Annotated[
        str | None, Query(max_length=200, description="A part of the key, or of the name.")
    ] = None,
) -> Wanted:
    return Wanted(state, connector, doctype, origin, failure, search)


Asked = Annotated[Wanted, Depends(wanted)]


@router.get("")
async def outbox(
    hub: TheHub,
    user: MayRead,
    asked: Asked,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    before: Annotated[
        int | None, Query(ge=1, le=BIGGEST, description="`next` of the page before.")
    ] = None,
) -> Writes:
    """Documents on their way to ERPNext and those that arrived, newest first."""
    async with hub.db.session() as session:
        found = await queries.list_writes(session, user, asked, before=before, limit=limit + 1)
        many = await queries.counts(session, user)
    page = [WriteAnswer.of(*one) for one in found[:limit]]
    return Writes.model_validate(
        {
            "writes": page,
            "counts": many,
            "next": page[-1].id if len(found) > limit else None,
        }
    )


@router.get("/{write}")
async def one_write(hub: TheHub, user: MayRead, write: Number) -> WholeWrite:
    """A write with what is sent, and every request that was made for it."""
    async with hub.db.session() as session:
        row, connection = await queries.find_write(session, user, write)
        attempts = await queries.attempts_of(session, write)
        return WholeWrite.of(row, connection, attempts)


@router.post("/retry")
async def retry_writes(hub: TheHub, user: MayManageOutbox, asked: Asked) -> RetriedWrites:
    """Tries all again that failed, of those that are asked for. What was sent before and may have
    arrived is looked for first.
    """
    async with hub.db.session() as session:
        return RetriedWrites(retried=await queries.retry_failed(hub, session, user, asked))


@router.post("/{write}/retry", responses=OVER)
async def retry_write(
    request: Request, hub: TheHub, user: MayManageOutbox, write: Number
) -> WriteAnswer:
    """Tries it again at once, based on the document as it is now."""
    async with write_to_decide(request, hub, user, write) as (session, row, connection):
        await decisions.retry(hub, session, row)
        return WriteAnswer.of(row, connection)


@router.post("/{write}/give-up", responses=OVER)
async def give_up_write(
    request: Request, hub: TheHub, user: MayManageOutbox, write: Number
) -> WriteAnswer:
    """It is not sent any more, and what depends on it fails. What may have been made of it stays in
    ERPNext.
    """
    async with write_to_decide(request, hub, user, write) as (session, row, connection):
        await decisions.give_up(hub, session, row)
        return WriteAnswer.of(row, connection)


@router.post("/{write}/undo", responses=OVER)
async def undo_write(
    request: Request, hub: TheHub, user: MayManageOutbox, write: Number
) -> WriteAnswer:
    """Takes it back by another write, which is the answer: a draft is deleted, what was submitted
    is cancelled, a change is put back, unless somebody has saved the document since.
    """
    async with write_to_decide(request, hub, user, write) as (session, row, connection):
        number = await decisions.undo(hub, session, row, by=user.username)
        other, _ = await queries.find_write(session, user, number)
        await session.refresh(other)
        return WriteAnswer.of(other, connection)
