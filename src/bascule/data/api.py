"""The mirror's rows over HTTP: every view and table of a connection, as pages of JSON or as files.

What may be asked for, and how it is found, is `rows`' and `export`'s.
"""

import re
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from bascule.accounts.access import MayRead, TheHub
from bascule.accounts.downloads import REFUSALS, Download
from bascule.accounts.tables import User
from bascule.audit.entries import recorded
from bascule.connections.api import TO_READ, TheConnection
from bascule.connections.tables import Connection
from bascule.data.export import MEDIA_TYPES, Format, export_rows
from bascule.data.relation import OPERATORS, BadQuery
from bascule.data.rows import LARGEST_PAGE, page_of_rows
from bascule.data.search import LONGEST
from bascule.hub import Hub
from bascule.mirror.views import VIEWS, View

router = APIRouter(prefix="/api/connectors/{connector}", tags=["Rows"], dependencies=TO_READ)
# What is asked with these names is about the page; every other name is a filter.
OUR_NAMES = {"sort", "after", "limit", "columns", "exact", "search"}
FILTERS = (
    "Any other parameter filters: a column's name for equal to, or with `__"
    + "`, `__".join(OPERATORS)
    + "` after it, such as `stock_qty__lt=5`."
)

RelationName = Annotated[
    str,
    Path(
        description=f"A view ({', '.join(VIEWS)}) or a table such as `sales_order`.",
        examples=["inventory"],
        max_length=100,
    ),
]
Sort = Annotated[
    str | None,
    Query(description="A column; with a minus before it, the highest first.", max_length=100),
]
After = Annotated[str | None, Query(description="`next` of the page before.", max_length=10_000)]
Limit = Annotated[int, Query(description="Rows a page.", ge=1, le=LARGEST_PAGE)]
Columns = Annotated[
    str | None, Query(description="Only these columns, with commas between.", max_length=10_000)
]
Search = Annotated[
    str | None,
    Query(
        description="Words, each of which a row has to hold in one of the columns that name it, in "
        "any case: its code, name, party, group or the like.",
        max_length=LONGEST,
    ),
]
AsFile = Annotated[Format, Path(description="What kind of file.")]
Exact = Annotated[
    bool,
    Query(description="CSV: leave texts that a spreadsheet would run as a formula as they are."),
]


class Rows(BaseModel):
    """A page. `next` is the `after` of the one that follows; null on the last. It ends at 16 MB,
    with fewer rows than were asked for where these are large.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "columns": ["item_code", "stock_qty", "needs_reorder"],
                "rows": [{"item_code": "BIKE-01", "stock_qty": 3.0, "needs_reorder": True}],
                "next": "WyJpbnZlbnRvcnkiLCIiLFsiQklLRS0wMSJdXQ",
            }
        }
    )

    columns: list[str]
    rows: list[dict[str, Any]] = Field(description="Numbers are numbers, times ISO 8601.")
    next: str | None


RECORDED = [Depends(recorded)]  # who took data out is in the journal
FILES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The file, streamed.",
        "content": {
            kind.split(";")[0]: {"schema": {"type": "string", "format": "binary"}}
            for kind in MEDIA_TYPES.values()
        },
    },
    400: {"description": "A value does not fit in such a file."},
    **REFUSALS,
}


def filters_of(request: Request) -> dict[str, str]:
    """What of a request's query is a filter, by the name that it has there."""
    filters: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name in OUR_NAMES:
            continue
        if name in filters:
            raise BadQuery(
                f"{name} is there twice.",
                next_step=f"Say it once; {name}__in=a,b finds either.",
                fields={name: "more than once"},
            )
        filters[name] = value
    return filters


def names_in(columns: str | None) -> list[str] | None:
    """`a,b` as a list; None for nothing."""
    return [name.strip() for name in columns.split(",") if name.strip()] if columns else None


@dataclass(frozen=True)
class RowsQuery:
    """The part of a question that pages and files share."""

    hub: Hub
    user: User
    connection: Connection
    where: dict[str, str]
    sort: str | None
    columns: list[str] | None
    search: str | None

    async def page(self, relation: str, after: str | None, limit: int) -> Response:
        page = await page_of_rows(
            self.hub.db,
            self.connection.slug,
            relation,
            where=self.where,
            sort=self.sort,
            after=after,
            limit=limit,
            columns=self.columns,
            search=self.search,
        )
        # Written as it is: checking each value against a model would cost more than the query.
        return Response(msgspec.json.encode(page), media_type="application/json")

    def file(self, relation: str, format: str, exact: bool) -> Download:
        pieces = export_rows(
            self.hub.db.downloads,
            self.connection.slug,
            relation,
            format=format,
            where=self.where,
            sort=self.sort,
            columns=self.columns,
            exact=exact,
            search=self.search,
        )
        name = re.sub(r"[^A-Za-z0-9_-]", "_", f"{self.connection.slug}-{relation}")
        return Download(
            self.hub, self.user, pieces, name=f"{name}.{format}", media_type=MEDIA_TYPES[format]
        )


def rows_query(
    hub: TheHub,
    user: MayRead,
    connection: TheConnection,
    filters: Annotated[dict[str, str], Depends(filters_of)],
    sort: Sort = None,
    columns: Columns = None,
    search: Search = None,
) -> RowsQuery:
    return RowsQuery(hub, user, connection, filters, sort, names_in(columns), search)


ThisAsked = Annotated[RowsQuery, Depends(rows_query)]


@router.get(
    "/rows/{relation}.{format}",
    description=f"Any view or table as a file: csv, jsonl or parquet. {FILTERS}",
    responses=FILES,
    response_class=StreamingResponse,
    dependencies=RECORDED,
)
async def file_of_rows(
    question: ThisAsked, relation: RelationName, format: AsFile, exact: Exact = False
) -> Download:
    return question.file(relation, format, exact)


@router.get(
    "/rows/{relation}",
    description=f"Any view or table, a page at a time. {FILTERS}",
    response_model=Rows,
)
async def rows(
    question: ThisAsked, relation: RelationName, after: After = None, limit: Limit = 50
) -> Response:
    return await question.page(relation, after, limit)


def _shortcuts(view: View) -> None:
    """`/inventory` for `/rows/inventory`, and `/inventory.csv`: the names that people know."""

    async def page(question: ThisAsked, after: After = None, limit: Limit = 50) -> Response:
        return await question.page(view.name, after, limit)

    async def file(question: ThisAsked, format: AsFile, exact: Exact = False) -> Download:
        return question.file(view.name, format, exact)

    columns = ", ".join(f"`{column.name}`" for column in view.columns)
    router.add_api_route(
        f"/{view.name}",
        page,
        name=view.name,
        response_model=Rows,
        description=f"{view.what} Columns: {columns}. {FILTERS}",
    )
    router.add_api_route(
        f"/{view.name}.{{format}}",
        file,
        name=f"{view.name}_file",
        responses=FILES,
        response_class=StreamingResponse,
        dependencies=RECORDED,
        description=f"The same rows as a file: csv, jsonl or parquet. {FILTERS}",
    )


for _view in VIEWS.values():
    _shortcuts(_view)
