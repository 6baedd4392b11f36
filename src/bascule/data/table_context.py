"""The rows of a view or a table as a data page shows them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any
from urllib.parse import quote

from bascule.connections.tables import Connection
from bascule.data.catalogue import MirroredData, TablesThere, link_of, tables_there
from bascule.data.chosen_columns import ChosenView
from bascule.data.labels import NUMBERS, Cell, cell_of, label_of
from bascule.data.page_query import SORT, PageQuery
from bascule.data.relation import Relation
from bascule.data.rows import MOST_COUNTED, RowPage, count_of_rows, page_of_rows
from bascule.data.view_displays import ViewDisplay
from bascule.hub import Hub

ROWS = 50
# What a row's looks and links depend on, besides the columns that are shown.
_BESIDE = ("currency", "is_pending", "reorder_level", "projected_qty", "warehouse", "parent")
_KINDS = ("_doctype", "_type", "parenttype")


@dataclass(frozen=True, slots=True)
class ColumnHeading:
    """`sorted`: ascending, descending or nothing; `href` sorts by it, the other way if it is."""

    column: str
    label: str
    number: bool
    sorted: str
    href: str


@dataclass(frozen=True, slots=True)
class TableContext:
    """One page of rows, ready to be shown. `count` in words."""

    headings: list[ColumnHeading]
    rows: list[list[Cell]]
    next: str
    count: str


@dataclass(frozen=True, slots=True)
class TablePosition:
    """A relation of a connection, and all that stands around it."""

    hub: Hub
    connection: Connection
    mirrored: MirroredData
    relation: Relation
    tables: TablesThere
    look: ViewDisplay
    chosen: ChosenView

    @property
    def slug(self) -> str:
        return self.connection.slug

    def columns(self, asked: PageQuery) -> list[str]:
        """The columns to show: those asked for, else those that this person chose before, else the
        look's that are there.
        """
        if asked.columns or self.chosen.columns:
            return list(asked.columns or self.chosen.columns)
        chosen = [name for name in self.look.columns if name in self.relation.columns]
        return chosen or list(self.relation.columns)[:8]

    def sort(self, asked: PageQuery) -> str:
        if asked.sort or self.chosen.sort:
            return asked.sort or self.chosen.sort
        return self.look.sort if self.look.sort.lstrip("-") in self.relation.columns else ""


async def table_context(place: TablePosition, asked: PageQuery, today: date) -> TableContext:
    """BadQuery: what cannot be taken of the question."""
    columns = place.columns(asked)
    sort = place.sort(asked)
    page = await page_of_rows(
        place.hub.db,
        place.slug,
        place.mirrored.name,
        where=asked.where,
        search=asked.search,
        sort=sort,
        after=asked.after,
        limit=ROWS,
        columns=[*columns, *_beside(place, columns)],
    )
    links = await _links(place, columns, page)
    rows = [
        [
            replace(
                cell_of(column, place.relation.columns[column], row, place.look, today),
                href=links.get((number, column), ""),
            )
            for column in columns
        ]
        for number, row in enumerate(page.rows)
    ]
    return TableContext(
        [_heading(place, asked, column, sort) for column in columns],
        rows,
        asked.page_after(page.next).url if page.next else "",
        await _count(place, asked, page),
    )


def _beside(place: TablePosition, columns: list[str]) -> list[str]:
    tables_there = place.relation.columns
    names = [name for _, name in place.look.links.values()]
    names += [name for name in tables_there if name in _BESIDE or name.endswith(_KINDS)]
    return [name for name in dict.fromkeys([*place.relation.key, *names]) if name in tables_there]


def _heading(place: TablePosition, asked: PageQuery, column: str, sort: str) -> ColumnHeading:
    kind = place.relation.columns[column]
    way = {column: "ascending", f"-{column}": "descending"}.get(sort, "")
    largest_first = kind in NUMBERS or kind == "date" or kind.startswith("timestamp")
    down = way == "ascending" or (not way and largest_first)
    number = kind in NUMBERS and column not in ("idx", "line")
    href = asked.choosing(SORT, f"-{column}" if down else column)
    return ColumnHeading(column, label_of(column, place.look), number, way, href)


async def _count(place: TablePosition, asked: PageQuery, page: RowPage) -> str:
    whole, look = place.mirrored, place.look
    rows: int | None = len(page.rows)
    if page.next is not None or asked.after:
        if not (asked.where or asked.search or whole.view or whole.guessed):
            rows = whole.rows
        else:
            rows = await count_of_rows(
                place.hub.db, place.slug, whole.name, where=asked.where, search=asked.search
            )
            if rows is None or rows > MOST_COUNTED:
                return f"More than {MOST_COUNTED if rows else len(page.rows):,} {look.many}"
    return f"{rows:,} {look.one if rows == 1 else look.many}"


async def _links(
    place: TablePosition, columns: list[str], page: RowPage
) -> dict[tuple[int, str], str]:
    """(row, column) -> the page of the document that it names, where that is here."""
    wanted = {
        (number, column): target
        for number, row in enumerate(page.rows)
        for column in columns
        if (target := _target(place, column, row)) is not None
    }
    _once_a_row(wanted)
    _first_leads_to_its_own(place, columns, page, wanted)
    async with place.hub.db.connection() as conn:
        found = await tables_there(conn, place.slug, place.tables, wanted.values())
    return {
        cell: document_url(place.slug, place.tables, *target)
        for cell, target in wanted.items()
        if target in found
    }


def _target(place: TablePosition, column: str, row: Mapping[str, Any]) -> tuple[str, str] | None:
    if place.mirrored.view:
        doctype, named_by = place.look.links.get(column, ("", ""))
        value = row.get(named_by)
        return (doctype, str(value)) if doctype and value else None
    if column == "name":
        return place.mirrored.doctype, str(row["name"])
    if place.relation.columns[column] != "text":
        return None
    return link_of(place.tables, place.mirrored.doctype, column, row)


def _once_a_row(wanted: dict[tuple[int, str], tuple[str, str]]) -> None:
    """A code and its name lead to the same page: one link is enough to tab through."""
    seen = set()
    for cell, target in list(wanted.items()):
        if (cell[0], target) in seen:
            del wanted[cell]
        seen.add((cell[0], target))


def _first_leads_to_its_own(
    place: TablePosition,
    columns: list[str],
    page: RowPage,
    wanted: dict[tuple[int, str], tuple[str, str]],
) -> None:
    """Whatever columns are chosen, there is a way to the row's document."""
    key = place.relation.key
    if len(key) != 1:
        return
    for number, row in enumerate(page.rows):
        own = _target(place, key[0], row)
        if own and own not in [wanted.get((number, column)) for column in columns]:
            wanted.setdefault((number, columns[0]), own)


def document_url(slug: str, tables: TablesThere, doctype: str, name: str) -> str:
    return f"/data/{slug}/{tables.by_doctype[doctype].name}/{quote(name, safe='')}"
