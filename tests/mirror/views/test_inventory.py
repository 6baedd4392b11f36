"""Stock as the views tell it, against what ERPNext's own rules say."""

from typing import Any

from tests.mirror.views.conftest import Site

ITEM = {"item_group": "Wood", "stock_uom": "Nos", "is_stock_item": 1, "end_of_life": "2099-12-31"}


def item(name: str, **values: Any) -> dict[str, Any]:
    return {"name": name, "item_code": name, "item_name": f"The {name}", **ITEM, **values}


def level(parent: str, warehouse: str, at: float, qty: float, **values: Any) -> dict[str, Any]:
    return {
        "name": f"{parent} at {warehouse}",
        "parent": parent,
        "warehouse": warehouse,
        "warehouse_group": warehouse,
        "warehouse_reorder_level": at,
        "warehouse_reorder_qty": qty,
        **values,
    }


def stock(item_code: str, warehouse: str, projected: float, **values: Any) -> dict[str, Any]:
    return {
        "name": f"{item_code} in {warehouse}",
        "item_code": item_code,
        "warehouse": warehouse,
        "projected_qty": projected,
        **values,
    }


async def test_inventory_has_the_columns_of_the_data_model_in_its_order(mirror: Site) -> None:
    await mirror.rebuild()
    await mirror.add("Item", item("DOOR", standard_rate=10, last_purchase_rate=7.5))
    moving = {"ordered_qty": 4, "indented_qty": 0, "planned_qty": 0, "stock_value": 80}
    still = {"ordered_qty": 0, "indented_qty": 0.5, "planned_qty": 0, "stock_value": 15}
    await mirror.add("Bin", stock("DOOR", "A", 9, actual_qty=8, reserved_qty=3, **moving))
    await mirror.add("Bin", stock("DOOR", "B", 2, actual_qty=1.5, reserved_qty=0, **still))
    await mirror.add("Item Reorder", level("DOOR", "A", 5, 20), level("DOOR", "B", 1, 10))
    assert list((await mirror.row("inventory")).items()) == [
        ("item_code", "DOOR"),
        ("item_name", "The DOOR"),
        ("item_group", "Wood"),
        ("stock_qty", 9.5),
        ("available_qty", 6.5),
        ("reorder_level", 6.0),
        ("reorder_qty", 30.0),
        ("unit_price", 10.0),
        ("last_purchase_rate", 7.5),
        ("uom", "Nos"),
        ("needs_reorder", False),
        ("projected_qty", 11.0),
        ("reserved_qty", 3.0),
        ("ordered_qty", 4.0),
        ("requested_qty", 0.5),
        ("planned_qty", 0.0),
        ("stock_value", 95.0),
        ("stock_state", "enough"),
    ]


async def test_the_state_follows_from_what_stands_beside_it(mirror: Site) -> None:
    await mirror.rebuild()
    codes = ("COVERED", "OUT", "NEVER", "DUE", "PLENTY", "COMING", "SPARE")
    await mirror.add("Item", *(item(code) for code in codes))
    await mirror.add("Item", item("SERVICE", is_stock_item=0), item("KIND", has_variants=1))
    await mirror.add("Item", item("OLD", end_of_life="2020-01-01"))
    await mirror.add(
        "Bin",
        # More is reserved than is there, and what is ordered covers it.
        stock("COVERED", "A", 17, actual_qty=0, reserved_qty=13, ordered_qty=30),
        stock("OUT", "A", -2, actual_qty=0, reserved_qty=2),
        stock("OLD", "A", 2, actual_qty=2, reserved_qty=0),
        stock("DUE", "A", 3, actual_qty=50, reserved_qty=47),
        stock("PLENTY", "A", 50, actual_qty=50, reserved_qty=0),
        stock("COMING", "A", 5, actual_qty=0, reserved_qty=0, ordered_qty=5),
        stock("SPARE", "A", 7, actual_qty=7, reserved_qty=0),
    )
    for code in ("COVERED", "DUE", "PLENTY", "OLD"):
        await mirror.add("Item Reorder", level(code, "A", 3, 10))
    states = {row["item_code"]: row["stock_state"] for row in await mirror.rows("inventory")}
    assert states == {
        **{"COVERED": "on its way", "OUT": "out", "OLD": "low", "DUE": "reorder"},
        **{"PLENTY": "enough", "COMING": "on its way", "SPARE": "enough", "NEVER": "out"},
        **{"SERVICE": None, "KIND": None},
    }
    for name in ("inventory", "inventory_by_warehouse"):
        rows = {row["item_code"]: row for row in await mirror.rows(name)}
        assert (rows["COVERED"]["available_qty"], rows["COVERED"]["stock_state"]) == (
            -13,
            "on its way",
        )
    found = await mirror.rows("inventory", stock_state="out")
    assert {row["item_code"] for row in found} == {"OUT", "NEVER"}


