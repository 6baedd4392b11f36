"""What ERPNext moves beside a document: found in the mirror by rules, with nothing asked of a site.

Each is compared with what the site's own documents name.
"""

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

from bascule.mirror.pull.ripples import moved_by
from bascule.mirror.streams.settings import add_streams

PAPERS = ("Delivery Note", "Sales Order", "Purchase Receipt", "Purchase Order")
STOCK = ("Item", "Item Price", "Bin", "BOM", "Stock Entry", "Stock Ledger Entry")


async def moved(mirror: Any, doctype: str, *names: str, **how: bool) -> dict[str, set[str]]:
    async with mirror.hub.db.connection() as conn:
        return await moved_by(conn, mirror.connection.slug, doctype, names, **how)


async def document(mirror: Any, doctype: str, name: str) -> dict[str, Any]:
    answer = await mirror.ask("GET", f"/api/resource/{doctype}/{quote(name, safe='')}")
    found: dict[str, Any] = answer["data"]
    return found


async def test_a_delivery_note_names_its_orders_bins_and_others_of_the_same_order_line(
    mirrored: Callable[..., Any],
) -> None:
    mirror = await mirrored(lookback_days=4000)
    await add_streams(mirror.hub, mirror.connection, [*PAPERS, "Bin"])
    await mirror.sync(*PAPERS, "Bin")
    some = [name for (name,) in await mirror.rows("delivery_note", "name")][5:9]
    notes = [await document(mirror, "Delivery Note", name) for name in some]
    rows = [row for note in notes for row in note["items"]]
    orders = {row["against_sales_order"] for row in rows if row["against_sales_order"]}
    places = {(row["item_code"], row["warehouse"]) for row in rows if row.get("warehouse")}
    bins = await mirror.site_rows("Bin", "name", "item_code", "warehouse")
    lines = {row["so_detail"] for row in rows if row["so_detail"]}
    every = await mirror.rows("delivery_note_item", "parent", "so_detail")
    assert orders
    assert places

    found = await moved(mirror, "Delivery Note", *some, stamped=True)
    assert found["Sales Order"] == orders
    assert found["Bin"] == {name for name, item, warehouse in bins if (item, warehouse) in places}
    others = {parent for parent, line in every if line in lines} - set(some)
    assert found.get("Delivery Note", set()) == others
    # What moves `modified` as well, the stream's own pull finds: a Bin. The orders are still told.
    without = await moved(mirror, "Delivery Note", *some)
    assert without == {name: names for name, names in found.items() if name != "Bin"}


async def test_a_ledger_row_leads_to_its_voucher_its_bin_and_all_that_follow(
    mirrored: Callable[..., Any],
) -> None:
    mirror = await mirrored(lookback_days=4000)
    await add_streams(mirror.hub, mirror.connection, [*STOCK, "Delivery Note"])
    await mirror.sync(*STOCK, "Delivery Note")
    ledger = await mirror.rows(
        "stock_ledger_entry",
        *("name", "item_code", "warehouse", "posting_datetime", "voucher_type", "voucher_no"),
    )
    by_place: dict[tuple[str, str], list[tuple[Any, ...]]] = {}
    for row in sorted(ledger, key=lambda row: row[3]):
        by_place.setdefault((row[1], row[2]), []).append(row)
    chain = max(by_place.values(), key=len)
    old = chain[len(chain) // 2]
    same = {row[0] for row in ledger if row[4:] == old[4:]}
    later = {row[0] for row in chain if row[3] > old[3]}
    found = await moved(mirror, "Stock Ledger Entry", old[0], stamped=True)
    assert found["Stock Ledger Entry"] == (same | later) - {old[0]}
    assert later
    bins = await mirror.site_rows("Bin", "name", "item_code", "warehouse")
    assert found["Bin"] == {name for name, *place in bins if tuple(place) == old[1:3]}
    assert found[old[4]] == {old[5]}


async def test_an_item_leads_to_its_prices_and_boms_and_a_stream_that_is_not_here_is_left_out(
    mirrored: Callable[..., Any],
) -> None:
    mirror = await mirrored()
    await add_streams(mirror.hub, mirror.connection, ["BOM"])
    await mirror.sync("Item", "Item Price", "BOM")
    parts = await mirror.rows("bom_item", "item_code", "parent")
    item = parts[0][0]
    found = await moved(mirror, "Item", item)
    assert found["BOM"] >= {parent for part, parent in parts if part == item}
    prices = await mirror.site_rows("Item Price", "name", "item_code")
    assert found["Item Price"] == {name for name, about in prices if about == item}
    assert found.keys() == {"BOM", "Item Price"}  # no Bin is mirrored
    assert await moved(mirror, "Supplier", "nobody") == {}
