"""What ERPNext refuses of an Item, by erpnext/stock/doctype/item: one function a rule.

Values are as they came: a text is true even if it says 0, as in Python.
"""

from typing import TYPE_CHECKING

from bascule.sandbox.core.database.tables import Row
from bascule.sandbox.core.documents.document import Document
from bascule.sandbox.core.errors import Call, Refusal, bold
from bascule.sandbox.core.values import cint, cstr, flt

if TYPE_CHECKING:
    from bascule.sandbox.core.site import Site

# Not to be changed once the item was moved, and where that is looked for.
_FIXED = ("has_serial_no", "is_stock_item", "valuation_method", "has_batch_no")
_MOVES = (
    *("Delivery Note Item", "Stock Ledger Entry", "POS Invoice Item", "Purchase Receipt Item"),
    *("Stock Entry Detail", "Stock Reconciliation Item"),
)
_ORDERS = ("Sales Order Item", "Purchase Order Item", "Material Request Item")


def has_moved(site: "Site", item: Document) -> bool:
    moves: Row = {"item_code": item.name, "is_cancelled": 0}
    return bool(item.name and site.tables.rows("Stock Ledger Entry", **moves))


def check_unit(site: "Site", call: Call, item: Document) -> None:
    """The unit that an item is kept in stays while its stock is counted in it."""
    if item.before is None or item.before["stock_uom"] == item["stock_uom"]:
        return
    entries = site.tables.rows("Stock Ledger Entry", item_code=item.name)
    told = (
        f"Default Unit of Measure for Item {item.name} cannot be changed directly because you have"
        " already made some transaction(s) with another UOM."
    )
    if entries and cstr(entries[0].get("stock_uom")) != cstr(item["stock_uom"]):
        call.refuse(f"{told} You will need to create a new Item to use a different Default UOM.")
    awaited = ("reserved_qty", "ordered_qty", "indented_qty", "planned_qty")
    bins = site.tables.rows("Bin", item_code=item.name)
    if any(flt(row.get(field)) > 0 for row in bins for field in awaited):
        call.refuse(f"{told} You need to either cancel the linked documents or create a new Item.")
    for row in bins:
        site.tables.update("Bin", row["name"], {"stock_uom": item["stock_uom"]})


def check_factors(call: Call, item: Document) -> None:
    seen = set()
    for row in item.rows.get("uoms", ()):
        unit = cstr(row["uom"])
        if unit in seen:
            told = "has been entered more than once in Conversion Factor Table"
            call.refuse(f"Unit of Measure {unit} {told}")
        seen.add(unit)
        if unit and unit == cstr(item["stock_uom"]) and flt(row["conversion_factor"]) != 1:
            told = "Conversion factor for default Unit of Measure must be 1 in row"
            call.refuse(f"{told} {row['idx']}")


def conversion_factor(site: "Site", unit: str, stock_unit: str) -> float | None:
    """How many of the stock's unit are in one, where the site knows; also by a third unit."""
    if unit == stock_unit:
        return 1.0
    known = "UOM Conversion Factor"
    if rows := site.tables.rows(known, to_uom=stock_unit, from_uom=unit):
        return flt(rows[0]["value"])
    if rows := site.tables.rows(known, to_uom=unit, from_uom=stock_unit):
        return 1 / flt(rows[0]["value"])
    of_stock = {row["from_uom"]: row for row in site.tables.rows(known, to_uom=stock_unit)}
    for row in site.tables.rows(known, to_uom=unit):
        if row["from_uom"] in of_stock:
            return flt(of_stock[row["from_uom"]]["value"]) / flt(row["value"])
    return None


def check_serials(call: Call, item: Document) -> None:
    unstocked = item["is_stock_item"] == 0 and not item["is_fixed_asset"]
    if item["has_serial_no"] == 1 and unstocked:
        call.refuse("'Has Serial No' can not be 'Yes' for non-stock item")
    if item["has_serial_no"] == 0 and item["serial_no_series"]:
        item["serial_no_series"] = None
    for field in ("serial_no_series", "batch_number_series"):
        series = cstr(item[field])
        if "#" in series and "." not in series:
            label = bold(item.doctype.label(field))
            call.refuse(f"Invalid naming series (. missing) for {label}")