async def test_an_item_without_bins_or_levels_has_zeros(mirror: Site) -> None:
    await mirror.rebuild()
    await mirror.add("Item", item("DOOR"))
    row = await mirror.row("inventory")
    assert (row["stock_qty"], row["available_qty"], row["reorder_level"]) == (0, 0, 0)
    assert row["needs_reorder"] is False


async def test_each_warehouse_is_compared_with_its_own_level(mirror: Site) -> None:
    """Plenty in one warehouse does not hide that another has run low."""
    await mirror.rebuild()
    await mirror.add("Item", item("DOOR"))
    await mirror.add("Bin", stock("DOOR", "A", 1000), stock("DOOR", "B", 5))
    await mirror.add("Item Reorder", level("DOOR", "A", 10, 1), level("DOOR", "B", 5, 1))
    due = {
        row["warehouse"]: row["needs_reorder"]
        for row in await mirror.rows("inventory_by_warehouse")
    }
    assert due == {"A": False, "B": True}
    assert (await mirror.row("inventory"))["needs_reorder"] is True


async def test_the_projected_quantity_decides_not_the_stock(mirror: Site) -> None:
    await mirror.rebuild()
    await mirror.add("Item", item("COMING"), item("LEAVING"))
    await mirror.add("Bin", stock("COMING", "A", 50, actual_qty=0))
    await mirror.add("Bin", stock("LEAVING", "A", -2, actual_qty=50, reserved_qty=52))
    await mirror.add("Item Reorder", level("COMING", "A", 5, 1), level("LEAVING", "A", 5, 1))
    assert [row["item_code"] for row in await mirror.rows("inventory", needs_reorder="true")] == [
        "LEAVING"
    ]
    assert (await mirror.row("inventory", item_code="LEAVING"))["available_qty"] == -2


async def test_a_level_for_a_warehouse_without_a_bin_counts_as_nothing_projected(
    mirror: Site,
) -> None:
    await mirror.rebuild()
    await mirror.add("Item", item("DOOR"))
    await mirror.add("Item Reorder", level("DOOR", "A", 5, 1))
    row = await mirror.row("inventory_by_warehouse")
    assert (row["warehouse"], row["projected_qty"], row["needs_reorder"]) == ("A", 0, True)
    assert (await mirror.row("inventory"))["needs_reorder"] is True


async def test_a_quantity_alone_asks_for_reorder_at_zero_and_neither_never_does(
    mirror: Site,
) -> None:
    await mirror.rebuild()
    await mirror.add("Item", item("QTY"), item("NONE"))
    await mirror.add("Item Reorder", level("QTY", "A", 0, 10), level("NONE", "A", 0, 0))
    assert (await mirror.row("inventory", item_code="QTY"))["needs_reorder"] is True
    assert (await mirror.row("inventory", item_code="NONE"))["needs_reorder"] is False


async def test_a_group_of_warehouses_counts_all_that_is_below_it(mirror: Site) -> None:
    await mirror.rebuild()
    await mirror.add(
        "Warehouse",
        {"name": "All", "parent_warehouse": None},
        {"name": "North", "parent_warehouse": "All"},
        {"name": "Shelf", "parent_warehouse": "North"},
        {"name": "South", "parent_warehouse": "All"},
    )
    await mirror.add("Item", item("ALL"), item("NORTH"))
    for code in ("ALL", "NORTH"):
        await mirror.add("Bin", stock(code, "Shelf", 4), stock(code, "South", 10))
    await mirror.add("Item Reorder", level("ALL", "Shelf", 5, 1, warehouse_group="All"))
    await mirror.add("Item Reorder", level("NORTH", "South", 5, 1, warehouse_group="North"))
    assert (await mirror.row("inventory", item_code="ALL"))["needs_reorder"] is False
    assert (await mirror.row("inventory", item_code="NORTH"))["needs_reorder"] is True


async def test_without_the_tree_of_warehouses_the_rows_own_warehouse_stands_in_for_its_group(
    site: Site,
) -> None:
    await site.tables("Warehouse")
    await site.rebuild()
    await site.add("Item", item("DOOR"))
    await site.add("Bin", stock("DOOR", "Shelf", 4))
    await site.add("Item Reorder", level("DOOR", "Shelf", 3, 1, warehouse_group="All"))
    assert (await site.row("inventory"))["needs_reorder"] is False
    assert "Warehouse" in (await site.missing())["inventory"]


async def test_a_variant_without_levels_takes_those_of_its_template(mirror: Site) -> None:
    await mirror.rebuild()
    await mirror.add("Item", item("DOOR", has_variants=1), item("DOOR-RED", variant_of="DOOR"))
    await mirror.add("Item", item("DOOR-BLUE", variant_of="DOOR"))
    await mirror.add("Item Reorder", level("DOOR", "A", 5, 1), level("DOOR-BLUE", "A", 2, 1))
    await mirror.add("Bin", stock("DOOR-RED", "A", 4), stock("DOOR-BLUE", "A", 4))
    due = {row["item_code"]: row["needs_reorder"] for row in await mirror.rows("inventory")}
    assert due == {"DOOR": False, "DOOR-RED": True, "DOOR-BLUE": False}


