"""Records over HTTP: one set of routes for each record type, and what is common to all of them.

What happens is `records`', `conflicts`', `setup`'s and `matching`'s; a page says the same.
"""

import asyncio
import json
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Annotated, Any
from uuid import uuid4

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import BaseModel

from bascule.accounts.access import Editor, TheHub, Viewer
from bascule.accounts.tables import User
from bascule.connections.api import TheConnection
from bascule.errors import Invalid
from bascule.events.journal import about, entry_of
from bascule.hub import Hub
from bascule.twoway import conflicts, matching, records, setup
from bascule.twoway.answers import (
    Begin,
    Checked,
    ConflictAnswer,
    Conflicts,
    Decide,
    Enhanced,
    ExchangeAnswer,
    Exchanges,
    History,
    MatchAnswer,
    Preview,
    RecordAnswer,
    Records,
    Retried,
    Settle,
    SettleAll,
    Step,
    TwoWayAnswer,
    TwoWayChange,
    body_of,
)
from bascule.twoway.exchanges import exchanges_of
from bascule.twoway.fields import RecordType
from bascule.twoway.history import history_of
from bascule.twoway.kinds import RECORD_TYPES, record_type
from bascule.twoway.pulling import start_poll
from bascule.twoway.records import Wanted, Whole
from bascule.twoway.setup import two_ways
from bascule.twoway.tables import TwoWay

BIGGEST = 2**63 - 1  # of a bigint
Number = Annotated[int, Path(ge=1, le=BIGGEST, examples=[12])]
Before = Annotated[int | None, Query(ge=1, le=BIGGEST, description="`next` of the page before.")]
CONFLICT: dict[int | str, dict[str, Any]] = {
    409: {"description": "It was changed meanwhile, or this cannot be done now."}
}
UNKNOWN: dict[int | str, dict[str, Any]] = {404: {"description": "There is none of this id."}}


def _answer(request: Request, whole: Whole) -> RecordAnswer:
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
        user: Viewer,
        q: Annotated[str, Query(max_length=200, description="Words that are all in it.")] = "",
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
        wanted = Wanted(state, q, connector, active)
        async with hub.db.session() as session:
            found = await records.listed(
                session, kind, user, wanted, after=position_of(after), limit=limit + 1
            )
            counts = await records.counts(session, kind, user)
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
        user: Editor,
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
        user: Editor,
        body: _with_id(changed_body),  # type: ignore[valid-type]
    ) -> RecordAnswer:
        """The same as with its id in the address."""
        values = _given(body)
        number, version = values.pop("id"), values.pop("version", None)
        whole = await records.change(hub, kind, number, values, by=user, version=version)
        return _answer(request, whole)

    @router.post("/retry", name=f"retry_{kind.plural}")
    async def retry_all(hub: TheHub, user: Editor) -> Retried:
        """Tries all again that wait or need attention."""
        return Retried(retried=await conflicts.retry_all(hub, kind, by=user))

    @router.post("/sync/enhanced", name=f"sync_{kind.plural}")
    async def sync_enhanced(
        hub: TheHub,
        user: Editor,
        whole: Annotated[bool, Query(description="Look at everything, not at changes.")] = True,
        wait: Annotated[int, Query(ge=0, le=120, description="Seconds to wait.")] = 30,
    ) -> Enhanced:
        """Fetches what is in ERPNext now, creates and updates records here, and tells what that
        was. Without it the same happens by itself every 15 minutes, or as it is set.
        """
        return await sync_now(hub, kind, user, whole=whole, wait=wait)

    @router.get("/conflicts", name=f"conflicts_of_{kind.plural}")
    async def open_conflicts(hub: TheHub, user: Viewer, before: Before = None) -> Conflicts:
        """Fields that both sides changed and nobody has decided about, newest first."""
        async with hub.db.session() as session:
            found = await conflicts.open_conflicts(session, user, kind=kind, before=before)
            return Conflicts(conflicts=[ConflictAnswer.of(*each) for each in found])


