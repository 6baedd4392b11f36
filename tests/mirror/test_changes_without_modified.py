"""What changes on a site without its time of change: found at the next sync, and never called
equal.
"""

from collections.abc import Callable
from typing import Any


async def _a_customer_with_orders(mirror: Any) -> str:
    orders = await mirror.rows("sales_order", "customer")
    return str(orders[0][0])


async def _rename(mirror: Any, doctype: str, old: str, new: str) -> None:
    asked = {"doctype": doctype, "old_name": old, "new_name": new}
    await mirror.ask("POST", "/api/method/frappe.client.rename_doc", asked)


async def test_orders_follow_a_renamed_customer_though_their_modified_stays(
    mirrored: Callable[..., Any],
) -> None:
    mirror = await mirrored()
    await mirror.sync("orders", "customers")
    old = await _a_customer_with_orders(mirror)
    before = await mirror.rows("sales_order", "name", "modified", where=f"customer = '{old}'")
    await _rename(mirror, "Customer", old, "Renamed & Sons")
    runs = await mirror.sync("orders", "customers")
    assert {run.outcome for run in runs} == {"done"}, [run.error for run in runs]
    after = await mirror.rows(
        "sales_order", "name", "modified", where="customer = 'Renamed & Sons'"
    )
    assert after == before
    assert not await mirror.rows("sales_order", "name", where=f"customer = '{old}'")
    for run in await mirror.sync("orders", "customers", kind="verify"):
        assert run.report["equal"], run.report


async def test_a_verify_names_the_columns_that_changed_without_a_time_of_change(
    mirrored: Callable[..., Any],
) -> None:
    mirror = await mirrored()
    await mirror.sync("orders", "customers")
    old = await _a_customer_with_orders(mirror)
    orders = await mirror.rows("sales_order", "name", where=f"customer = '{old}'")
    await _rename(mirror, "Customer", old, "Renamed & Sons")
    [run] = await mirror.sync("Sales Order", kind="verify")
    assert (run.report["equal"], run.report["by"]) == (False, "value")
    assert run.report["changed"] == len(orders)
    assert run.report["columns"]["Sales Order.customer"] == len(orders)
    [run] = await mirror.sync("Sales Order", kind="repair")
    assert run.report["repaired"]
    assert await mirror.rows("sales_order", "name", where="customer = 'Renamed & Sons'") == orders


async def test_a_value_that_was_changed_here_is_found_in_documents_and_child_rows(
    mirrored: Callable[..., Any],
) -> None:
    mirror = await mirrored()
    await mirror.sync("orders", "suppliers")
    await mirror.execute(
        """
        UPDATE mirror.supplier SET website = 'https://wrong.example'
         WHERE name = (SELECT min(name) FROM mirror.supplier);
        UPDATE mirror.sales_order_item SET qty = qty + 1
         WHERE name = (SELECT min(name) FROM mirror.sales_order_item);
        """
    )
    supplier, order = await mirror.sync("Supplier", "Sales Order", kind="verify")
    if "Supplier.website" not in supplier.report["columns"]:
        supplier, order = order, supplier
    assert supplier.report["columns"] == {"Supplier.website": 1}
    assert (supplier.report["changed"], supplier.report["stale"]) == (1, 0)
    assert order.report["columns"] == {"Sales Order Item.qty": 1}
    assert (order.report["children"], order.report["changed"]) == (1, 0)


async def test_a_sync_in_which_nothing_changed_asks_once_a_table_and_writes_nothing(
    mirrored: Callable[..., Any],
) -> None:
    mirror = await mirrored()
    await mirror.sync("suppliers")
    await mirror.sync("suppliers")
    [run] = await mirror.sync("suppliers")
    assert (run.outcome, run.rows_read, run.rows_changed) == ("done", 0, 0)


async def test_the_same_change_in_two_rows_of_one_length_does_not_cancel_out(
    mirrored: Callable[..., Any],
) -> None:
    mirror = await mirrored()
    for name in ("Twin One", "Twin Two"):
        made = {"supplier_name": name, "website": "https://a.example"}
        await mirror.ask("POST", "/api/resource/Supplier", made)
    await mirror.sync("Supplier")
    for name in ("Twin One", "Twin Two"):
        await mirror.ask(
            "POST",
            "/sandbox/sql",
            {
                "sql": "UPDATE `tabSupplier` SET website = 'https://b.example' WHERE name = ?",
                "values": [name],
            },
        )
    [run] = await mirror.sync("Supplier")
    assert run.outcome == "done", run.error
    found = dict(await mirror.rows("supplier", "name", "website"))
    assert {found["Twin One"], found["Twin Two"]} == {"https://b.example"}


async def test_what_a_scheduled_look_finds_is_mended_by_the_same_sync(
    mirrored: Callable[..., Any],
) -> None:
    mirror = await mirrored()
    await mirror.sync("suppliers")
    await mirror.execute("""UPDATE bascule.streams SET cursor = cursor || '{"looked_at": null}'""")
    changed = "UPDATE `tabSupplier` SET website = 'https://b.example'"
    await mirror.ask("POST", "/sandbox/sql", {"sql": changed, "values": []})
    # The look takes so long that, as often as looks may be taken, the next is not due yet.
    mirror.site.faults.add("latency", seconds=0.5, times=1, doctype="Supplier")
    [run] = await mirror.sync("Supplier", trigger="schedule")
    assert run.outcome == "done", run.error
    assert {site for (site,) in await mirror.rows("supplier", "website")} == {"https://b.example"}
