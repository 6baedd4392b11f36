"""Pages of rows: every row once and in order, and clear words for bad questions."""

import base64
import json
import random
from typing import Any

import pytest

from bascule.data.rows import BadQuery, NoSuchRelation, page_of_rows
from tests.mirror.views.conftest import Site


@pytest.fixture
async def orders(mirror: Site) -> Site:
    """60 orders with ties, nulls, and dates and amounts that sort otherwise as text."""
    await mirror.rebuild()
    chance = random.Random(7)
    await mirror.add(
        "Sales Order",
        *(
            {
                "name": f"SO-{number:03}",
                "customer_name": chance.choice(["ann", "Bob", "Éva", "", None]),
                "status": chance.choice(["Draft", "To Bill"]),
                "transaction_date": chance.choice([None, "2026-01-01", "2026-01-02", "2025-12-31"]),
                "grand_total": chance.choice([None, "9.10", "10.123456789", "-1", "100"]),
                "docstatus": chance.choice([0, 1, 2]),
                "modified": f"2026-01-01 00:00:00.{number:06}",
            }
            for number in range(60)
        ),
    )
    return mirror


async def walk(site: Any, relation: str, limit: int, **asked: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    after = None
    while True:
        page = await page_of_rows(site.db, site.schema, relation, after=after, limit=limit, **asked)
        assert len(page.rows) <= limit
        rows += page.rows
        if page.next is None:
            return rows
        assert len(page.rows) == limit
        after = page.next


@pytest.mark.parametrize("limit", [1, 7, 60, 1000])
@pytest.mark.parametrize(
    "sort",
    [
        None,
        "-order_id",
        "order_date",
        "-order_date",
        "total_amount",
        "-total_amount",
        "-is_pending",
    ],
)
async def test_pages_hold_every_row_once_in_postgresqls_own_order(
    orders: Site, sort: str, limit: int
) -> None:
    rows = await walk(orders, "sales_orders", limit, sort=sort)
    column = (sort or "order_id").lstrip("-")
    way = "desc" if (sort or "").startswith("-") else "asc"
    expected = await orders.run(
        f"select order_id from {{s}}.sales_orders order by {column} {way}, order_id {way}"
    )
    assert [row["order_id"] for row in rows] == [name for (name,) in expected]


async def test_pages_stay_filtered_and_sorted_by_a_text_with_nulls(orders: Site) -> None:
    rows = await walk(orders, "sales_orders", 3, sort="-customer_name", where={"status": "Draft"})
    expected = await orders.run(
        "select order_id from {s}.sales_orders where status = 'Draft' "
        "order by customer_name desc, order_id desc"
    )
    assert [row["order_id"] for row in rows] == [name for (name,) in expected]


async def test_a_row_that_comes_or_goes_between_pages_disturbs_no_other(orders: Site) -> None:
    first = await page_of_rows(orders.db, orders.schema, "sales_orders", limit=10)
    await orders.add("Sales Order", {"name": "SO-000-a"}, {"name": "SO-020-a"})
    await orders.run("update {s}.sales_order set _deleted_at = now() where name = 'SO-009'")
    second = await page_of_rows(
        orders.db, orders.schema, "sales_orders", limit=12, after=first.next
    )
    names = [row["order_id"] for row in second.rows]
    assert names == [*(f"SO-{n:03}" for n in range(10, 21)), "SO-020-a"]


async def test_deleted_rows_of_a_table_show_only_where_they_are_asked_for(orders: Site) -> Any:
    await orders.run("update {s}.sales_order set _deleted_at = now() where name = 'SO-009'")

    async def names(**where: Any) -> Any:
        page = await page_of_rows(orders.db, orders.schema, "sales_order", where=where, limit=100)
        return {row["name"] for row in page.rows}

    assert await names(_deleted_at__isnull="false") == {"SO-009"}
    live = await names()
    assert live
    assert "SO-009" not in live


async def test_a_view_with_two_key_columns_pages_by_both(mirror: Site) -> None:
    await mirror.rebuild()
    for code in ("A", "B", "C"):
        await mirror.add("Item", {"name": code})
        for warehouse in ("x", "y", "z"):
            await mirror.add(
                "Bin", {"name": code + warehouse, "item_code": code, "warehouse": warehouse}
            )
    rows = await walk(mirror, "inventory_by_warehouse", 2, sort="-warehouse")
    assert [row["warehouse"] + row["item_code"] for row in rows] == [
        w + c for w in "zyx" for c in "CBA"
    ]


async def test_any_mirrored_table_can_be_paged_with_its_own_columns(orders: Site) -> None:
    rows = await walk(
        orders, "sales_order", 9, sort="-modified", columns=["name", "grand_total", "modified"]
    )
    assert [row["name"] for row in rows] == [f"SO-{n:03}" for n in reversed(range(60))]
    assert rows[-1]["modified"] == "2026-01-01T00:00:00"
    assert rows[0]["modified"] == "2026-01-01T00:00:00.000059"
    assert {type(row["grand_total"]) for row in rows} == {float, type(None)}
    json.dumps(rows, allow_nan=False)


async def test_columns_come_as_asked_for_and_in_that_order(orders: Site) -> None:
    page = await page_of_rows(
        orders.db,
        orders.schema,
        "sales_orders",
        columns=["status", "order_id"],
        sort="-order_date",
        limit=1,
    )
    assert page.columns == list(page.rows[0]) == ["status", "order_id"]


WEIRD = 'O\'Neil, "50%" \\ _new_\n🚀'


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ({"order_date": "2026-01-02"}, "b"),
        ({"order_date__gte": "2026-01-02"}, "bc"),
        ({"order_date__gt": "2026-01-02"}, "c"),
        ({"order_date__lt": "2026-01-02"}, "a"),
        ({"order_date__gte": "2026-01-01", "order_date__lte": "2026-01-02"}, "ab"),
        ({"order_date__isnull": "true"}, "d"),
        ({"order_date__isnull": "false"}, "abc"),
        ({"order_date__ne": "2026-01-02"}, "acd"),
        ({"total_amount": "10.50"}, "a"),
        ({"total_amount__in": "10.5,-3"}, "ab"),
        ({"order_id__in": "a,c,nobody"}, "ac"),
        ({"customer_name__in": json.dumps([WEIRD])}, "c"),
        ({"customer_name": WEIRD}, "c"),
        ({"customer_name__contains": "50%"}, "c"),
        ({"customer_name__contains": "_NEW_"}, "c"),
        ({"customer_name__contains": "%"}, "c"),
        ({"customer_name__like": "A%"}, "a"),
        ({"customer_name__like": "a%"}, ""),
        ({"is_pending": "true"}, "a"),
        ({"is_pending": "0"}, "bcd"),
    ],
)
async def test_filters_find_what_they_say(mirror: Site, where: Any, found: Any) -> None:
    await mirror.rebuild()
    order = {"docstatus": 0, "status": "Draft"}
    await mirror.add(
        "Sales Order",
        {"name": "a", "customer_name": "Ann", "transaction_date": "2026-01-01"}
        | {"grand_total": "10.5", "docstatus": 1},
        {"name": "b", "transaction_date": "2026-01-02", "grand_total": "-3"} | order,
        {"name": "c", "transaction_date": "2026-01-03", "customer_name": WEIRD} | order,
        {"name": "d", "customer_name": "50 new"} | order,
    )
    page = await page_of_rows(mirror.db, mirror.schema, "sales_orders", where=where)
    assert "".join(row["order_id"] for row in page.rows) == found


