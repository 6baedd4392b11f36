"""One document of the mirror as a whole: its fields, its child tables, and what is known of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from psycopg.sql import SQL, Identifier
from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.connections.tables import Connection
from bascule.data.catalogue import MirroredData, TablesThere, mirrored
from bascule.data.relation import DELETED, Relation, find_relation, selected
from bascule.data.rows import plain
from bascule.errors import NoSuch
from bascule.hub import Hub
from bascule.mirror.streams.settings import streams_of
from bascule.mirror.tables import Run, Stream

MOST_CHILDREN = 1000
SHOWN_RUNS = 5
SYNCED = "_synced_at"


@dataclass(frozen=True, slots=True)
class ChildRows:
    """The rows of one table field, in their order. `complete`: there are no more of them."""

    field: str
    table: MirroredData
    kinds: dict[str, str]
    rows: list[dict[str, Any]]
    complete: bool


@dataclass(frozen=True, slots=True)
class History:
    """What the hub knows of a document's past: it keeps the newest version only.

    `written_by`: the run that wrote it; `since`: later runs of its stream that wrote something or
    failed, newest first.
    """

    synced_at: datetime | None
    deleted_at: datetime | None
    written_by: Run | None = None
    deleted_by: Run | None = None
    since: list[Run] = field(default_factory=list)
    stream: Stream | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """`kinds`: column -> PostgreSQL's type; values are as JSON holds them."""

    table: MirroredData
    name: str
    kinds: dict[str, str]
    values: dict[str, Any]
    children: list[ChildRows]
    history: History
    url: str
    tables: TablesThere

    @property
    def doctype(self) -> str:
        return self.table.doctype

    @property
    def withheld(self) -> list[dict[str, str]]:
        """The fields of it and its child rows that the site does not give."""
        stream = self.history.stream
        told = stream.withheld if stream is not None else []
        return [one for one in told if not self.table.child or one["doctype"] == self.doctype]


async def find_document(hub: Hub, connection: Connection, doctype: str, name: str) -> Document:
    """By its DocType or table, and its name. NoSuch: one of them is not here. A document that was
    deleted on the site is, with its child rows as they were.
    """
    async with hub.db.session() as session:
        streams = await streams_of(session, connection)
        session.expunge_all()
    async with hub.db.connection() as conn:
        tables = TablesThere(await mirrored(conn, connection.slug, streams))
        table = tables.find(doctype)
        if table is None:
            raise NoSuch(
                f"{connection.name} has no table of {doctype!r}.",
                next_step="Choose a DocType that is mirrored, or add it as a stream and sync.",
            )
        relation = await find_relation(conn, connection.slug, table.name)
        values = await _values(conn, relation, name)
        if values is None:
            raise NoSuch(
                f"There is no {table.doctype} {name!r} in the mirror.",
                next_step="Look for it in the list; what was made just now comes with a sync.",
            )
        children = await _children(conn, tables, relation.schema, table.doctype, values)
    shown = {column: plain(value) for column, value in values.items()}
    async with hub.db.session() as session:
        parent = str(values.get("parenttype") or "") if table.child else table.doctype
        stream = next((stream for stream in streams if stream.doctype == parent), None)
        history = await _history(session, stream, values)
        session.expunge_all()
    url = _site_url(connection, table, shown)
    return Document(table, name, dict(relation.columns), shown, children, history, url, tables)


async def _values(
    conn: AsyncConnection[TupleRow], relation: Relation, name: str
) -> dict[str, Any] | None:
    if "\0" in name or "name" not in relation.columns:
        return None
    columns = list(relation.columns)
    statement = SQL("select {} from {} where name = {}").format(
        selected(relation, columns), relation.identifier, name.encode(errors="replace").decode()
    )
    row = await (await conn.execute(statement, prepare=False)).fetchone()
    return dict(zip(columns, row, strict=True)) if row else None