def check_variants(site: "Site", call: Call, item: Document) -> None:
    before = item.before
    of_it = site.tables.rows("Item", variant_of=item.name) if before is not None else []
    if before is not None:
        if not item["has_variants"] and cint(before["has_variants"]) and of_it:
            call.refuse("Item has variants.")
        changed = cint(before["has_variants"]) != cint(item["has_variants"])
        if (changed or before["variant_of"] != item["variant_of"]) and has_moved(site, item):
            told = "You will have to make a new Item to do this."
            told = f"Cannot change Variant properties after stock transaction. {told}"
            module = "erpnext.stock.doctype.item.item"
            refusal = Refusal("StockExistsForTemplate", told, module=module, status=417)
            call.raise_told(refusal)
    if not (item["has_variants"] or item["variant_of"]):
        return
    item["variant_based_on"] = item["variant_based_on"] or "Item Attribute"
    by_attributes = item["variant_based_on"] == "Item Attribute"
    if by_attributes and not item.rows.get("attributes"):
        call.refuse("Attribute table is mandatory")
    is_variant = item["variant_of"] or of_it
    if before is not None and is_variant and before["variant_based_on"] != item["variant_based_on"]:
        call.refuse("Variant Based On cannot be changed")


def check_asset(site: "Site", call: Call, item: Document) -> None:
    if not item["is_fixed_asset"]:
        return
    if item["is_stock_item"]:
        call.refuse("Fixed Asset Item must be a non-stock item.")
    if not item["asset_category"]:
        call.refuse("Asset Category is mandatory for Fixed Asset item")
    if has_moved(site, item):
        call.refuse("Cannot be a fixed asset item as Stock Ledger is created.")


def check_samples(call: Call, item: Document) -> None:
    """Samples are kept of batches only, and in a warehouse that no setup names."""
    if not item["has_batch_no"]:
        item["retain_sample"] = 0
    if not item["retain_sample"]:
        item["sample_quantity"] = 0
    else:
        call.refuse("Please select Sample Retention Warehouse in Stock Settings first")


def check_customers_own(call: Call, item: Document) -> None:
    if not item["is_customer_provided_item"]:
        return
    if item["is_purchase_item"]:
        call.refuse('"Customer Provided Item" cannot be Purchase Item also')
    if item["valuation_rate"]:
        call.refuse('"Customer Provided Item" cannot have Valuation Rate')
    item["default_material_request_type"] = "Customer Provided"


def check_unchanged(site: "Site", call: Call, item: Document) -> None:
    """How an item is counted stays as it is once it was; see its cant_change."""
    if item.before is None:
        return
    before = {field: item.before[field] for field in _FIXED}
    if not before["valuation_method"] and item["valuation_method"]:
        before["valuation_method"] = "FIFO"
    changed = [field for field in _FIXED if cstr(item[field]) != cstr(before[field])]
    if item["valuation_method"] == "Moving Average" and "valuation_method" in changed:
        changed.remove("valuation_method")
    linked = _linked(site, item, changed) if changed else None
    if linked is None:
        return
    labels = ", ".join(bold(item.doctype.label(field)) for field in changed)
    link = f'<a href="/app/Form/{linked[0]}/{linked[1]}">{linked[0]} {linked[1]}</a>'
    call.refuse(
        f"As there are existing submitted transactions against item {item.name}, you can not change"
        f" the value of {labels}.<br>Example of a linked document: {link}",
        title="Linked with submitted documents",
    )


def _linked(site: "Site", item: Document, changed: list[str]) -> tuple[str, str] | None:
    """(DocType, name) of a submitted document that counts the item."""
    doctypes = [*_MOVES, *(_ORDERS if "is_stock_item" in changed else ())]
    for doctype in doctypes:
        place: Row = {"item_code": item.name, "docstatus": 1}
        if doctype == "Stock Ledger Entry":  # of invoices, those that moved stock
            place = {"item_code": item.name, "is_cancelled": 0}
        for row in site.tables.rows(doctype, **place)[:1]:
            fields = ("parenttype", "parent")
            if doctype == "Stock Ledger Entry":
                fields = ("voucher_type", "voucher_no")
            return cstr(row[fields[0]]), cstr(row[fields[1]])
    if "is_stock_item" in changed:
        for row in site.tables.rows("BOM", item=item.name, docstatus=1)[:1]:
            return "BOM", row["name"]
    return None