async def test_smallest_numbers_of_a_type_can_be_asked_for(orders: Site) -> None:
    assert await orders.rows("sales_order", docstatus=str(-(2**15))) == []


async def test_a_column_whose_name_has_two_underscores_or_a_percent_sign_is_found(
    site: Site,
) -> None:
    await site.table("Odd", 'name text primary key, "a__gt" text, "rate %s" text')
    await site.add("Odd", {"name": "1", "a__gt": "x"})
    assert (await site.row("odd", a__gt="x"))["name"] == "1"
    page = await page_of_rows(site.db, site.schema, "odd", sort="-rate %s", columns=["rate %s"])
    assert page.rows == [{"rate %s": None}]


@pytest.mark.parametrize(
    ("asked", "named", "help"),
    [
        ({"where": {"colour": "red"}}, "colour", "order_date"),
        ({"where": {"colour__gt": "red"}}, "colour", "order_date"),
        ({"where": {"order_date__about": "2026"}}, "about", "__gte"),
        ({"where": {"order_date": "yesterday"}}, "yesterday", "2026-11-20"),
        ({"where": {"total_amount__gt": "1,5"}}, "1,5", "12.50"),
        ({"where": {"total_amount": "NaN"}}, "NaN", "12.50"),
        ({"where": {"is_pending": "perhaps"}}, "perhaps", "true or false"),
        ({"where": {"order_date__contains": "2026"}}, "order_date", "__gte"),
        ({"where": {"customer_name": "a\x00b"}}, "customer_name", "text"),
        ({"where": {"customer_name__in": "[1,"}}, "customer_name__in", "commas"),
        ({"where": {"order_id\" = '' or 1=1; --": "x"}}, "1=1", "order_date"),
        ({"sort": "colour"}, "colour", "order_date"),
        ({"columns": ["order_id", "colour"]}, "colour", "order_date"),
        ({"columns": []}, "column", "columns"),
        ({"limit": 0}, "0", "1000"),
        ({"limit": 1001}, "1001", "1000"),
        ({"after": "nonsense"}, "after", "next"),
        ({"after": "bm9uc2Vuc2U"}, "after", "next"),
    ],
)
async def test_a_bad_question_is_refused_with_what_can_be_asked(
    orders: Site, asked: Any, named: str, help: str
) -> None:
    with pytest.raises(BadQuery) as refused:
        await page_of_rows(orders.db, orders.schema, "sales_orders", **asked)
    assert named in refused.value.message
    assert help in refused.value.next_step


