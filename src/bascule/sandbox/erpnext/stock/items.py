"""What ERPNext fills in by itself in an Item, and the order in which it looks at one."""

from typing import TYPE_CHECKING

from bascule.sandbox.core.database.tables import column, quoted
from bascule.sandbox.core.documents import saving
from bascule.sandbox.core.documents.document import Document
from bascule.sandbox.core.documents.events import on
from bascule.sandbox.core.documents.markup import as_plain_markup
from bascule.sandbox.core.errors import Call, Refusal
from bascule.sandbox.core.values import cint, cstr, flt
from bascule.sandbox.erpnext.stock import item_rules
from bascule.sandbox.erpnext.stock.item_rules import conversion_factor

if TYPE_CHECKING:
    from bascule.sandbox.core.site import Site

_OF_BOMS = ("BOM Item", "BOM Explosion Item")
_OF_GROUPS = (
    *("company", "default_warehouse", "default_price_list", "buying_cost_center"),
    *("default_supplier", "expense_account", "selling_cost_center", "income_account"),
)


@on("Item", "validate")
def _validate(site: "Site", call: Call, item: Document) -> None:
    """In ERPNext's order: what is wrong twice is refused for the first."""
    item["item_name"] = item["item_name"] or item["item_code"]
    item["description"] = item["description"] or item["item_name"]
    item_rules.check_unit(site, call, item)
    item["description"] = as_plain_markup(item["description"])
    _list_unit(site, call, item)
    item_rules.check_factors(call, item)
    item_rules.check_serials(call, item)
    item["customer_code"] = ",".join(
        code for row in item.rows.get("customer_items", ()) if (code := cstr(row["ref_code"]))
    )
    _check_reorder_levels(call, item)
    _describe_in_boms(site, item)
    item_rules.check_variants(site, call, item)
    item_rules.check_asset(site, call, item)
    item_rules.check_samples(call, item)
    for row in item.rows.get("uoms", ()):
        factor = conversion_factor(site, cstr(row["uom"]), cstr(item["stock_uom"]))
        row["conversion_factor"] = factor or row["conversion_factor"]
    item_rules.check_customers_own(call, item)
    _take_defaults(site, item)
    item_rules.check_unchanged(site, call, item)


def _list_unit(site: "Site", call: Call, item: Document) -> None:
    """The unit that it is kept in is among its units; another one makes the others void."""
    unit, units = item["stock_uom"], item.rows.get("uoms")
    if units is None:
        return
    if item.before is not None and item.before["stock_uom"] != unit:
        item.rows["uoms"] = units = []
        told = "Successfully changed Stock UOM, please redefine conversion factors for new UOM."
        call.tell(told, alert=True)
    if unit and all(row["uom"] != unit for row in units):
        item.append(site.schema, "uoms", {"uom": unit, "conversion_factor": 1.0})


def _take_defaults(site: "Site", item: Document) -> None:
    """Where it is kept and booked, by its group, or else by the Stock Settings."""
    if item.rows.get("item_defaults") != [] or not item["item_group"]:
        return
    group = {"parent": item["item_group"], "parenttype": "Item Group"}
    of_group = site.tables.rows("Item Default", "`idx`", **group)
    rows = [{field: row.get(field) for field in _OF_GROUPS} for row in of_group]
    defaults = site.defaults()
    company, warehouse = defaults.get("company"), defaults.get("default_warehouse")
    kept = site.tables.row("Warehouse", cstr(warehouse)) if warehouse and company else None
    if not rows and kept and kept.get("company") == company:
        rows = [{"company": company, "default_warehouse": warehouse}]
    for row in rows:
        item.append(site.schema, "item_defaults", row)


@on("Item", "after_insert")
def _set_price_and_stock(site: "Site", call: Call, item: Document) -> None:
    if flt(item["standard_rate"]):
        kept = [cstr(row["default_price_list"]) for row in item.rows.get("item_defaults", ())]
        for price_list in kept or [""]:
            _add_price(site, call, item, price_list or "Standard Selling")
    stocked = cint(item["is_stock_item"]) and not item["has_serial_no"] and not item["has_batch_no"]
    values = (flt(item[field]) for field in ("valuation_rate", "standard_rate"))
    if cint(item["is_customer_provided_item"]) or any(values):
        return
    if stocked and flt(item["opening_stock"]):
        call.refuse("Valuation Rate is mandatory if Opening Stock entered")


def _add_price(site: "Site", call: Call, item: Document, price_list: str) -> None:
    if site.tables.value("Price List", price_list, "name") is None:
        return
    price = {"price_list": price_list, "item_code": item.name, "uom": item["stock_uom"]}
    price |= {"brand": item["brand"], "price_list_rate": item["standard_rate"]}
    saving.insert(site, call, saving.new(site, call, "Item Price", price))


def _check_reorder_levels(call: Call, item: Document) -> None:
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


def _describe_in_boms(site: "Site", item: Document) -> None:
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
