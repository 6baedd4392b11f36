"""What a connection has to read: its views and the tables of its DocTypes."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from psycopg.sql import SQL, Identifier

from bascule.mirror.schema.names import identifier
from bascule.mirror.tables import Stream
from bascule.mirror.views import VIEWS

# What each view has a row of.
DOCTYPE_OF = {
    "inventory": "Item",
    "inventory_by_warehouse": "Bin",
    "sales_orders": "Sales Order",
    "sales_order_items": "Sales Order Item",
    "purchase_orders": "Purchase Order",
    "suppliers": "Supplier",
    "customers": "Customer",
}
MOST_LOOKED_UP = 500

_RELATIONS = """
select c.relname, c.relkind::text, coalesce(obj_description(c.oid, 'pg_class'), ''),
       c.reltuples::bigint,
       exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'parenttype'
                  and not a.attisdropped)
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
 where n.nspname = %s and c.relkind in ('r', 'v')
 order by c.relname"""


@dataclass(frozen=True, slots=True)
class MirroredData:
    """A view, or the table of a DocType. `child`: its rows belong to documents of others.

    `rows`: of a stream as counted by its last run, of a child table as PostgreSQL guesses; None
    where neither is known. Those that were deleted on the site are not in a stream's.
    """

    name: str
    doctype: str
    view: bool = False
    child: bool = False
    rows: int | None = None
    guessed: bool = False


async def mirrored(
    conn: AsyncConnection[TupleRow], schema: str, streams: Sequence[Stream] = ()
) -> list[MirroredData]:
    """Views in their own order and only those that have what they are made of; tables by DocType.

    Tables and views that others put into the schema are not in it.
    """
    rows = await (await conn.execute(_RELATIONS, [schema])).fetchall()
    counted = {stream.doctype: stream.rows for stream in streams}
    tables = [
        MirroredData(
            name,
            doctype,
            child=child,
            rows=counted.get(doctype, guess if guess >= 0 else None),
            guessed=doctype not in counted,
        )
        for name, kind, doctype, guess, child in rows
        if kind == "r" and doctype
    ]
    by_doctype = {table.doctype: table for table in tables}
    tables_there = {name for name, kind, *_ in rows if kind == "v"}
    views = [
        MirroredData(name, table.doctype, view=True, rows=table.rows, guessed=table.guessed)
        for name in VIEWS
        if name in tables_there and (table := by_doctype.get(DOCTYPE_OF[name])) is not None
    ]
    return views + sorted(tables, key=lambda table: table.doctype.lower())


class TablesThere:
    """The tables of one connection by DocType, and where what stands in a field leads to."""

    def __init__(self, relations: Iterable[MirroredData]) -> None:
        tables = [relation for relation in relations if not relation.view]
        self.by_doctype = {table.doctype: table for table in tables}
        self.by_name = {table.name: table for table in tables}
        self.parents = {identifier(table.doctype): table for table in tables if not table.child}

    def find(self, doctype_or_table: str) -> MirroredData | None:
        return self.by_doctype.get(doctype_or_table) or self.by_name.get(doctype_or_table)


async def tables_there(
    conn: AsyncConnection[TupleRow],
    schema: str,
    tables: TablesThere,
    wanted: Iterable[tuple[str, str]],
) -> set[tuple[str, str]]:
    """Which of these documents (DocType, name) are here, in one question."""
    names: dict[str, set[str]] = {}
    for doctype, name in wanted:
        if doctype in tables.by_doctype and "\0" not in name:
            names.setdefault(doctype, set()).add(name)
    if not names:
        return set()
    parts = [
        SQL("select {}, name from {} where name = any({})").format(
            doctype,
            Identifier(schema, tables.by_doctype[doctype].name),
            sorted(some)[:MOST_LOOKED_UP],
        )
        for doctype, some in names.items()
    ]
    found = await conn.execute(SQL(" union all ").join(parts), prepare=False)
    return {(doctype, name) for doctype, name in await found.fetchall()}


_ALIASES = {
    "item_code": "Item",
    "variant_of": "Item",
    "contact_person": "Contact",
    "shipping_address_name": "Address",
    "account_head": "Account",
}
_ENDS = ("_name", "_no", "_docname", "")
_KINDS = ("_doctype", "_type", "type")


def link_of(
    tables: TablesThere, doctype: str, field: str, row: Mapping[str, object]
) -> tuple[str, str] | None:
    """The document that a field seems to name, to be looked up: ERPNext calls its links by what
    they lead to, or by the field beside them that tells the DocType.
    """
    value = row.get(field)
    if not isinstance(value, str) or not value:
        return None
    for end in _ENDS:
        if field.endswith(end):
            stem = field.removesuffix(end)
            kinds = (row.get(stem + kind) for kind in _KINDS)
            beside = next((kind for kind in kinds if isinstance(kind, str) and kind), None)
            if beside in tables.by_doctype:
                return str(beside), value
    if field == "amended_from":
        return doctype, value
    if (named := _ALIASES.get(field)) is not None:
        return named, value
    parts = field.split("_")
    for start in range(len(parts)):
        if (table := tables.parents.get("_".join(parts[start:]))) is not None:
            return table.doctype, value
    return None
