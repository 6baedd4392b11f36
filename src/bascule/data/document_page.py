"""A document as its page shows it: fields in groups, the filled ones first, and child tables."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

from bascule.connections.tables import Connection
from bascule.data.catalogue import link_of, tables_there
from bascule.data.documents import ChildRows, Document
from bascule.data.labels import NUMBERS, Cell, cell_of, label_of
from bascule.data.table_context import document_url
from bascule.data.view_displays import display_of, summary_columns
from bascule.hub import Hub

SHOWN_CHILDREN = 100
MOST_COLUMNS = 10
LONG = 120  # characters; a longer text has a line of its own
TITLES = ("title", "subject", "item_name", "customer_name", "supplier_name", "full_name")
# What the card on the document's past tells, and what only machines read.
_ELSEWHERE = {
    *("name", "owner", "creation", "modified", "modified_by", "docstatus", "idx"),
    *("_synced_at", "_deleted_at", "naming_series"),
}


@dataclass(frozen=True, slots=True)
class Field:
    label: str
    column: str
    cell: Cell


@dataclass(frozen=True, slots=True)
class ChildTable:
    """`all_url`: its rows on a page of their own; empty where they are all here."""

    title: str
    headings: list[tuple[str, bool]]
    rows: list[list[Cell]]
    count: int
    complete: bool
    all_url: str


@dataclass(slots=True)
class Parts:
    """`title`: what people call it, where that is not its name."""

    title: str
    state: Cell | None
    details: list[Field] = field(default_factory=list)
    numbers: list[Field] = field(default_factory=list)
    switches: list[Field] = field(default_factory=list)
    texts: list[Field] = field(default_factory=list)
    empty: list[Field] = field(default_factory=list)
    children: list[ChildTable] = field(default_factory=list)


async def document_parts(hub: Hub, connection: Connection, document: Document) -> Parts:
    links = await _links(hub, connection, document)
    look = display_of(document.table, document.kinds)
    today = datetime.now(UTC).date()
    values = document.values
    told = {one["field"] for one in document.withheld if one["doctype"] == document.doctype}
    title = next((str(values[name]) for name in TITLES if values.get(name)), "")
    parts = Parts(title if title != document.name else "", None)
    for column, kind in document.kinds.items():
        if column in _ELSEWHERE or (column in told and values[column] is None):
            continue
        cell = cell_of(column, kind, values, look, today)
        one = Field(
            label_of(column), column, replace(cell, href=links.get((column, values[column]), ""))
        )
        if column == "status":
            parts.state = cell
        _group(parts, one, kind, values[column]).append(one)
    if parts.state is None and values.get("docstatus"):
        parts.state = cell_of("docstatus", "smallint", values, look, today)
    children = sorted(document.children, key=lambda child: (child.field != "items", child.field))
    parts.children = [_table(connection, document, child, links) for child in children]
    return parts


def _group(parts: Parts, one: Field, kind: str, value: Any) -> list[Field]:
    if value in (None, "", 0):
        return parts.empty
    if one.cell.kind == "flag":
        return parts.switches
    if kind in NUMBERS:
        return parts.numbers
    if len(one.cell.text) > LONG or "\n" in one.cell.text:
        return parts.texts
    return parts.details


async def _links(
    hub: Hub, connection: Connection, document: Document
) -> dict[tuple[str, Any], str]:
    """(column, value) -> the page of the document that it names, where that is here."""
    wanted: dict[tuple[str, Any], tuple[str, str]] = {}
    rows: Iterable[tuple[str, dict[str, Any]]] = [
        (document.doctype, document.values),
        *(
            (child.table.doctype, row)
            for child in document.children
            for row in child.rows[:SHOWN_CHILDREN]
        ),
    ]
    for doctype, row in rows:
        for column in row:
            target = None if column == "name" else link_of(document.tables, doctype, column, row)
            if target is not None and target != (document.doctype, document.name):
                wanted[column, row[column]] = target
    async with hub.db.connection() as conn:
        found = await tables_there(conn, connection.slug, document.tables, wanted.values())
    return {
        place: document_url(connection.slug, document.tables, *target)
        for place, target in wanted.items()
        if target in found
    }


def _table(
    connection: Connection,
    document: Document,
    child: ChildRows,
    links: dict[tuple[str, Any], str],
) -> ChildTable:
    filled = [
        name
        for name in child.kinds
        if name not in ("parent", "name")
        and any(row[name] not in (None, "", 0) for row in child.rows)
    ]
    columns = list(summary_columns(filled, child=True, most=MOST_COLUMNS))
    look = display_of(child.table, child.kinds)
    today = datetime.now(UTC).date()
    base = f"/data/{connection.slug}/{child.table.name}"
    currency = {"currency": document.values.get("currency")}
    rows = []
    for row in child.rows[:SHOWN_CHILDREN]:
        cells = [
            replace(
                cell_of(column, child.kinds[column], {**currency, **row}, look, today),
                href=links.get((column, row[column]), ""),
            )
            for column in columns
        ]
        cells[0] = replace(cells[0], href=f"{base}/{quote(str(row['name']), safe='')}")
        rows.append(cells)
    where = {"parent": document.name, "parenttype": document.doctype, "sort": "idx"}
    if "parentfield" in child.kinds:
        where["parentfield"] = child.field
    return ChildTable(
        label_of(child.field),
        [
            (label_of(name, look), child.kinds[name] in NUMBERS and name != "idx")
            for name in columns
        ],
        rows,
        len(child.rows),
        child.complete,
        "" if len(child.rows) <= SHOWN_CHILDREN else f"{base}?{urlencode(where)}",
    )
