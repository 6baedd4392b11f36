"""Records over HTTP: one set of routes for each record type, and what is common to all of them.

What happens is `records`' and `conflicts`'; a page says the same.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel

from bascule.accounts.access import MayRead, TheHub
from bascule.accounts.tables import User
from bascule.audit.entries import about, entry_of
from bascule.hub import Hub
from bascule.sync import conflicts, queries, records
from bascule.sync.dependencies import MayEditRecords
from bascule.sync.fields import RecordType
from bascule.sync.history import history_of
from bascule.sync.pairing import joining
from bascule.sync.queries import BIGGEST, LinkedRecord, RecordQuery, cursor_of, position_of
from bascule.sync.receive import undelete
from bascule.sync.receive.sync_now import sync_now
from bascule.sync.record_types import RECORD_TYPES
from bascule.sync.schemas import (
    ConflictAnswer,
    Conflicts,
    Enhanced,
    ExchangeAnswer,
    Exchanges,
    History,
    Join,
    RecordAnswer,
    Records,
    Resolve,
    ResolveAll,
    Retried,
    Step,
    body_of,
)
from bascule.sync.send.attempts import attempts_of

Number = Annotated[int, Path(ge=1, le=BIGGEST, examples=[12])]
Before = Annotated[int | None, Query(ge=1, le=BIGGEST, description="`next` of the page before.")]
CONFLICT: dict[int | str, dict[str, Any]] = {
    409: {"description": "It was changed meanwhile, or this cannot be done now."}
}
UNKNOWN: dict[int | str, dict[str, Any]] = {404: {"description": "There is none of this id."}}


def _answer(request: Request, whole: LinkedRecord) -> RecordAnswer:
    entry = entry_of(request)
    if whole.connection is not None:
        about(request, whole.connection)
    entry.private_to = entry.private_to or whole.record.private_to
    entry.object = f"{whole.record.record_type} {whole.record.id}"
    return RecordAnswer.of(whole)


def routes_of(kind: RecordType) -> APIRouter:
    """Everything that can be asked of one record type."""
    router = APIRouter(prefix=f"/api/{kind.plural}", tags=[kind.label])
    _of_all(router, kind)
    _of_one(router, kind)
    _about_one(router, kind)
    return router


def _of_all(router: APIRouter, kind: RecordType) -> None:
    new_body, changed_body = body_of(kind, new=True), body_of(kind, new=False)
    one = kind.name

    @router.get("", name=f"list_{kind.plural}")
    async def list_records(
        hub: TheHub,
        user: MayRead,
        search: Annotated[str, Query(max_length=200, description="Words that are all in it.")] = "",
        state: Annotated[
            str | None,
            Query(pattern="^(local|in_sync|sending|waiting|attention|conflict|deleted)$"),
        ] = None,
        connector: Annotated[str | None, Query(max_length=100)] = None,
        active: bool | None = None,
        after: Annotated[
            str | None, Query(max_length=2_000, description="`next` of the page before.")
        ] = None,
        limit: Annotated[int, Query(ge=1, le=500)] = 50,
    ) -> Records:
        """Those that are not deleted here, by name; searched, filtered, page by page."""
        wanted = RecordQuery(state, search, connector, active)
        async with hub.db.session() as session:
            found = await queries.find_page(
                session, kind, user, wanted, after=position_of(after), limit=limit + 1
            )
            counts = await queries.counts(session, kind, user)
            shown = found[:limit]
            return Records(
                records=[RecordAnswer.of(whole) for whole in shown],
                next=cursor_of(shown[-1]) if len(found) > limit else None,
                counts=counts,
            )

    @router.post("", status_code=201, name=f"create_{one}", responses=CONFLICT)
    async def create(
        request: Request,
        hub: TheHub,
        user: MayEditRecords,
        body: new_body,  # type: ignore[valid-type]
    ) -> RecordAnswer:
        """Saved at once, and sent to ERPNext in the background: `sync.state` tells how that goes.
        With two-way sync on several sites, `connector` names the one that it belongs to.
        """
        values = _given(body)
        connector = values.pop("connector", None)
        whole = await records.create(hub, kind, values, by=user, connector=connector)
        return _answer(request, whole)

    @router.put("", name=f"change_{one}_by_id", responses={**CONFLICT, **UNKNOWN})
    async def change_by_id(
        request: Request,
        hub: TheHub,
        user: MayEditRecords,
        body: _with_id(changed_body),  # type: ignore[valid-type]
    ) -> RecordAnswer:
        """The same as with its id in the address. `erpnextId` alone names the record that is kept
        the same with that document; where several sites have one of that name, `connector` tells
        which.
        """
        values = _given(body)
        number, connector = values.pop("id", None), values.pop("connector", None)
        if number is None:
            document = values.get("erpnextId")
            async with hub.db.session() as session:
                number = await queries.of_document(session, kind, user, document, connector)
        return _answer(request, await _change(hub, kind, number, values, user))

    @router.post("/retry", name=f"retry_{kind.plural}")
    async def retry_all(hub: TheHub, user: MayEditRecords) -> Retried:
        """Tries all again that wait or need attention."""
        return Retried(retried=await conflicts.retry_all(hub, kind, by=user))

    @router.post("/sync/enhanced", name=f"sync_{kind.plural}")
    async def sync_enhanced(
        hub: TheHub,
        user: MayEditRecords,
        whole: Annotated[bool, Query(description="Look at everything, not at changes.")] = True,
        wait: Annotated[int, Query(ge=0, le=120, description="Seconds to wait.")] = 30,
    ) -> Enhanced:
        """Fetches what is in ERPNext now, creates and updates records here, and tells what that
        was. Without it the same happens by itself every 15 minutes, or as it is set.
        """
        return await sync_now(hub, kind, user, whole=whole, wait=wait)

    @router.get("/conflicts", name=f"conflicts_of_{kind.plural}")
    async def open_conflicts(hub: TheHub, user: MayRead, before: Before = None) -> Conflicts:
        """Fields that both sides changed and nobody has decided about, newest first."""
        async with hub.db.session() as session:
            found = await conflicts.open_conflicts(session, user, kind=kind, before=before)
            return Conflicts(conflicts=[ConflictAnswer.of(*each) for each in found])


def _of_one(router: APIRouter, kind: RecordType) -> None:
    changed_body, one = body_of(kind, new=False), kind.name

    @router.get("/{number}", name=f"read_{one}")
    async def read(hub: TheHub, user: MayRead, number: Number) -> RecordAnswer:
        async with hub.db.session() as session:
            return RecordAnswer.of(await queries.find(session, kind, number, user))

    @router.put("/{number}", name=f"change_{one}", responses=CONFLICT)
    async def change(
        request: Request,
        hub: TheHub,
        user: MayEditRecords,
        number: Number,
        body: changed_body,  # type: ignore[valid-type]
    ) -> RecordAnswer:
        """Changes what is named and leaves the rest; saved at once, sent in the background."""
        return _answer(request, await _change(hub, kind, number, _given(body), user))

    @router.delete("/{number}", name=f"delete_{one}")
    async def delete(
        request: Request,
        hub: TheHub,
        user: MayEditRecords,
        number: Number,
        there: Annotated[
            str | None,
            Query(
                pattern="^(disable|delete|keep)$",
                description="What becomes of it in ERPNext; else as two-way sync is set.",
            ),
        ] = None,
    ) -> RecordAnswer:
        """Takes it out of the lists here; `POST .../restore` brings it back."""
        return _answer(request, await records.delete(hub, kind, number, by=user, there=there))

    @router.post("/{number}/restore", name=f"restore_{one}")
    async def restore(
        request: Request, hub: TheHub, user: MayEditRecords, number: Number
    ) -> RecordAnswer:
        """Takes a deletion back."""
        return _answer(request, await undelete.restore(hub, kind, number, by=user))

    @router.post("/{number}/join", name=f"join_{one}", responses=CONFLICT)
    async def join(
        request: Request, hub: TheHub, user: MayEditRecords, number: Number, body: Join
    ) -> RecordAnswer:
        """Joins a record that has no document with one that is there: both go on as one, and what
        differs is a conflict. Another record that has the document gives it over.
        """
        whole = await joining.join_with(
            hub, kind, number, body.document, by=user, connector=body.connector
        )
        return _answer(request, whole)

    @router.post("/{number}/do/{act}", name=f"do_about_{one}", responses=CONFLICT)
    async def act(
        request: Request,
        hub: TheHub,
        user: MayEditRecords,
        number: Number,
        act: Annotated[str, Path(max_length=30, examples=["retry"])],
    ) -> RecordAnswer:
        """Decides about one that waits or needs attention: `retry`, `send` (it is kept here alone:
        make it there), `give_up` (it becomes what
        ERPNext has), `recreate` (deleted there: make it again), `delete_anyway`,
        `disable_instead`, `accept` (what ERPNext did not keep is kept here alone).
        """
        entry_of(request).detail["act"] = act
        return _answer(request, await conflicts.act(hub, kind, number, act, by=user))


def _about_one(router: APIRouter, kind: RecordType) -> None:
    one = kind.name

    @router.get("/{number}/history", name=f"history_of_{one}")
    async def history(hub: TheHub, user: MayRead, number: Number, before: Before = None) -> History:
        """Every value it ever had and why, newest first."""
        async with hub.db.session() as session:
            whole = await queries.find(session, kind, number, user)
            found = await history_of(session, whole.record, before=before, limit=101)
            steps = [Step.of(change) for change in found[:100]]
        return History(steps=steps, next=steps[-1].id if len(found) > 100 else None)

    @router.get("/{number}/exchanges", name=f"exchanges_of_{one}")
    async def exchanges(
        hub: TheHub, user: MayRead, number: Number, before: Before = None
    ) -> Exchanges:
        """What was said to ERPNext about it and heard from there, newest first."""
        async with hub.db.session() as session:
            whole = await queries.find(session, kind, number, user)
            found = await attempts_of(session, whole.record.id, before=before, limit=101)
            told = [ExchangeAnswer.of(each) for each in found[:100]]
        return Exchanges(exchanges=told, next=told[-1].id if len(found) > 100 else None)

    @router.get("/{number}/conflicts", name=f"conflicts_of_{one}")
    async def its_conflicts(hub: TheHub, user: MayRead, number: Number) -> Conflicts:
        async with hub.db.session() as session:
            whole = await queries.find(session, kind, number, user)
            found = await conflicts.open_conflicts(session, user, record_id=whole.record.id)
            return Conflicts(conflicts=[ConflictAnswer.of(*each) for each in found])

    @router.post("/{number}/conflicts", name=f"settle_all_of_{one}", responses=CONFLICT)
    async def settle_all(
        request: Request, hub: TheHub, user: MayEditRecords, number: Number, body: ResolveAll
    ) -> RecordAnswer:
        """Decides all fields that are open at once."""
        return _answer(
            request, await conflicts.resolve_all(hub, kind, number, body.choice, by=user)
        )

    @router.post("/{number}/conflicts/{field}", name=f"settle_{one}", responses=CONFLICT)
    async def settle(
        request: Request,
        hub: TheHub,
        user: MayEditRecords,
        number: Number,
        field: Annotated[str, Path(max_length=40, examples=["phone"])],
        body: Resolve,
    ) -> RecordAnswer:
        """Decides one field. The value that lost stays in the history."""
        whole = await conflicts.resolve(
            hub, kind, number, field, body.choice, by=user, value=body.value
        )
        return _answer(request, whole)


async def _change(
    hub: Hub, kind: RecordType, number: int, values: dict[str, Any], user: User
) -> LinkedRecord:
    version, document = values.pop("version", None), values.pop("erpnextId", None)
    return await records.change(
        hub, kind, number, values, by=user, version=version, document=document
    )


def _with_id(body: type[BaseModel]) -> type[BaseModel]:
    from pydantic import Field, create_model  # noqa: PLC0415

    number = Field(default=None, ge=1, le=BIGGEST, examples=[12], description="Or `erpnextId`.")
    site = Field(default=None, max_length=100, description="Whose document `erpnextId` is.")
    return create_model(
        f"{body.__name__}ById", __base__=body, id=(int | None, number),
        connector=(str | None, site),
    )  # fmt: skip


def _given(body: BaseModel) -> dict[str, Any]:
    """What was said, and not what was left out."""
    return body.model_dump(exclude_unset=True)


routers = [routes_of(kind) for kind in RECORD_TYPES.values()]
