"""Views over tables that are not as they should be, and views that are made again."""

import asyncio
import re

import pytest
from psycopg_pool import AsyncConnectionPool

from bascule.errors import Conflict
from bascule.mirror import views
from bascule.mirror.schema.columns import Column
from bascule.mirror.schema.migration import Table, ensure_indexes
from tests.kit import ROOT
from tests.mirror.views.conftest import Site

TYPES_OF_INVENTORY = {column.name: column.type for column in views.VIEWS["inventory"].columns}


async def types(site: Site, view: str) -> dict[str, str]:
    return dict(
        await site.run(
            "select column_name::text, data_type::text from information_schema.columns "
            "where table_schema = %s and table_name = %s order by ordinal_position",
            site.schema,
            view,
        )
    )


async def test_every_view_is_made_with_its_documented_columns_over_no_table_at_all(
    site: Site,
) -> None:
    assert await site.rebuild() == list(views.VIEWS)
    for view in views.VIEWS.values():
        assert await types(site, view.name) == {c.name: c.type for c in view.columns}
        assert await site.rows(view.name) == []
    assert (await site.missing())["suppliers"] == ["Supplier"]


async def test_every_view_has_its_documented_columns_over_all_tables(mirror: Site) -> None:
    await mirror.rebuild()
    for view in views.VIEWS.values():
        assert list((await types(mirror, view.name)).items()) == [
            (column.name, column.type) for column in view.columns
        ]
    assert await mirror.missing() == {}


async def test_what_the_user_may_not_read_is_null_and_named(site: Site) -> None:
    await site.tables("Bin", "Item Price")
    await site.add("Item", {"name": "DOOR", "standard_rate": 5, "is_stock_item": 1})
    await site.rebuild()
    row = await site.row("inventory")
    assert (row["stock_qty"], row["available_qty"], row["needs_reorder"]) == (None, None, None)
    assert row["unit_price"] == 5
    assert await types(site, "inventory") == TYPES_OF_INVENTORY
    missing = await site.missing()
    assert missing["inventory"] == ["Bin", "Item Price"]
    assert "suppliers" not in missing


async def test_a_field_that_was_left_out_is_null_and_named(site: Site) -> None:
    await site.table("Supplier", 'name text collate "C" primary key, supplier_name text')
    await site.rebuild()
    await site.add("Supplier", {"name": "S", "supplier_name": "Oak"})
    row = await site.row("suppliers")
    assert (row["supplier_name"], row["tax_id"], row["on_hold"]) == ("Oak", None, None)
    assert "Supplier.tax_id" in (await site.missing())["suppliers"]


async def test_a_renamed_field_is_found_by_the_columns_comment(site: Site) -> None:
    await site.table("Supplier", 'name text primary key, "Naam" text, tax_id text')
    await site.run("comment on column {s}.supplier.\"Naam\" is 'supplier_name'")
    await site.rebuild()
    await site.add("Supplier", {"name": "S", "Naam": "Oak"})
    assert (await site.row("suppliers"))["supplier_name"] == "Oak"


async def test_a_renamed_field_is_found_by_the_streams_own_word(site: Site) -> None:
    await site.table("Supplier", "name text primary key, label text")
    await site.rebuild(renamed={"Supplier": {"supplier_name": "label"}})
    await site.add("Supplier", {"name": "S", "label": "Oak"})
    assert (await site.row("suppliers"))["supplier_name"] == "Oak"


async def test_values_of_a_widened_column_that_fit_are_kept_and_others_are_null(site: Site) -> None:
    await site.table(
        "Sales Order",
        'name text collate "C" primary key, transaction_date text, grand_total text, '
        "docstatus text, per_delivered bigint, status text, total_qty double precision",
    )
    await site.rebuild()
    await site.add(
        "Sales Order",
        {"name": "1", "transaction_date": "2026-02-28", "grand_total": "12.50", "docstatus": "1"},
        {"name": "2", "transaction_date": "0000-00-00", "grand_total": "a lot", "docstatus": ""},
        {"name": "3", "transaction_date": None, "grand_total": None, "total_qty": 1.5},
    )
    one, two, three = await site.rows("sales_orders")
    assert (one["order_date"], one["total_amount"], one["is_pending"]) == ("2026-02-28", 12.5, True)
    assert (two["order_date"], two["total_amount"]) == (None, None)
    assert (three["order_date"], three["quantity"]) == (None, 1.5)


async def test_a_disabled_flag_that_is_no_number_hides_nothing(site: Site) -> None:
    await site.table("Supplier", "name text primary key, disabled text")
    await site.rebuild()
    await site.add("Supplier", {"name": "a", "disabled": "maybe"}, {"name": "b", "disabled": "1"})
    assert [row["supplier_id"] for row in await site.rows("suppliers")] == ["a"]


async def test_a_column_of_the_right_type_stays_bare_so_that_its_index_is_used(
    mirror: Site,
) -> None:
    await mirror.rebuild()
    await mirror.run("create index on {s}.sales_order (status, transaction_date, name)")
    async with mirror.db.connection() as conn:
        await conn.execute("set local enable_seqscan = off")
        await conn.execute("set local enable_bitmapscan = off")
        plan = await conn.execute(
            f"explain select * from {mirror.schema}.sales_orders where status = 'Draft' "
            "and (order_date, order_id) < ('2026-01-01', 'x') "
            "order by order_date desc, order_id desc limit 50"
        )
        text = "\n".join(row[0] for row in await plan.fetchall())
    assert re.search(r"Index Cond: .*status.*ROW\(transaction_date, name\)", text), text
    assert "Sort" not in text


