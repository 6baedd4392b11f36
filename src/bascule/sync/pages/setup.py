"""Two-way sync of a connection's records: turned on after a look at the pairs, and turned off."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request, Response
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.accounts.access import MayRead, TheHub
from bascule.accounts.tables import User
from bascule.connections.api import TheConnection
from bascule.connections.permissions import CONNECTIONS_MANAGE
from bascule.connections.tables import Connection
from bascule.errors import Conflict, HubError, Invalid, NoSuch
from bascule.frappe import FrappeError
from bascule.hub import Hub
from bascule.sync.dependencies import MayEditRecords, MayManageTwoWay
from bascule.sync.fields import DIRECTIONS, KINDS, RecordType
from bascule.sync.mapping import Mapped, mapped
from bascule.sync.pages.labels import BROUGHT, ON_DELETE, POLICIES, shown
from bascule.sync.pairing import confirmation, matching
from bascule.sync.permissions import TWO_WAY_MANAGE
from bascule.sync.queries import BIGGEST
from bascule.sync.receive import after_restore
from bascule.sync.receive.pull import start_poll
from bascule.sync.record_types import RECORD_TYPES
from bascule.sync.setup import settings
from bascule.sync.setup.api import TheKind
from bascule.sync.setup.schemas import MatchAnswer
from bascule.sync.setup.site_fields import SiteFields
from bascule.sync.tables import TwoWay
from bascule.ui import back_to, render
from bascule.ui.filters import plural

PREFIX = "/connectors/{connector}/two-way/{records}"
pages = APIRouter(prefix=PREFIX, include_in_schema=False)
PAIRS = 50  # of the preview, on a page
KIND_NAMES = {
    "text": "Text",
    "long": "Long text",
    "number": "Number",
    "flag": "Yes or no",
    "email": "E-mail address",
    "phone": "Phone number",
    "url": "Web address",
    "date": "Day",
}
DIRECTION_NAMES = {
    "both": "Both ways",
    "to_erpnext": "To ERPNext only",
    "from_erpnext": "From ERPNext only",
}
BY = {"tax_id": "tax number", "email": "e-mail address", "name": "name"}
assert set(KIND_NAMES) == set(KINDS) and set(DIRECTION_NAMES) == set(DIRECTIONS)  # noqa: S101
Short = Annotated[str, Form(max_length=200)]


@dataclass
class Typed:
    """What a form on the page said, where it was refused: shown again with why."""

    form: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    refused: HubError | FrappeError | None = None

    @property
    def wrong(self) -> dict[str, str]:
        return self.refused.fields if isinstance(self.refused, Invalid) else {}

    def said(self, fields: Mapped) -> str:
        """What is wrong, with fields by their labels."""
        told = []
        for name, why in self.wrong.items():
            one = fields.by_name.get(name.rpartition(".")[2])
            told.append(f"{one.label if one else 'It'} {why}.")
        return " ".join(told) or str(self.refused)


@dataclass(frozen=True)
class Preview:
    ready: bool
    read: int
    of: int
    counts: dict[str, int]
    rows: list[MatchAnswer]
    next: int | None
    decision: str


Decision = Annotated[str, Query(pattern="^(pair|bring|send|leave)?$")]
After = Annotated[int, Query(ge=0, le=BIGGEST)]


@pages.get("")
async def two_way_page(
    request: Request,
    hub: TheHub,
    user: MayRead,
    connection: TheConnection,
    kind: TheKind,
    decision: Decision = "",
    after: After = 0,
) -> Response:
    return await show(request, hub, user, connection, kind, decision=decision, after=after)


async def show(
    request: Request,
    hub: Hub,
    user: User,
    connection: Connection,
    kind: RecordType,
    status: int = 200,
    *,
    typed: Typed | None = None,
    found: SiteFields | None = None,
    decision: str = "",
    after: int = 0,
) -> Response:
    async with hub.db.session() as session:
        saved = await settings.find_two_way(session, connection, kind)
        two_way = saved or settings.unsaved(connection, kind)
        older = await after_restore.how_many(session, connection, kind)
        preview = None
        if saved is not None and saved.status == "matching":
            preview = await _preview(session, saved, kind, decision, after)
        session.expunge_all()
    fields = mapped(two_way)
    summary = two_way.last_summary
    return render(
        request,
        "sync/setup.html",
        status,
        connection=connection,
        kind=kind,
        kinds=list(RECORD_TYPES.values()),
        at=page_of(connection, kind),
        two_way=two_way,
        due=two_way.next_poll_at is not None and two_way.next_poll_at <= datetime.now(UTC),
        fields=fields,
        typed=typed or Typed(),
        found=found,
        preview=preview,
        older=older,
        brought=[
            f"{summary[name]:,} {word}" for name, word in BROUGHT.items() if summary.get(name)
        ],
        may_edit=user.may(TWO_WAY_MANAGE),
        may_set_up=user.may(CONNECTIONS_MANAGE if connection.shared else TWO_WAY_MANAGE),
        shown=shown,
        names={"policies": POLICIES, "on_delete": ON_DELETE, "kinds": KIND_NAMES,
               "directions": DIRECTION_NAMES, "by": BY},
    )  # fmt: skip


async def _preview(
    session: AsyncSession, two_way: TwoWay, kind: RecordType, decision: str, after: int
) -> Preview:
    counts = await matching.preview_counts(session, two_way)
    decision = decision or next((d for d in ("leave", "pair", "send") if counts[d]), "bring")
    rows = await matching.preview(session, two_way, decision=decision, after=after, limit=PAIRS + 1)
    shown_rows = rows[:PAIRS]
    others = await matching.others_that_fit(session, kind, shown_rows)
    told = two_way.last_summary
    return Preview(
        told.get("matching") == "ready",
        int(told.get("read") or 0),
        int(told.get("of") or 0),
        counts,
        [MatchAnswer.of(*row, kind, others.get(row[0].id, [])) for row in shown_rows],
        shown_rows[-1][0].id if len(rows) > PAIRS else None,
        decision,
    )


def page_of(connection: Connection, kind: RecordType) -> str:
    return f"/connectors/{connection.slug}/two-way/{kind.plural}"


# Turning it on


@pages.post("/check", name="check_two_way")
async def check(
    request: Request, hub: TheHub, user: MayManageTwoWay, connection: TheConnection, kind: TheKind
) -> Response:
    """Asks the site, and writes nothing there."""
    try:
        _, found = await settings.ask_the_site(hub, connection, kind, by=user)
    except FrappeError as refused:
        typed = Typed("check", {}, refused)
        return await show(request, hub, user, connection, kind, 502, typed=typed)
    return await show(request, hub, user, connection, kind, found=found)


@pages.post("/begin", name="begin_two_way")
async def begin(
    request: Request,
    hub: TheHub,
    user: MayManageTwoWay,
    connection: TheConnection,
    kind: TheKind,
    company: Short = "",
    own_field: Short = "",
) -> Response:
    try:
        if company.strip():
            await settings.configure(hub, connection, kind, {"company": company}, by=user)
        await settings.begin(hub, connection, kind, by=user, own_field=bool(own_field))
    except (FrappeError, Conflict) as refused:
        typed = Typed("begin", {"company": company, "own_field": own_field}, refused)
        status = 409 if isinstance(refused, Conflict) else 502
        return await show(request, hub, user, connection, kind, status, typed=typed)
    return back_to(page_of(connection, kind))


@pages.post("/decide", name="decide_match")
async def decide(
    hub: TheHub,
    user: MayManageTwoWay,
    connection: TheConnection,
    kind: TheKind,
    match: Annotated[int, Form(ge=0, le=BIGGEST)] = 0,
    decision: Short = "",
    document: Annotated[str, Form(max_length=255)] = "",
    back: Decision = "",
) -> Response:
    to = page_of(connection, kind) + (f"?decision={back}" if back else "")
    try:
        named = document.strip() or None
        await matching.decide(hub, connection, kind, match, decision, by=user, document=named)
    except (Invalid, Conflict) as refused:
        return back_to(to, refused.message, kind="failed", next_step=refused.next_step)
    return back_to(to)


@pages.post("/confirm", name="confirm_two_way")
async def confirm(
    hub: TheHub, user: MayManageTwoWay, connection: TheConnection, kind: TheKind
) -> Response:
    to = page_of(connection, kind)
    try:
        await confirmation.confirm(hub, connection, kind, by=user)
    except (FrappeError, Conflict) as refused:
        return back_to(to, str(refused), kind="failed", next_step=refused.next_step)
    return back_to(
        to,
        f"Two-way sync of {kind.plural} is on.",
        next_step=f"An edit here arrives in {connection.name} within seconds.",
    )


@pages.post("/restored", name="decide_after_restore")
async def decide_after_restore(
    hub: TheHub, user: MayManageTwoWay, connection: TheConnection, kind: TheKind, choice: Short = ""
) -> Response:
    to = page_of(connection, kind)
    try:
        decided = await after_restore.decide(hub, connection, kind, choice, by=user)
    except (Invalid, Conflict) as refused:
        return back_to(to, refused.message, kind="failed", next_step=refused.next_step)
    what = "are sent again" if choice == "here" else "are as ERPNext has them"
    return back_to(to, f"{plural(decided, kind.name)} {what}.")


@pages.post("/off", name="end_two_way")
async def turn_off(
    hub: TheHub, user: MayManageTwoWay, connection: TheConnection, kind: TheKind
) -> Response:
    to = page_of(connection, kind)
    try:
        await settings.turn_off(hub, connection, kind, by=user)
    except NoSuch as refused:
        return back_to(to, refused.message, kind="note", next_step=refused.next_step)
    return back_to(to, f"Two-way sync of {kind.plural} is off.", next_step="What is here stays.")


@pages.post("/sync", name="sync_two_way")
async def sync(
    hub: TheHub, user: MayEditRecords, connection: TheConnection, kind: TheKind
) -> Response:
    to = page_of(connection, kind)
    async with hub.db.session() as session:
        two_way = await settings.find_two_way(session, connection, kind)
        if two_way is None or two_way.status != "on":
            return back_to(to, f"Two-way sync of {kind.plural} is not on.", kind="note")
        await start_poll(hub, session, two_way, whole=False)
    return back_to(to, f"Asking {connection.name} what changed.", kind="note")