async def test_what_is_no_longer_used_needs_no_reorder(mirror: Site) -> None:
    await mirror.rebuild(include_disabled=True)
    await mirror.add("Item", item("OFF", disabled=1), item("OLD", end_of_life="2001-01-01"))
    await mirror.add("Item", item("SERVICE", is_stock_item=0), item("CLOSED"), item("ON"))
    await mirror.add("Warehouse", {"name": "C", "disabled": 1})
    for code in ("OFF", "OLD", "SERVICE", "ON"):
        await mirror.add("Item Reorder", level(code, "A", 5, 1))
    await mirror.add("Item Reorder", level("CLOSED", "C", 5, 1))
    due = {row["item_code"]: row["needs_reorder"] for row in await mirror.rows("inventory")}
    assert due == {"OFF": False, "OLD": False, "SERVICE": False, "CLOSED": False, "ON": True}


async def test_disabled_items_are_left_out_unless_asked_for(mirror: Site) -> None:
    await mirror.add("Item", item("OFF", disabled=1), item("ON", disabled=0), item("UNSET"))
    await mirror.rebuild()
    assert [row["item_code"] for row in await mirror.rows("inventory")] == ["ON", "UNSET"]
    await mirror.rebuild(include_disabled=True)
    assert len(await mirror.rows("inventory")) == 3


async def test_the_warehouse_filter_leaves_other_warehouses_out_of_stock_and_levels(
    mirror: Site,
) -> None:
    await mirror.rebuild(warehouse_filter=["A's \\ 倉庫"])
    await mirror.add("Item", item("DOOR"))
    for warehouse, qty in (("A's \\ 倉庫", 10), ("B", 90)):
        await mirror.add("Bin", stock("DOOR", warehouse, qty, actual_qty=qty, reserved_qty=0))
    await mirror.add("Item Reorder", level("DOOR", "A's \\ 倉庫", 5, 1), level("DOOR", "B", 95, 1))
    row = await mirror.row("inventory")
    assert (row["stock_qty"], row["reorder_level"], row["needs_reorder"]) == (10, 5, False)
    assert [r["warehouse"] for r in await mirror.rows("inventory_by_warehouse")] == ["A's \\ 倉庫"]


async def test_deleted_rows_leave_the_views(mirror: Site) -> None:
    await mirror.rebuild()
    await mirror.add("Item", item("GONE", _deleted_at="2026-01-01"), item("DOOR", standard_rate=1))
    await mirror.add("Bin", stock("DOOR", "A", 1, actual_qty=7, _deleted_at="2026-01-01"))
    await mirror.add("Item Reorder", level("DOOR", "A", 9, 1, _deleted_at="2026-01-01"))
    await mirror.add(
        "Item Price",
        {"name": "p", "item_code": "DOOR", "price_list_rate": 99, "_deleted_at": "2026-01-01"},
    )
    row = await mirror.row("inventory")
    assert (row["item_code"], row["stock_qty"], row["unit_price"]) == ("DOOR", 0, 1)
    assert row["needs_reorder"] is False


async def price_of(mirror: Any, *prices: dict[str, Any]) -> Any:
    await mirror.rebuild()
    await mirror.add("Item", item("DOOR", standard_rate=100))
    for number, values in enumerate(prices):
        offered = {"name": f"p{number}", "item_code": "DOOR", "selling": 1, "uom": "Nos"}
        offered["price_list"] = "Standard Selling"
        await mirror.add("Item Price", offered | values)
    return (await mirror.row("inventory"))["unit_price"]


async def test_the_price_is_the_newest_that_is_valid_today(mirror: Site) -> None:
    assert (
        await price_of(
            mirror,
            {"price_list_rate": 1, "valid_from": "2020-01-01", "valid_upto": "2020-12-31"},
            {"price_list_rate": 2, "valid_from": "2020-01-01"},
            {"price_list_rate": 3, "valid_from": "2021-01-01"},
            {"price_list_rate": 4, "valid_from": "2999-01-01"},
            {"price_list_rate": 5, "valid_from": None},
        )
        == 3
    )


async def test_the_standard_price_list_goes_before_others(mirror: Site) -> None:
    assert (
        await price_of(
            mirror,
            {"price_list_rate": 1, "price_list": "Export", "valid_from": "2022-01-01"},
            {"price_list_rate": 2, "valid_from": "2020-01-01"},
        )
        == 2
    )


async def test_prices_for_somebody_for_buying_or_for_another_unit_are_not_the_items_price(
    mirror: Site,
) -> None:
    assert (
        await price_of(
            mirror,
            {"price_list_rate": 1, "customer": "Acme"},
            {"price_list_rate": 2, "selling": 0, "price_list": "Standard Buying"},
            {"price_list_rate": 3, "uom": "Box"},
            {"price_list_rate": 4, "batch_no": "B1"},
        )
        == 100
    )