@pytest.mark.parametrize("column", ["order_id", "delivery_date", "total_amount"])
@pytest.mark.parametrize("way", ["asc", "desc"])
async def test_orders_of_a_period_come_sorted_from_an_index_that_passes_the_others_by(
    mirror: Site, column: str, way: str
) -> None:
    await mirror.run(
        "insert into {s}.sales_order (name, transaction_date, delivery_date, grand_total) "
        "select lpad(n::text, 7, '0'), '2020-01-01'::date + n / 10, '2020-01-09'::date + n / 10, n "
        "from generate_series(1, 20000) n"
    )
    fields = ("name", "transaction_date", "delivery_date", "grand_total")
    columns = tuple(Column(field, field, "text") for field in fields)
    async with mirror.db.connection() as conn:
        await ensure_indexes(conn, Table(mirror.schema, "sales_order", "Sales Order", columns))
    await mirror.run("analyze {s}.sales_order")
    await mirror.rebuild()
    plan = await mirror.run(
        "explain (analyze, timing off) select * from {s}.sales_orders "
        "where order_date >= '2022-06-01' and order_date < '2023-06-01' "
        f"order by {column} {way}, order_id {way} limit 50"
    )
    text = "\n".join(row[0] for row in plan)
    assert "Index Cond: ((transaction_date >=" in text, text
    assert "Sort" not in text, text
    assert "Rows Removed" not in text, text


async def test_only_views_whose_definition_changed_are_made_again(mirror: Site) -> None:
    assert await mirror.rebuild() == list(views.VIEWS)
    assert await mirror.rebuild() == []
    await mirror.run("alter table {s}.supplier drop column tax_id cascade")
    assert await mirror.rebuild() == ["suppliers"]
    assert await mirror.rebuild(warehouse_filter=["A"]) == ["inventory", "inventory_by_warehouse"]


async def test_views_of_others_on_top_survive_a_new_definition(mirror: Site) -> None:
    await mirror.rebuild()
    await mirror.add("Supplier", {"name": "S", "disabled": 1})
    await mirror.run("create view {s}.mine as select supplier_name from {s}.suppliers")
    assert "suppliers" in await mirror.rebuild(include_disabled=True)
    assert await mirror.run("select count(*) from {s}.mine") == [(1,)]


async def test_a_view_of_others_that_stands_in_the_way_is_named(mirror: Site) -> None:
    await mirror.rebuild()
    await mirror.run("create view {s}.mine as select supplier_name from {s}.suppliers")
    with pytest.raises(Conflict, match="mine") as refused:
        async with mirror.db.connection() as conn, views.views_aside(conn, mirror.schema):
            pass
    assert "your own views" in refused.value.next_step


async def test_views_that_stood_aside_for_a_columns_new_type_come_back_as_they_were_shown(
    mirror: Site,
) -> None:
    await mirror.rebuild()
    role = f"reader_{mirror.schema}"
    await mirror.run(f"create role {role}")
    await mirror.run(f"grant select on {{s}}.inventory to {role} with grant option")
    await mirror.run("grant select on {s}.suppliers to public")
    async with mirror.db.connection() as conn:
        async with views.views_aside(conn, mirror.schema):
            await conn.execute(f"alter table {mirror.schema}.bin alter column actual_qty type text")
        assert await views.rebuild_views(conn, schema=mirror.schema) == []
    assert await types(mirror, "inventory") == TYPES_OF_INVENTORY
    rights = "select has_table_privilege(%s, %s, 'select with grant option')"
    assert await mirror.run(rights, role, f"{mirror.schema}.inventory") == [(True,)]
    public = "select has_table_privilege(%s, %s, 'select')"
    assert await mirror.run(public, role, f"{mirror.schema}.suppliers") == [(True,)]
    assert await mirror.run(public, role, f"{mirror.schema}.customers") == [(False,)]
    await mirror.run(f"drop owned by {role}")
    await mirror.run(f"drop role {role}")


async def test_a_table_in_a_views_place_is_told_and_nothing_is_lost(site: Site) -> None:
    await site.run("create table {s}.inventory (name text)")
    with pytest.raises(Conflict, match="table named inventory"):
        await site.rebuild()
    assert await site.run("select count(*) from {s}.inventory") == [(0,)]


async def test_a_connection_that_was_never_synced_has_no_views(db: AsyncConnectionPool) -> None:
    async with db.connection() as conn:
        assert await views.rebuild_views(conn, schema="never_synced") == []


async def test_two_rebuilds_at_once_make_the_views_once(mirror: Site) -> None:
    made = await asyncio.gather(mirror.rebuild(), mirror.rebuild())
    assert sorted(made, key=len) == [[], list(views.VIEWS)]


def test_the_names_of_views_are_reserved_and_every_key_is_a_column() -> None:
    assert frozenset(views.VIEWS) == views.RESERVED
    for view in views.VIEWS.values():
        assert set(view.key) <= {column.name for column in view.columns}


def test_the_documentation_lists_every_view_and_column() -> None:
    page = (ROOT / "docs" / "views.md").read_text(encoding="utf-8")
    assert views.views_markdown() in page, (
        "docs/views.md lags behind: python -m bascule.mirror.views writes its tables"
    )
