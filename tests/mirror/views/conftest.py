"""A connection's schema with tables as the mirror makes them, filled by hand."""

from collections.abc import AsyncIterator, Mapping
from typing import Any
from uuid import uuid4

import pytest
from psycopg.sql import SQL, Identifier
from psycopg_pool import AsyncConnectionPool

from bascule.data.rows import page_of_rows
from bascule.mirror import views
from bascule.mirror.schema.names import identifier

STANDARD = (
    'name text collate "C" primary key, modified timestamp, creation timestamp, docstatus smallint'
)
CHILD = f'{STANDARD}, idx bigint, parent text collate "C", parenttype text'
TABLES = {
    "Item": f"{STANDARD}, item_code text, item_name text, item_group text, stock_uom text, "
    "variant_of text, standard_rate numeric, last_purchase_rate numeric, disabled smallint, "
    "has_variants smallint, is_stock_item smallint, end_of_life date",
    "Bin": f"{STANDARD}, item_code text, warehouse text, actual_qty numeric, reserved_qty numeric, "
    "projected_qty numeric, ordered_qty numeric, indented_qty numeric, planned_qty numeric, "
    "stock_value numeric",
    "Item Reorder": f"{CHILD}, warehouse text, warehouse_group text, "
    "warehouse_reorder_level numeric, warehouse_reorder_qty numeric",
    "Item Price": f"{STANDARD}, item_code text, price_list text, uom text, customer text, "
    "supplier text, batch_no text, price_list_rate numeric, selling smallint, valid_from date, "
    "valid_upto date",
    "Warehouse": f"{STANDARD}, parent_warehouse text, disabled smallint",
    "Sales Order": f"{STANDARD}, customer text, customer_name text, status text, currency text, "
    "transaction_date date, delivery_date date, grand_total numeric, net_total numeric, "
    "advance_paid numeric, total_qty numeric, per_delivered numeric",
    "Sales Order Item": f"{CHILD}, item_code text, item_name text, item_group text, "
    "warehouse text, uom text, delivery_date date, "
    "qty numeric, rate numeric, amount numeric, net_amount numeric, "
    "delivered_qty numeric",
    "Purchase Order": f"{STANDARD}, supplier text, supplier_name text, status text, currency text, "
    "transaction_date date, schedule_date date, grand_total numeric, net_total numeric, "
    "advance_paid numeric, total_qty numeric, per_received numeric",
    "Purchase Order Item": f"{CHILD}, qty numeric, received_qty numeric",
    "Supplier": f"{STANDARD}, supplier_name text, supplier_group text, supplier_type text, "
    "country text, tax_id text, payment_terms text, default_currency text, on_hold smallint, "
    "disabled smallint",
    "Customer": f"{STANDARD}, customer_name text, customer_group text, customer_type text, "
    "territory text, tax_id text, default_currency text, payment_terms text, website text, "
    "customer_primary_address text, customer_primary_contact text, email_id text, mobile_no text, "
    "is_frozen smallint, disabled smallint",
    "Address": f"{STANDARD}, address_line1 text, address_line2 text, city text, state text, "
    "pincode text, country text, is_primary_address smallint, disabled smallint",
    "Contact": f"{STANDARD}, full_name text, first_name text, last_name text, email_id text, "
    "mobile_no text, phone text, is_primary_contact smallint",
    "Dynamic Link": f"{CHILD}, link_doctype text, link_name text",
}


class Site:
    """One connection's schema."""

    def __init__(self, db: AsyncConnectionPool, schema: str) -> None:
        self.db = db
        self.schema = schema

    async def run(self, statement: str, *params: Any) -> list[Any]:
        """SQL in which {s} stands for the schema."""
        async with self.db.connection() as conn:
            query = SQL(statement).format(s=Identifier(self.schema))
            cursor = await conn.execute(query, params or None)
            return await cursor.fetchall() if cursor.description else []

    async def table(self, doctype: str, columns: str | None = None) -> str:
        name = identifier(doctype)
        await self.run(
            f"create table {{s}}.{name} ({columns or TABLES[doctype]}, _deleted_at timestamptz, "
            "_synced_at timestamptz default now())"
        )
        await self.run(f"comment on table {{s}}.{name} is '{doctype}'")
        return name

    async def tables(self, *but: str) -> None:
        for doctype in TABLES:
            if doctype not in but:
                await self.table(doctype)

    async def add(self, doctype: str, *documents: Mapping[str, Any]) -> None:
        for document in documents:
            columns = ", ".join(f'"{column}"' for column in document)
            await self.run(
                f"insert into {{s}}.{identifier(doctype)} ({columns}) "
                f"values ({', '.join(['%s'] * len(document))})",
                *document.values(),
            )

    async def rebuild(self, **settings: Any) -> list[str]:
        async with self.db.connection() as conn:
            return await views.rebuild_views(conn, schema=self.schema, **settings)

    async def missing(self) -> dict[str, list[str]]:
        async with self.db.connection() as conn:
            return await views.missing(conn, schema=self.schema)

    async def rows(self, relation: str, **where: str) -> list[dict[str, Any]]:
        page = await page_of_rows(self.db, self.schema, relation, where=where, limit=1000)
        return page.rows

    async def row(self, relation: str, **where: str) -> dict[str, Any]:
        [row] = await self.rows(relation, **where)
        return row


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[AsyncConnectionPool]:
    async with AsyncConnectionPool(database_url, min_size=1, max_size=2, open=False) as pool:
        yield pool


@pytest.fixture
async def site(db: AsyncConnectionPool) -> AsyncIterator[Site]:
    """A schema without any table."""
    made = Site(db, f"site_{uuid4().hex[:12]}")
    await made.run("create schema {s}")
    yield made
    await made.run("drop schema {s} cascade")


@pytest.fixture
async def mirror(site: Site) -> Site:
    """A schema with all the tables that views read, empty."""
    await site.tables()
    return site