def _of_one(router: APIRouter, kind: RecordType) -> None:
    changed_body, one = body_of(kind, new=False), kind.name

    @router.get("/{number}", name=f"read_{one}")
    async def read(hub: TheHub, user: Viewer, number: Number) -> RecordAnswer:
        async with hub.db.session() as session:
            return RecordAnswer.of(await records.find(session, kind, number, user))

    @router.put("/{number}", name=f"change_{one}", responses=CONFLICT)
    async def change(
        request: Request,
        hub: TheHub,
        user: Editor,
        number: Number,
        body: changed_body,  # type: ignore[valid-type]
    ) -> RecordAnswer:
        """Changes what is named and leaves the rest; saved at once, sent in the background."""
        values = _given(body)
        version = values.pop("version", None)
        whole = await records.change(hub, kind, number, values, by=user, version=version)
        return _answer(request, whole)

    @router.delete("/{number}", name=f"delete_{one}")
    async def delete(
        request: Request,
        hub: TheHub,
        user: Editor,
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
    async def restore(request: Request, hub: TheHub, user: Editor, number: Number) -> RecordAnswer:
        """Takes a deletion back."""
        return _answer(request, await records.restore(hub, kind, number, by=user))

    @router.post("/{number}/do/{act}", name=f"do_about_{one}", responses=CONFLICT)
    async def act(
        request: Request,
        hub: TheHub,
        user: Editor,
        number: Number,
        act: Annotated[str, Path(max_length=30, examples=["retry"])],
    ) -> RecordAnswer:
        """Decides about one that waits or needs attention: `retry`, `send` (it is kept here alone:
        make it there), `give_up` (it becomes what
        ERPNext has), `recreate` (deleted there: make it again), `delete_anyway`,
        `disable_instead`, `accept` (what ERPNext did not keep is kept here alone).
        """
        return _answer(request, await conflicts.act(hub, kind, number, act, by=user))


def _about_one(router: APIRouter, kind: RecordType) -> None:
    one = kind.name

    @router.get("/{number}/history", name=f"history_of_{one}")
    async def history(hub: TheHub, user: Viewer, number: Number, before: Before = None) -> History:
        """Every value it ever had and why, newest first."""
        async with hub.db.session() as session:
            whole = await records.find(session, kind, number, user)
            found = await history_of(session, whole.record, before=before, limit=101)
            steps = [Step.of(change) for change in found[:100]]
        return History(steps=steps, next=steps[-1].id if len(found) > 100 else None)

    @router.get("/{number}/exchanges", name=f"exchanges_of_{one}")
    async def exchanges(
        hub: TheHub, user: Viewer, number: Number, before: Before = None
    ) -> Exchanges:
        """What was said to ERPNext about it and heard from there, newest first."""
        async with hub.db.session() as session:
            whole = await records.find(session, kind, number, user)
            found = await exchanges_of(session, whole.record.id, before=before, limit=101)
            told = [ExchangeAnswer.of(each) for each in found[:100]]
        return Exchanges(exchanges=told, next=told[-1].id if len(found) > 100 else None)

    @router.get("/{number}/conflicts", name=f"conflicts_of_{one}")
    async def its_conflicts(hub: TheHub, user: Viewer, number: Number) -> Conflicts:
        async with hub.db.session() as session:
            whole = await records.find(session, kind, number, user)
            found = await conflicts.open_conflicts(session, user, record_id=whole.record.id)
            return Conflicts(conflicts=[ConflictAnswer.of(*each) for each in found])

    @router.post("/{number}/conflicts", name=f"settle_all_of_{one}", responses=CONFLICT)
    async def settle_all(
        request: Request, hub: TheHub, user: Editor, number: Number, body: SettleAll
    ) -> RecordAnswer:
        """Decides all fields that are open at once."""
        return _answer(request, await conflicts.settle_all(hub, kind, number, body.choice, by=user))

    @router.post("/{number}/conflicts/{field}", name=f"settle_{one}", responses=CONFLICT)
    async def settle(
        request: Request,
        hub: TheHub,
        user: Editor,
        number: Number,
        field: Annotated[str, Path(max_length=40, examples=["phone"])],
        body: Settle,
    ) -> RecordAnswer:
        """Decides one field. The value that lost stays in the history."""
        whole = await conflicts.settle(
            hub, kind, number, field, body.choice, by=user, value=body.value
        )
        return _answer(request, whole)


def _with_id(body: type[BaseModel]) -> type[BaseModel]:
    from pydantic import Field, create_model  # noqa: PLC0415

    return create_model(
        f"{body.__name__}ById", __base__=body, id=(int, Field(ge=1, le=BIGGEST, examples=[12]))
    )


def _given(body: BaseModel) -> dict[str, Any]:
    """What was said, and not what was left out."""
    return body.model_dump(exclude_unset=True)


def cursor_of(whole: Whole) -> str:
    """The place in the list behind this record, for `after`."""
    position = [whole.record.title, whole.record.id]
    return urlsafe_b64encode(json.dumps(position).encode()).decode().rstrip("=")


def position_of(after: str | None) -> tuple[str, int] | None:
    if not after:
        return None
    try:
        title, number = json.loads(urlsafe_b64decode(after + "=" * (-len(after) % 4)))
        if not isinstance(title, str) or not isinstance(number, int) or abs(number) > BIGGEST:
            raise ValueError  # noqa: TRY301
        title.encode()
    except (ValueError, TypeError):
        raise Invalid(
            "'after' is not what a page before gave as 'next'.",
            next_step="Leave it out to begin with the first page.",
            fields={"after": "is no place in the list"},
        ) from None
    return title.replace("\0", ""), number


async def sync_now(
    hub: Hub, kind: RecordType, user: User | None, *, whole: bool, wait: int
) -> Enhanced:
    """A poll of each connection that this person may see, waited for."""
    ticket = uuid4().hex
    async with hub.db.session() as session:
        mine = [
            (two_way.id, connection.slug)
            for two_way, connection in await two_ways(session, user)
            if two_way.record_type == kind.name and two_way.status == "on"
        ]
        for number, _ in mine:
            two_way = await session.get(TwoWay, number)
            assert two_way is not None  # noqa: S101
            await start_poll(hub, session, two_way, whole=whole, ticket=ticket)
    give_up = time.monotonic() + wait
    while True:
        told = await _told(hub, mine, ticket)
        if len(told) == len(mine) or time.monotonic() >= give_up:
            break
        await asyncio.sleep(0.1)
    errors = {slug: str(one["error"]) for slug, one in told.items() if "error" in one}
    sums = {
        slug: {k: v for k, v in one.items() if isinstance(v, int)} for slug, one in told.items()
    }
    total: dict[str, int] = {}
    for one in sums.values():
        for name, count in one.items():
            total[name] = total.get(name, 0) + count
    return Enhanced(
        success=not errors,
        finished=len(told) == len(mine),
        summary=total,
        connectors=sums,
        errors=errors,
    )


async def _told(hub: Hub, mine: list[tuple[int, str]], ticket: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    async with hub.db.session() as session:
        for number, slug in mine:
            two_way = await session.get(TwoWay, number)
            if two_way is None:
                found[slug] = {"error": "The connection was deleted meanwhile."}
            elif two_way.last_summary.get("ticket") == ticket:
                found[slug] = two_way.last_summary
    return found


# How a connector's records are kept the same

two_way_router = APIRouter(prefix="/api/connectors/{connector}/two-way", tags=["Two-way sync"])


def kind_in_path(
    records: Annotated[
        str, Path(max_length=40, description="customers or suppliers", examples=["customers"])
    ],
) -> RecordType:
    return record_type(records)


TheKind = Annotated[RecordType, Depends(kind_in_path)]


@two_way_router.get("/{records}", name="read_two_way")
async def read_two_way(
    hub: TheHub, user: Viewer, connection: TheConnection, kind: TheKind
) -> TwoWayAnswer:
    """Whether these records are kept the same with the site, how, and where each field lives."""
    async with hub.db.session() as session:
        found = await setup.find_two_way(session, connection, kind)
        two_way = found or setup.unsaved(connection, kind)
        return TwoWayAnswer.of(two_way, connection.slug)


@two_way_router.patch("/{records}", name="change_two_way")
async def change_two_way(
    hub: TheHub, user: Editor, connection: TheConnection, kind: TheKind, body: TwoWayChange
) -> TwoWayAnswer:
    """Changes what is named. `mapping` lists the fields that you add, and of the others those that
    you change. On a connector that all share: admins.
    """
    changes = body.model_dump(exclude_unset=True)
    two_way = await setup.configure(hub, connection, kind, changes, by=user)
    return TwoWayAnswer.of(two_way, connection.slug)


@two_way_router.post("/{records}/check", name="check_two_way")
async def check_two_way(
    hub: TheHub, user: Editor, connection: TheConnection, kind: TheKind
) -> Checked:
    """Asks the site which fields it can hold. Writes nothing there."""
    two_way, found = await setup.ask_the_site(hub, connection, kind, by=user)
    return Checked(
        cannot_hold={k: str(v) for k, v in two_way.cannot_hold.items()},
        companies=found.companies,
        notes=[{"what": what, "next_step": step} for what, step in found.notes],
        owned_field=two_way.owned_field,
    )


@two_way_router.post("/{records}/begin", name="begin_two_way", responses=CONFLICT)
async def begin_two_way(
    hub: TheHub, user: Editor, connection: TheConnection, kind: TheKind, body: Begin
) -> TwoWayAnswer:
    """The first of two steps: pairs what both sides have, for you to look at. Nothing is written to
    the site but the hub's own field, if you let it add one.
    """
    two_way = await setup.begin(hub, connection, kind, by=user, own_field=body.own_field)
    return TwoWayAnswer.of(two_way, connection.slug)


@two_way_router.get("/{records}/matches", name="matches_two_way")
async def matches(
    hub: TheHub,
    user: Viewer,
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
        found = await setup.find_two_way(session, connection, kind)
        two_way = found or setup.unsaved(connection, kind)
        ready = two_way.last_summary.get("matching") == "ready"
        rows = []
        if found is not None:
            rows = await matching.preview(
                session, two_way, decision=decision, after=after, limit=limit + 1
            )
        shown = rows[:limit]
        return Preview(
            ready=ready,
            counts=await matching.preview_counts(session, two_way),
            matches=[MatchAnswer.of(*row, kind) for row in shown],
            next=shown[-1][0].id if len(rows) > limit else None,
        )


@two_way_router.post("/{records}/matches", name="decide_match")
async def decide_match(
    hub: TheHub, user: Editor, connection: TheConnection, kind: TheKind, body: Decide
) -> Preview:
    """Changes what becomes of one row of the preview."""
    await matching.decide(hub, connection, kind, body.id, body.decision, by=user)
    return await matches(hub, user, connection, kind)


@two_way_router.post("/{records}/confirm", name="confirm_two_way", responses=CONFLICT)
async def confirm_two_way(
    hub: TheHub, user: Editor, connection: TheConnection, kind: TheKind
) -> TwoWayAnswer:
    """The second step: turns two-way sync on with these pairs. From now on the hub writes to the
    site.
    """
    two_way = await matching.confirm(hub, connection, kind, by=user)
    return TwoWayAnswer.of(two_way, connection.slug)


@two_way_router.delete("/{records}", name="end_two_way")
async def end_two_way(
    hub: TheHub, user: Editor, connection: TheConnection, kind: TheKind
) -> TwoWayAnswer:
    """Turns it off: nothing is read or written any more. What is here stays."""
    two_way = await setup.turn_off(hub, connection, kind, by=user)
    return TwoWayAnswer.of(two_way, connection.slug)


routers = [*(routes_of(kind) for kind in RECORD_TYPES.values()), two_way_router]
