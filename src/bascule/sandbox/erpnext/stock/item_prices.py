"""Prices of items: what ERPNext fills in by itself in one, and refuses of it."""

from typing import TYPE_CHECKING

from bascule.sandbox.core.database.tables import stored
from bascule.sandbox.core.doctypes.schema import kind_of
from bascule.sandbox.core.documents.dates import check_order
from bascule.sandbox.core.documents.document import Document
from bascule.sandbox.core.documents.events import on
from bascule.sandbox.core.errors import Call, Refusal, bold
from bascule.sandbox.core.values import cint, cstr, number

if TYPE_CHECKING:
    from bascule.sandbox.core.site import Site

# Two prices that are the same in these are one too many.
_SAME = ("uom", "valid_from", "valid_upto", "customer", "supplier", "batch_no")


@on("Item Price", "validate")
def _validate(site: "Site", call: Call, price: Document) -> None:
    """What its item and its price list say of it."""
    item = site.tables.row("Item", cstr(price["item_code"]))
    if item is None:
        call.refuse(f"Item {cstr(price['item_code'])} not found.")
    units = site.tables.rows("UOM Conversion Detail", parenttype="Item", parent=item["name"])
    if price["uom"] and all(row["uom"] != price["uom"] for row in units):
        call.refuse(f"UOM {price['uom']} not found in Item {item['name']}")
    check_order(call, price, "valid_from", "valid_upto")
    listed = site.tables.row("Price List", cstr(price["price_list"])) or {}
    if price["price_list"] and not cint(listed.get("enabled")):
        call.refuse(f"The price list {price['price_list']} does not exist or is disabled")
    for field in ("buying", "selling", "currency"):
        price[field] = listed.get(field)
    price["item_name"], price["item_description"] = item["item_name"], item["description"]
    _check_single(site, call, price)
    if cint(item.get("has_variants")):
        told = f"Item Price cannot be created for the template item {bold(item['name'])}"
        call.refuse(told)


def _check_single(site: "Site", call: Call, price: Document) -> None:
    place = {"item_code": price["item_code"], "price_list": price["price_list"]}
    for other in site.tables.rows("Item Price", **place):
        same = all(_as_kept(price, field) == (other.get(field) or None) for field in _SAME)
        packed = number(price["packing_unit"] or 0) == cint(other.get("packing_unit"))
        if other["name"] != price.name and same and packed:
            told = (
                "Item Price appears multiple times based on Price List, Supplier/Customer,"
                " Currency, Item, Batch, UOM, Qty, and Dates."
            )
            module = "erpnext.stock.doctype.item_price.item_price"
            refusal = Refusal("ItemPriceDuplicateItem", told, module=module, status=417)
            call.raise_told(refusal)


def _as_kept(price: Document, field: str) -> object:
    kind = kind_of((price.doctype.field(field) or {}).get("fieldtype", "Data"))
    return stored(kind, price[field]) or None


@on("Item Price", "before_save")
def _refer(site: "Site", call: Call, price: Document) -> None:
    """A price for selling knows customers, one for buying suppliers."""
    selling, buying = cint(price["selling"]), cint(price["buying"])
    if selling:
        price["reference"] = price["customer"]
    if buying:
        price["reference"] = price["supplier"]
    if selling and not buying:
        price["supplier"] = None
    if buying and not selling:
        price["customer"] = None
