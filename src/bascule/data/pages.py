"""The data pages: what is mirrored, a view or a table of it, and a document by itself."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from bascule.accounts.access import MayRead, TheHub
from bascule.accounts.tables import User
from bascule.connections.api import TheConnection
from bascule.connections.tables import Connection
from bascule.data.catalogue import MirroredData, TablesThere, mirrored
from bascule.data.chosen_columns import ChosenView, choose, chosen_by, forget
from bascule.data.document_page import document_parts
from bascule.data.documents import find_document
from bascule.data.export import FORMATS
from bascule.data.labels import OPERATORS, filter_text, label_of, time_text
from bascule.data.page_query import (
    FILTER,
    IS,
    SHOW,
    SORT,
    USUAL,
    VALUE,
    PageQuery,
    page_query_of,
    without_defaults,
)
from bascule.data.relation import BadQuery, find_relation
from bascule.data.rows import MOST_COUNTED, count_of_rows
from bascule.data.table_context import ROWS, TablePosition, table_context
from bascule.data.view_displays import LOOKS, VIEWS_SHOWN, QuickFilter, display_of
from bascule.errors import NoSuch
from bascule.hub import Hub
from bascule.mirror.status.roster_page import APageOfThem, listed
from bascule.mirror.streams.settings import streams_of
from bascule.outbox.queries import writes_of_document
from bascule.sites.kept import kept_of
from bascule.ui import render

pages = APIRouter(prefix="/data", include_in_schema=False)
MOST_COUNTED_AT_ONCE = 3  # connections whose views are counted on one page
FORMAT_NAMES = {"csv": "CSV, for spreadsheets", "jsonl": "JSON Lines", "parquet": "Parquet"}


@dataclass(frozen=True, slots=True)
class DataSection:
    """What one connection has to look at."""

    connection: Connection
    views: list[MirroredData]
    tables: list[MirroredData]
    children: list[MirroredData]


async def _shelf(hub: Hub, connection: Connection, *, counted: bool) -> DataSection:
    """`counted`: each view is counted as its own page does it; else it has no count, as what its
    table has is another number.
    """
    relations = await _relations(hub, connection)
    views = {relation.name: replace(relation, rows=None) for relation in relations if relation.view}
    for name, view in views.items() if counted else ():
        rows = await count_of_rows(hub.db, connection.slug, name)
        views[name] = replace(view, rows=rows, guessed=False)
    tables = [relation for relation in relations if not relation.view]
    return DataSection(
        connection,
        [views[name] for name in VIEWS_SHOWN if name in views],
        [table for table in tables if not table.child],
        [table for table in tables if table.child],
    )


async def _relations(hub: Hub, connection: Connection) -> list[MirroredData]:
    async with hub.db.session() as session:
        streams = await streams_of(session, connection)
    async with hub.db.connection() as conn:
        return await mirrored(conn, connection.slug, streams)


@pages.get("")
async def data_page(request: Request, hub: TheHub, user: MayRead, asked: APageOfThem) -> Response:
    """What all connections have, or where they are too many for that, which there are."""
    async with hub.db.session() as session:
        found = await listed(session, user, asked)
        session.expunge_all()
    connections = found.roster.connections if found.few else []
    counted = len(connections) <= MOST_COUNTED_AT_ONCE
    shelves = [await _shelf(hub, each, counted=counted) for each in connections]
    return render(
        request,
        "data/catalogue.html",
        shelves=shelves,
        looks=LOOKS,
        alone=None,
        among=True,
        found=found,
        most=MOST_COUNTED,
    )


@pages.get("/{connector}")
async def data_of_connector(
    request: Request,
    hub: TheHub,
    user: MayRead,
    connection: TheConnection,
    among: bool = False,
) -> Response:
    """`among`: as it stands on the page of several, which asks so for one of them."""
    shelf = await _shelf(hub, connection, counted=True)
    return render(
        request,
        "data/catalogue.html",
        shelves=[shelf],
        looks=LOOKS,
        alone=connection,
        among=among,
        found=None,
        most=MOST_COUNTED,
    )


@pages.get("/{connector}/{relation}")
async def relation_page(
    request: Request, hub: TheHub, user: MayRead, connection: TheConnection, relation: str
) -> Response:
    relations = await _relations(hub, connection)
    tables = TablesThere(relations)
    found = next((one for one in relations if one.name == relation), None)
    if found is None:
        if (named := tables.find(relation)) is not None:
            query = f"?{request.url.query}" if request.url.query else ""
            return RedirectResponse(f"/data/{connection.slug}/{named.name}{query}", 307)
        return _missing(
            request,
            connection,
            NoSuch(
                f"{connection.name} has no table or view {relation!r}.",
                next_step="The list shows what it has; any other DocType can be added as a stream.",
            ),
        )
    asked = page_query_of(request)
    async with hub.db.connection() as conn:
        columns = await find_relation(conn, connection.slug, relation)
    if (tidy := without_defaults(request, asked)) is not None:
        await _keep_choice(hub, user, relation, request, set(columns.columns))
        return RedirectResponse(tidy.url, 303)
    look = display_of(found, columns.columns)
    async with hub.db.session() as session:
        chosen = await chosen_by(session, user, relation, columns.columns)
    place = TablePosition(hub, connection, found, columns, tables, look, chosen)
    today = datetime.now(UTC).date()
    table, wrong = None, asked.wrong
    try:
        if wrong is None:
            table = await table_context(place, asked, today)
    except BadQuery as error:
        wrong = error
    response = render(
        request,
        "data/table.html",
        422 if wrong else 200,
        place=place,
        asked=asked,
        table=table,
        wrong=wrong,
        repaired=asked.without(*wrong.fields).url if wrong else "",
        chips=_chips(place, asked, wrong),
        quick=_quick(place, asked, today),
        shown_columns=[name for name in place.columns(asked) if name in columns.columns],
        files=_files(place, asked),
        twin=_api(place, asked, place.columns(asked), limit=ROWS, after=asked.after),
        label_of=label_of,
        operators=OPERATORS,
        usual=asked.choosing(USUAL, "1") if asked.columns or chosen != ChosenView() else "",
        form={"filter": FILTER, "is": IS, "value": VALUE, "show": SHOW},
    )
    if request.headers.get("hx-target", "").endswith("#found"):
        # So that an emptied search box leaves nothing in the address.
        response.headers["HX-Replace-Url"] = asked.url
    return response


async def _keep_choice(
    hub: Hub, user: User, relation: str, request: Request, there: set[str]
) -> None:
    """What was chosen in the page's own forms stays with the person; what an address asks for by
    itself, as somebody else may have sent it, does not.
    """
    query = request.query_params
    table_context = [name for name in dict.fromkeys(query.getlist(SHOW)) if name in there]
    sort = query.get(SORT, "")
    async with hub.db.session() as session:
        if USUAL in query:
            await forget(session, user, relation)
        elif table_context or sort.removeprefix("-") in there:
            sort_said = sort if sort.removeprefix("-") in there else None
            await choose(session, user, relation, columns=table_context or None, sort=sort_said)


@pages.get("/{connector}/{doctype}/{name:path}")
async def document_page(
    request: Request,
    hub: TheHub,
    user: MayRead,
    connection: TheConnection,
    doctype: str,
    name: str,
) -> Response:
    try:
        found = await find_document(hub, connection, doctype, name)
    except NoSuch as error:
        return _missing(request, connection, error)
    parts = await document_parts(hub, connection, found)
    async with hub.db.session() as session:
        kept = await kept_of(session, connection, found.doctype, found.name)
        writes = await writes_of_document(session, connection, found.doctype, found.name)
        session.expunge_all()
    twin = f"/api/connectors/{connection.slug}/documents/{_quoted(doctype)}/{_quoted(name)}"
    return render(
        request,
        "data/document.html",
        connection=connection,
        document=found,
        parts=parts,
        kept=kept,
        writes=writes,
        twin=twin,
        moment=time_text,
    )


def _quoted(text: str) -> str:
    return quote(text, safe="")


def _missing(request: Request, connection: Connection, error: NoSuch) -> Response:
    return render(request, "data/missing.html", 404, connection=connection, error=error)


@dataclass(frozen=True, slots=True)
class FilterChip:
    words: str
    href: str
    wrong: bool


def _chips(place: TablePosition, asked: PageQuery, wrong: BadQuery | None) -> list[FilterChip]:
    fields: Mapping[str, str] = wrong.fields if wrong else {}
    return [
        FilterChip(
            filter_text(name, value, place.look, place.relation.columns),
            asked.without(name).url,
            name in fields,
        )
        for name, value in asked.where.items()
    ]


def _quick(place: TablePosition, asked: PageQuery, today: date) -> list[tuple[str, str, bool]]:
    """Label, address, and whether it is on; the first is all rows."""
    offered = [quick for quick in place.look.quick if _is_offered(place, quick)]
    if not offered:
        return []
    filters = {quick.label: quick.on(today) for quick in offered}
    rest = asked.without(*{name for where in filters.values() for name in where})
    on = [label for label, where in filters.items() if where.items() <= dict(asked.where).items()]
    current = max(on, key=lambda label: len(filters[label]), default="" if asked.where else "All")
    ways = [(label, rest.filtered(where).url) for label, where in filters.items()]
    return [(label, href, label == current) for label, href in [("All", rest.url), *ways]]


def _is_offered(place: TablePosition, quick: QuickFilter) -> bool:
    """What is disabled is in a view only if the connection has it so."""
    return "is_active" not in quick.where or place.connection.include_disabled


def _files(place: TablePosition, asked: PageQuery) -> list[tuple[str, list[tuple[str, str]]]]:
    """The downloads: with the columns that are shown, and with all."""
    chosen, every = place.columns(asked), list(place.relation.columns)
    priced = "currency" in every and "currency" not in chosen
    if priced and any(name in place.look.money & place.look.priced for name in chosen):
        chosen = [*chosen, "currency"]  # which the page shows beside each amount
    groups = [("The columns shown here", chosen)] if set(chosen) != set(every) else []
    return [
        (
            title,
            [(FORMAT_NAMES[kind], _api(place, asked, columns, f".{kind}")) for kind in FORMATS],
        )
        for title, columns in [*groups, (f"All {len(every)} columns", [])]
    ]


def _api(
    place: TablePosition, asked: PageQuery, columns: list[str], suffix: str = "", **more: Any
) -> str:
    """The same question to the API."""
    query = {
        "search": asked.search,
        "sort": place.sort(asked),
        "columns": ",".join(columns),
        **more,
    }
    pairs = [*[(name, value) for name, value in query.items() if value], *asked.where.items()]
    path = f"/api/connectors/{place.slug}/rows/{place.mirrored.name}{suffix}"
    return f"{path}?{urlencode(pairs)}" if pairs else path