async def _children(
    conn: AsyncConnection[TupleRow],
    tables: TablesThere,
    schema: str,
    doctype: str,
    values: dict[str, Any],
) -> list[ChildRows]:
    """Of the child tables that have rows of this document, each field's."""
    candidates = [table for table in tables.by_name.values() if table.child]
    if not candidates:
        return []
    ask = SQL(" union all ").join(
        SQL(
            "select * from (select {} from {} where parent = {} and parenttype = {} limit 1) as one"
        ).format(table.name, Identifier(schema, table.name), values["name"], doctype)
        for table in candidates
    )
    found = {name for (name,) in await (await conn.execute(ask, prepare=False)).fetchall()}
    children: list[ChildRows] = []
    for table in candidates:
        if table.name in found:
            children += await _of_table(conn, schema, table, doctype, values)
    return children


async def _of_table(
    conn: AsyncConnection[TupleRow],
    schema: str,
    table: MirroredData,
    doctype: str,
    values: dict[str, Any],
) -> list[ChildRows]:
    relation = await find_relation(conn, schema, table.name)
    columns = list(relation.columns)
    deleted = SQL("" if values.get(DELETED) else " and _deleted_at is null")
    statement = SQL(
        "select {} from {} where parent = {} and parenttype = {}{} order by idx, name limit {}"
    ).format(
        selected(relation, columns),
        relation.identifier,
        values["name"],
        doctype,
        deleted,
        MOST_CHILDREN + 1,
    )
    read = await (await conn.execute(statement, prepare=False)).fetchall()
    by_field: dict[str, list[dict[str, Any]]] = {}
    for row in read[:MOST_CHILDREN]:
        values_of_row = {c: plain(value) for c, value in zip(columns, row, strict=True)}
        fieldname = str(values_of_row.get("parentfield") or table.name)
        by_field.setdefault(fieldname, []).append(values_of_row)
    complete = len(read) <= MOST_CHILDREN
    kinds = dict(relation.columns)
    return [ChildRows(name, table, kinds, rows, complete) for name, rows in by_field.items()]


async def _history(session: AsyncSession, stream: Stream | None, values: dict[str, Any]) -> History:
    synced, deleted = _moment(values.get(SYNCED)), _moment(values.get(DELETED))
    if stream is None or synced is None:
        return History(synced, deleted, stream=stream)
    last = max(synced, deleted) if deleted else synced
    since = select(Run).where(
        Run.stream_id == stream.id,
        Run.started_at > last,
        or_(Run.rows_changed > 0, Run.rows_deleted > 0, Run.outcome == "failed"),
    )
    runs: Sequence[Run] = (
        await session.scalars(since.order_by(Run.id.desc()).limit(SHOWN_RUNS))
    ).all()
    return History(
        synced,
        deleted,
        await _run_at(session, stream, synced),
        await _run_at(session, stream, deleted) if deleted else None,
        list(runs),
        stream,
    )


async def _run_at(session: AsyncSession, stream: Stream, moment: datetime) -> Run | None:
    """The stream's run that was under way then; there is one at a time."""
    query = select(Run).where(
        Run.stream_id == stream.id,
        Run.started_at <= moment,
        or_(Run.finished_at.is_(None), Run.finished_at >= moment),
    )
    found: Run | None = await session.scalar(query.order_by(Run.id.desc()).limit(1))
    return found


def _moment(value: Any) -> datetime | None:
    return value.astimezone(UTC) if isinstance(value, datetime) and value.tzinfo else None


def _site_url(connection: Connection, table: MirroredData, values: dict[str, Any]) -> str:
    """Its form in ERPNext's desk; of a child row, that of the document which it belongs to."""
    doctype, name = table.doctype, values["name"]
    if table.child and values.get("parenttype") and values.get("parent"):
        doctype, name = values["parenttype"], values["parent"]
    slug = quote(str(doctype).lower().replace(" ", "-"), safe="")
    return f"{connection.api_url}/app/{slug}/{quote(str(name), safe='')}"
