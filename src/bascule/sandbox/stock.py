"""What ERPNext fills in by itself in an Item."""

from typing import TYPE_CHECKING

from bascule.sandbox.document import Document
from bascule.sandbox.errors import Call, Refusal
from bascule.sandbox.events import on
from bascule.sandbox.tables import column, quoted
from bascule.sandbox.values import cint, cstr, flt

if TYPE_CHECKING:
    from bascule.sandbox.site import Site

_OF_BOMS = ("BOM Item", "BOM Explosion Item")


@on("Item", "before_validate")
def _fill_item(site: "Site", call: Call, item: Document) -> None:
    """Its name and description where they are not given, and the unit that it is kept in."""
    item["item_name"] = item["item_name"] or item["item_code"]
    item["description"] = item["description"] or item["item_name"]
    item["customer_code"] = ",".join(
        code for row in item.rows.get("customer_items", ()) if (code := cstr(row["ref_code"]))
    )
    unit, units = item["stock_uom"], item.rows.get("uoms")
    if unit and units is not None and all(row["uom"] != unit for row in units):
        item.append(site.schema, "uoms", {"uom": unit, "conversion_factor": 1.0})


@on("Item", "validate")
def _check_what_comes_with_it(site: "Site", call: Call, item: Document) -> None:
    values = (flt(item[field]) for field in ("valuation_rate", "standard_rate"))
    if item.is_new and flt(item["opening_stock"]) and not any(values):
        call.refuse("Valuation Rate is mandatory if Opening Stock entered")
    if cint(item["has_variants"]) and not item.rows.get("attributes"):
        call.refuse("Attribute table is mandatory")


@on("Item", "validate")
def _check_reorder_levels(site: "Site", call: Call, item: Document) -> None:
    """One row for a warehouse and a kind of request; the group is the warehouse unless given."""
    seen = set()
    for row in item.rows.get("reorder_levels", ()):
        row["warehouse_group"] = row["warehouse_group"] or row["warehouse"]
        about = (row["warehouse"], row["material_request_type"])
        if about in seen:
            told = f"Row #{row['idx']}: A reorder entry already exists for warehouse {about[0]}"
            call.raise_told(
                Refusal(
                    "DuplicateReorderRows",
                    f"{told} with reorder type {about[1]}.",
                    module="erpnext.stock.doctype.item.item",
                    status=417,
                )
            )
        seen.add(about)


@on("Item", "validate")
def _describe_in_boms(site: "Site", call: Call, item: Document) -> None:
    """Another description goes into the BOMs of the item, and those that it is a part of."""
    if item.is_new or item.before is None or item.before["description"] == item["description"]:
        return
    for doctype, field in (("BOM", "item"), *((rows, "item_code") for rows in _OF_BOMS)):
        if doctype in site.schema:
            site.tables.run(
                f"UPDATE {quoted(doctype)} SET `description` = ?"
                f" WHERE {column(field)} = ? AND `docstatus` < 2",
                (item["description"], item.name),
            )


@on("Item", "on_update")
def _tell_prices(site: "Site", call: Call, item: Document) -> None:
    """Its prices have its name, description and brand; their `modified` stays."""
    if "Item Price" in site.schema:
        site.tables.run(
            "UPDATE `tabItem Price` SET `item_name` = ?, `item_description` = ?, `brand` = ?"
            " WHERE `item_code` = ?",
            (item["item_name"], item["description"], item["brand"], item.name),
        )


@on("Item", "on_trash")
def _leave_no_bin(site: "Site", call: Call, item: Document) -> None:
    """Its Bins and prices go without a trace."""
    for doctype in ("Bin", "Item Price"):
        if doctype in site.schema:
            site.tables.delete(doctype, item_code=item.name)


@on("Item Price", "validate")
def _fill_item_price(site: "Site", call: Call, price: Document) -> None:
    """What its item and its price list say of it."""
    item = site.tables.row("Item", cstr(price["item_code"]))
    if item is None:
        call.refuse(f"Item {cstr(price['item_code'])} not found.")
    price["item_name"], price["item_description"] = item["item_name"], item["description"]
    listed = site.tables.row("Price List", cstr(price["price_list"])) or {}
    price["buying"], price["selling"] = listed.get("buying"), listed.get("selling")
    price["currency"] = listed.get("currency")