@pytest.mark.parametrize(
    "relation", ["nothing", "_stage", "pg_class", 'x"; drop', "bascule.users", ""]
)
async def test_only_what_stands_in_the_connections_schema_can_be_read(
    orders: Site, relation: str
) -> None:
    await orders.run("create table {s}._stage (name text primary key)")
    with pytest.raises(NoSuchRelation) as refused:
        await page_of_rows(orders.db, orders.schema, relation)
    assert "sales_orders" in refused.value.next_step
    assert "_stage" not in refused.value.next_step


async def test_a_cursor_serves_only_the_question_that_it_came_from(orders: Site) -> None:
    page = await page_of_rows(orders.db, orders.schema, "sales_orders", sort="-order_date", limit=5)
    for relation, sort in (
        ("sales_orders", "order_date"),
        ("sales_orders", None),
        ("sales_order", None),
    ):
        with pytest.raises(BadQuery, match="after"):
            await page_of_rows(orders.db, orders.schema, relation, sort=sort, after=page.next)


async def test_a_page_that_takes_too_long_gives_up_with_a_way_out(
    orders: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bascule.data.rows._PATIENCE", 1)
    async with orders.db.connection() as conn:
        await conn.execute(f"lock table {orders.schema}.sales_order in access exclusive mode")
        with pytest.raises(BadQuery, match="more than 1 seconds") as refused:
            await orders.rows("sales_orders")
        assert "Try again" in refused.value.next_step
    monkeypatch.undo()
    assert len(await orders.rows("sales_orders")) == 60


async def test_a_forged_cursor_is_refused(orders: Site) -> None:
    for values in (["x", "y"], [None], [None, None], ["2026-01-01", "a\x00"], "x", None):
        forged = json.dumps(["sales_orders", "-order_date", values]).encode()
        after = base64.urlsafe_b64encode(forged).decode()
        with pytest.raises(BadQuery, match="after"):
            await page_of_rows(
                orders.db, orders.schema, "sales_orders", sort="-order_date", after=after
            )
