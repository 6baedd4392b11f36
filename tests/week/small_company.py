"""A corner of the demo company: so few documents that all of them are read one by one, often."""

from dataclasses import replace

from bascule.sandbox.company import demo_company
from bascule.sandbox.core.snapshot import Snapshot

_MOST = {"Sales Order": 10, "Purchase Order": 6, "Stock Entry": 3}


def small_company() -> Snapshot:
    whole = demo_company()
    kept = dict(whole.documents)
    for doctype, most in _MOST.items():
        kept[doctype] = [one for one in kept[doctype] if len(one["items"]) < 5][-most:]
    orders = {one["name"] for doctype in _MOST for one in kept[doctype]}
    for doctype, field in (
        ("Delivery Note", "against_sales_order"),
        ("Purchase Receipt", "purchase_order"),
    ):
        kept[doctype] = [
            one for one in kept[doctype] if any(row[field] in orders for row in one["items"])
        ]
    vouchers = ("Delivery Note", "Purchase Receipt", "Stock Entry", "Sales Order", "Purchase Order")
    there = [one for doctype in vouchers for one in kept[doctype]]
    kept["BOM"] = kept["BOM"][:1]
    codes = {row["item_code"] for one in (*there, *kept["BOM"]) for row in one["items"]}
    codes |= {one["item"] for one in kept["BOM"]}
    for doctype, field in (("Item", "name"), ("Bin", "item_code"), ("Item Price", "item_code")):
        kept[doctype] = [one for one in kept[doctype] if one[field] in codes]
    names = {one["name"] for one in there}
    kept["Stock Ledger Entry"] = [
        one for one in kept["Stock Ledger Entry"] if one["voucher_no"] in names
    ]
    parties = {one.get(field) for one in there for field in ("customer", "supplier")}
    for doctype in ("Customer", "Supplier"):
        kept[doctype] = [one for one in kept[doctype] if one["name"] in parties]
    for doctype in ("Address", "Contact"):
        kept[doctype] = [
            one
            for one in kept[doctype]
            if any(link["link_name"] in parties for link in one["links"])
        ]
    return replace(whole, documents=kept)
