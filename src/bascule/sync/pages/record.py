"""A record's own page: what it is, how it stands, what happened to it, and what can be done."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Path, Query, Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.accounts.access import MayRead, TheHub
from bascule.accounts.tables import User
from bascule.audit.entries import entry_of
from bascule.connections.permissions import CONNECTIONS_MANAGE
from bascule.connections.tables import Connection
from bascule.errors import Conflict, HubError, Invalid, NoSuch
from bascule.frappe import FrappeError
from bascule.hub import Hub
from bascule.sync import attention, conflicts, queries, records
from bascule.sync.dependencies import MayEditRecords
from bascule.sync.fields import Field, RecordType
from bascule.sync.history import history_of
from bascule.sync.pages.form import GROUPS
from bascule.sync.pages.labels import (
    ON_DELETE,
    Attempt,
    TimelineEntry,
    attempts,
    record_status,
    shown,
    site_url,
    timeline,
)
from bascule.sync.pages.record_type import Number, TheKind, note, page_of
from bascule.sync.pairing import joining
from bascule.sync.permissions import RECORDS_EDIT, TWO_WAY_MANAGE
from bascule.sync.queries import BIGGEST, LinkedRecord
from bascule.sync.receive import undelete
from bascule.sync.receive.withheld import unread
from bascule.sync.send.attempts import attempts_of
from bascule.sync.setup.settings import two_ways
from bascule.ui import back_to, page_url, render

STEPS, ATTEMPTS = 20, 10  # on a page
SAID = {
    "send": "It is on its way to ERPNext.",
    "retry": "It is tried again now.",
    "give_up": "The edit was given up.",
    "recreate": "It is being made in ERPNext again.",
    "delete_anyway": "It is being deleted in ERPNext.",
    "disable_instead": "It is being disabled in ERPNext.",
    "accept": "It is kept here alone from now on.",
}
Before = Annotated[int | None, Query(ge=1, le=BIGGEST)]
Short = Annotated[str, Form(max_length=20)]


def add_to(router: APIRouter, kind: RecordType) -> None:
    one = kind.name
    router.get("/{number}")(record_page)
    router.post("/{number}/do/{act}", name=f"do_about_{one}")(act)
    router.post("/{number}/join", name=f"join_{one}")(join)
    router.post("/{number}/delete", name=f"delete_{one}")(delete)
    router.post("/{number}/restore", name=f"restore_{one}")(restore)
    router.post("/{number}/conflicts", name=f"settle_all_of_{one}")(settle_all)
    router.post("/{number}/conflicts/{field}", name=f"settle_{one}")(settle)


@dataclass(frozen=True)
class ShownField:
    """A field of the record. `alone`: why the site has not got it; `wrong`: what it says of it;
    `unread`: why nobody knows what the site has.
    """

    field: Field
    text: str
    alone: str = ""
    wrong: str = ""
    unread: str = ""


@dataclass(frozen=True)
class RecordPast:
    """What happened, the newest first; `older`: the address of the page before."""

    told: list[TimelineEntry]
    older: str
    attempts: list[Attempt]
    older_attempts: str


async def record_page(
    request: Request,
    hub: TheHub,
    user: MayRead,
    kind: TheKind,
    number: Number,
    before: Before = None,
    tried: Before = None,
) -> Response:
    """`before`, `tried`: older pages of its history, and of what was said to the site."""
    async with hub.db.session() as session:
        whole = await queries.find(session, kind, number, user)
        past = await _past(session, whole, before, tried)
        found, _ = await attention.undecided(session, user, record_id=number)
        alone = whole.link is None and whole.record.deleted_at is None
        ways = await two_ways(session, user) if alone else []
        session.expunge_all()
    undecided = found[0] if found else None
    could_send = [
        connection
        for two_way, connection in ways
        if two_way.status == "on" and two_way.record_type == kind.name
    ]
    groups = _groups(whole)
    return render(
        request,
        "sync/record.html",
        kind=kind,
        whole=whole,
        record=whole.record,
        page=page_of(whole),
        standing=record_status(whole, len(undecided.conflicts) if undecided else 0),
        undecided=undecided,
        shown=shown,
        groups=groups,
        kept_alone=[one for _, fields in groups for one in fields if one.alone],
        past=past,
        could_send=could_send,
        could_join=_could_join(whole, could_send),
        before=before,
        tried=tried,
        url=site_url(whole),
        on_delete=ON_DELETE,
        may_edit=user.may(RECORDS_EDIT),
        may_map=_may_map(user, whole),
    )


def _could_join(whole: LinkedRecord, could_send: list[Connection]) -> list[Connection]:
    """The connections with a document of which it could go on as one: it has none itself."""
    link = whole.link
    if link is None:
        return could_send
    joined = link.document is not None and link.gone_at is None
    if joined or whole.is_paused or link.state == "sending" or whole.record.deleted_at is not None:
        return []
    return [whole.connection] if whole.connection else []


def _may_map(user: User, whole: LinkedRecord) -> bool:
    connection = whole.connection
    return connection is not None and user.may(
        CONNECTIONS_MANAGE if connection.shared else TWO_WAY_MANAGE
    )


async def _past(
    session: AsyncSession, whole: LinkedRecord, before: int | None, tried: int | None
) -> RecordPast:
    steps = await history_of(session, whole.record, before=before, limit=STEPS + 1)
    found = await attempts_of(session, whole.record.id, before=tried, limit=ATTEMPTS + 1)
    page = page_of(whole)

    def older(listed: list[Any], most: int, name: str, kept: dict[str, int | None]) -> str:
        return page_url(page, kept.items(), **{name: listed[most - 1].id}) if listed[most:] else ""

    return RecordPast(
        timeline(steps[:STEPS], whole.fields),
        older(steps, STEPS, "before", {"tried": tried}),
        attempts(found[:ATTEMPTS]),
        older(found, ATTEMPTS, "tried", {"before": before}),
    )


def _groups(whole: LinkedRecord) -> list[tuple[str, list[ShownField]]]:
    """The fields that say something, group by group."""
    found: dict[str, list[ShownField]] = {name: [] for name in GROUPS}
    wrong = whole.link.wrong if whole.link else {}
    not_read = unread(whole.fields, whole.link) if whole.link else {}
    for one in whole.fields.fields:
        text = shown(one, whole.record.values.get(one.name))
        if not text and one.name not in wrong and one.name not in not_read:
            continue
        alone = whole.why_alone(one) or ""
        found["own" if one.own else one.group].append(
            ShownField(one, text, alone, str(wrong.get(one.name, "")), not_read.get(one.name, ""))
        )
    return [(GROUPS[name], listed) for name, listed in found.items() if listed]


async def act(
    request: Request,
    hub: TheHub,
    user: MayEditRecords,
    kind: TheKind,
    number: Number,
    act: Annotated[str, Path(max_length=30)],
    connector: Annotated[str, Form(max_length=100)] = "",
) -> Response:
    """`connector`: to which of several a record is sent that is kept here alone."""
    entry_of(request).detail["act"] = act
    try:
        if act == "send" and connector:
            whole = await records.send_anew(hub, kind, number, by=user, connector=connector)
        else:
            whole = await conflicts.act(hub, kind, number, act, by=user)
    except (Conflict, Invalid) as refused:
        return await _refused(request, hub, user, kind, number, f"/{kind.plural}/{number}", refused)
    note(request, whole)
    return back_to(page_of(whole), SAID[act])


async def join(
    request: Request,
    hub: TheHub,
    user: MayEditRecords,
    kind: TheKind,
    number: Number,
    document: Annotated[str, Form(max_length=255)] = "",
    connector: Annotated[str, Form(max_length=100)] = "",
) -> Response:
    """With a document that is there; `connector`: of several, whose."""
    try:
        whole = await joining.join_with(
            hub, kind, number, document, by=user, connector=connector or None
        )
    except (Conflict, Invalid, FrappeError) as refused:
        return await _refused(request, hub, user, kind, number, f"/{kind.plural}/{number}", refused)
    note(request, whole)
    joined = whole.link.document if whole.link else ""
    return back_to(page_of(whole), f"It is joined with {joined}.", next_step="Both are compared.")


async def delete(
    request: Request,
    hub: TheHub,
    user: MayEditRecords,
    kind: TheKind,
    number: Number,
    there: Short = "",
) -> Response:
    chosen = there if there in ON_DELETE else None
    whole = await records.delete(hub, kind, number, by=user, there=chosen)
    note(request, whole)
    return back_to(
        page_of(whole), f"{whole.record.title} is deleted here.", next_step="Restore takes it back."
    )


async def restore(
    request: Request, hub: TheHub, user: MayEditRecords, kind: TheKind, number: Number
) -> Response:
    whole = await undelete.restore(hub, kind, number, by=user)
    note(request, whole)
    return back_to(page_of(whole), f"{whole.record.title} is back.")


async def settle(
    request: Request,
    hub: TheHub,
    user: MayEditRecords,
    kind: TheKind,
    number: Number,
    field: Annotated[str, Path(max_length=40)],
    choice: Short = "",
    value: Annotated[str, Form(max_length=10_000)] = "",
    back: Short = "",
) -> Response:
    """`back`: "conflicts" for the page of all of them."""
    to = _back(kind.plural, number, back)
    try:
        whole = await conflicts.resolve(hub, kind, number, field, choice, by=user, value=value)
    except (NoSuch, Invalid) as refused:
        return await _refused(request, hub, user, kind, number, to, refused)
    note(request, whole)
    one = whole.fields.by_name[field]
    text = shown(one, whole.record.values.get(field)) or "nothing"
    return back_to(
        to,
        f"{one.label} of {whole.record.title} is {text}.",
        next_step="The value that lost is in its history.",
    )


async def settle_all(
    request: Request,
    hub: TheHub,
    user: MayEditRecords,
    kind: TheKind,
    number: Number,
    choice: Short = "",
    back: Short = "",
) -> Response:
    to = _back(kind.plural, number, back)
    try:
        whole = await conflicts.resolve_all(hub, kind, number, choice, by=user)
    except (NoSuch, Invalid) as refused:
        return await _refused(request, hub, user, kind, number, to, refused)
    note(request, whole)
    return back_to(
        to,
        f"All that was open about {whole.record.title} is decided.",
        next_step="The values that lost are in its history.",
    )


async def _refused(
    request: Request,
    hub: Hub,
    user: User,
    kind: RecordType,
    number: int,
    to: str,
    error: HubError | FrappeError,
) -> Response:
    """Says why on the page that it was asked from. NoSuch: there is no such record at all; what
    else is not there any more, somebody decided about before.
    """
    async with hub.db.session() as session:
        note(request, await queries.find(session, kind, number, user))
    how: Literal["note", "failed"] = "note" if isinstance(error, NoSuch) else "failed"
    return back_to(to, str(error), kind=how, next_step=error.next_step)


def _back(plural: str, number: int, back: str) -> str:
    return "/conflicts" if back == "conflicts" else f"/{plural}/{number}"
