"""The list of records of one type: searched as one types, by state, page by page."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from bascule.accounts.access import MayRead, TheHub
from bascule.connections.queries import list_connections
from bascule.sync import attention, conflicts, queries
from bascule.sync.dependencies import MayEditRecords
from bascule.sync.fields import Field, RecordType
from bascule.sync.pages.labels import BROUGHT, state_of
from bascule.sync.pages.labels import shown as shown_value
from bascule.sync.pages.record_type import TheKind
from bascule.sync.permissions import RECORDS_EDIT
from bascule.sync.queries import LinkedRecord, RecordQuery, cursor_of, position_of
from bascule.sync.receive.sync_now import sync_now
from bascule.sync.setup.settings import two_ways
from bascule.ui import back_to, page_url, render
from bascule.ui.filters import plural

ROWS = 50
# What tells records apart, the most telling first.
SHOWN = ("city", "email", "country", "supplierCountry", "phone", "taxNumber", "website")
PATIENCE = 15  # seconds that a person waits for what a sync brought
STATES = ("in_sync", "sending", "waiting", "attention", "conflict", "local", "deleted")
LABELS = {
    "": "All",
    "in_sync": "In sync",
    "sending": "Sending",
    "waiting": "Waiting",
    "attention": "Needs attention",
    "conflict": "Conflict",
    "local": "Kept here alone",
    "deleted": "Deleted",
}


def add_to(router: APIRouter, kind: RecordType) -> None:
    router.get("")(list_page)
    router.post("/sync", name=f"sync_{kind.plural}")(sync)
    router.post("/retry", name=f"retry_{kind.plural}")(retry)


@dataclass(frozen=True)
class Filter:
    label: str
    href: str
    count: int
    on: bool


async def list_page(
    request: Request,
    hub: TheHub,
    user: MayRead,
    kind: TheKind,
    search: Annotated[str, Query(max_length=200)] = "",
    state: Annotated[str, Query(pattern=f"^({'|'.join(STATES)})?$")] = "",
    connector: Annotated[str, Query(max_length=100)] = "",
    after: Annotated[str, Query(max_length=2_000)] = "",
) -> Response:
    wanted = RecordQuery(state or None, search, connector or None)
    async with hub.db.session() as session:
        found = await queries.find_page(
            session, kind, user, wanted, after=position_of(after), limit=ROWS + 1
        )
        counts = await queries.counts(session, kind, user, wanted)
        ways = [w for w in await two_ways(session, user) if w[0].record_type == kind.name]
        connections = await list_connections(session, user)
        undecided, _ = (await attention.open_fields(session, user)).get(kind.name, (0, 0))
        session.expunge_all()
    shown = found[:ROWS]
    path = f"/{kind.plural}"
    query = [("search", search), ("state", state), ("connector", connector)]
    on = [connection for two_way, connection in ways if two_way.status == "on"]
    return render(
        request,
        "sync/list.html",
        kind=kind,
        path=path,
        rows=shown,
        state_of=state_of,
        filters=_filters(path, counts, search, state, connector),
        asked={"search": search, "state": state, "connector": connector, "after": after},
        counts=counts,
        undecided=undecided,
        total=sum(counts.values()),
        next_page=page_url(path, query, after=cursor_of(shown[-1])) if len(found) > ROWS else "",
        first_page=page_url(path, query),
        twin=page_url(f"/api{path}", query, after=after, limit=ROWS),
        on=on,
        several=_several(shown, len(on)),
        columns=_columns(kind, shown),
        text_of=shown_value,
        connections=connections,
        may_edit=user.may(RECORDS_EDIT),
    )


def _columns(kind: RecordType, rows: list[LinkedRecord]) -> list[Field]:
    """Two fields beside the name, of those that the records on this page have."""
    fields = {one.name: one for one in kind.fields}
    known = [fields[name] for name in (*SHOWN, f"{kind.name}Group") if name in fields]
    return [
        one for one in known if any(row.record.values.get(one.name) is not None for row in rows)
    ][:2]


def _several(shown: list[LinkedRecord], on: int) -> bool:
    """Whether it says something to name the site of each."""
    return on > 1 or len({whole.record.connection_id for whole in shown} - {None}) > 1


def _filters(
    path: str, counts: dict[str, int], search: str, state: str, connector: str
) -> list[Filter]:
    there = sum(count for name, count in counts.items() if name != "deleted")
    return [
        Filter(
            label,
            page_url(path, [("search", search), ("state", name), ("connector", connector)]),
            counts.get(name, 0) if name else there,
            name == state,
        )
        for name, label in LABELS.items()
        if not name or counts.get(name) or name == state
    ]


async def sync(hub: TheHub, user: MayEditRecords, kind: TheKind) -> Response:
    told = await sync_now(hub, kind, user, whole=False, wait=PATIENCE)
    path = f"/{kind.plural}"
    if told.errors:
        [(slug, why), *_] = told.errors.items()
        return back_to(
            path, f"{slug}: {why}", kind="failed", next_step="The hub tries again by itself."
        )
    if not told.finished:
        return back_to(
            path, "Asking ERPNext what changed.", kind="note", next_step="What comes shows up here."
        )
    brought = [
        f"{told.summary[name]:,} {word}" for name, word in BROUGHT.items() if told.summary.get(name)
    ]
    said = f"ERPNext was asked: {', '.join(brought)}." if brought else "Nothing new in ERPNext."
    return back_to(path, said)


async def retry(hub: TheHub, user: MayEditRecords, kind: TheKind) -> Response:
    count = await conflicts.retry_all(hub, kind, by=user)
    if not count:
        return back_to(f"/{kind.plural}", "Nothing waits to be sent.", kind="note")
    return back_to(f"/{kind.plural}", f"Trying {plural(count, kind.name)} again.")
