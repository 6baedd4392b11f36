"""What Frappe's and ERPNext's own DocTypes do besides when one of their documents is renamed.

`Renaming` says what the name was, what it is, and whether the document is merged into another.
"""

import json
from typing import TYPE_CHECKING

from bascule.sandbox.core.database.tables import Row, column, quoted
from bascule.sandbox.core.doctypes.schema import TABLE_TYPES
from bascule.sandbox.core.documents import saving
from bascule.sandbox.core.documents.document import Document
from bascule.sandbox.core.documents.events import on
from bascule.sandbox.core.documents.trees import TREES, parent_field, rebuild
from bascule.sandbox.core.errors import Call
from bascule.sandbox.core.values import cint
from bascule.sandbox.erpnext.stock.ledger import make_bins

if TYPE_CHECKING:
    from bascule.sandbox.core.site import Site

# DocType -> (the Single that says how it is named, its field, the choice that names it by title)
_NAMED_BY = {
    "Customer": ("Selling Settings", "cust_master_name", "Customer Name"),
    "Supplier": ("Buying Settings", "supp_master_name", "Supplier Name"),
}
_SAME_IN_BOTH = ("stock_uom", "is_stock_item", "has_serial_no", "has_batch_no")
_TAXES = ("Sales Taxes and Charges", "Purchase Taxes and Charges")
_DETAIL = "item_wise_tax_detail"


def named_by_title(site: "Site", doctype: str) -> bool:
    """Whether that site names its customers, or suppliers, by what they are called."""
    single, field, choice = _NAMED_BY[doctype]
    kept = site.single(single).get(field) if single in site.schema else None
    return kept in (None, "", choice)


@on("Customer", "after_rename")
@on("Supplier", "after_rename")
def _rename_party(site: "Site", call: Call, party: Document) -> None:
    """It is called by its name, where that is how it got its name."""
    if named_by_title(site, party.doctype.name):
        title = {f"{party.doctype.name.lower()}_name": party.name}
        saving.set_values(site, call, party, title, moved=True)


@on("Item", "before_rename")
def _prepare_item(site: "Site", call: Call, item: Document) -> None:
    """An item called by its code goes on being called so. Of a merged one the Bins are gone."""
    if item.renaming is None:
        return
    if item["item_name"] == item.renaming.old:
        saving.set_values(site, call, item, {"item_name": item.renaming.new}, moved=True)
    if not item.renaming.merge:
        return
    into = site.tables.row("Item", item.renaming.new)
    if into is None:
        call.refuse(f"Item {item.renaming.new} does not exist")
    if any(into.get(field) != item[field] for field in _SAME_IN_BOTH):
        labels = ", ".join(item.doctype.label(field) for field in _SAME_IN_BOTH)
        told = f"To merge, following properties must be same for both items: \n{labels}"
        call.refuse(told, "DataValidationError", title="Cannot Merge")
    site.tables.delete("Bin", item_code=item.renaming.old)


@on("Item", "after_rename")
def _rename_item(site: "Site", call: Call, item: Document) -> None:
    if item.renaming is None:
        return
    if item.renaming.merge:
        call.tell(
            "It can take upto few hours for accurate stock values to be visible after merging"
            " items.",
            title="Note",
            indicator="orange",
        )
    saving.set_values(site, call, item, {"item_code": item.name}, moved=True)
    if item.renaming.merge:
        site.tables.delete("Bin", item_code=item.name)
        make_bins(site, call, item.name)
    for doctype in _TAXES:
        _rename_in_taxes(site, doctype, item.renaming.old, item.name)


def _rename_in_taxes(site: "Site", doctype: str, old: str, new: str) -> None:
    """The code stands in a JSON text of every tax row, too."""
    if doctype not in site.schema or _DETAIL not in site.schema[doctype].kinds:
        return
    for row in site.tables.rows(doctype):
        detail = json.loads(row[_DETAIL] or "{}")
        if isinstance(detail, dict) and old in detail:
            detail[new] = detail.pop(old)
            site.tables.update(doctype, row["name"], {_DETAIL: json.dumps(detail)})


def _rename_node(site: "Site", call: Call, node: Document) -> None:
    """Its children know it as their old parent; after a merge the whole tree is numbered anew."""
    if "old_parent" in node.doctype.kinds:
        site.tables.run(
            f"UPDATE {quoted(node.doctype.name)} SET `old_parent` = ?"
            f" WHERE {column(parent_field(node.doctype))} = ?",
            (node.name, node.name),
        )
    if node.renaming is not None and node.renaming.merge:
        rebuild(site, node.doctype)


@on("Cost Center", "after_rename")
def _rename_cost_center(site: "Site", call: Call, center: Document) -> None:
    """Number and title are parts of the name: `<number> - <title> - <company>`."""
    parts = center.name.split(" - ")[:-1]
    if (center.renaming is not None and center.renaming.merge) or not parts:
        return
    values = {}
    if parts[0][:1].isdigit():
        parts = parts if len(parts) > 1 else center.name.split(" ")
        values["cost_center_number"] = parts.pop(0)
    values["cost_center_name"] = " - ".join(parts)
    changed = {field: value for field, value in values.items() if center[field] != value}
    if changed:
        saving.set_values(site, call, center, changed, moved=True)


for _doctype in TREES:
    on(_doctype, "after_rename")(_rename_node)


@on("DocType", "before_rename")
def _check_doctype(site: "Site", call: Call, renamed: Document) -> None:
    if not cint(renamed["custom"]):
        call.refuse("DocType can only be renamed by Administrator")
    if renamed.renaming is not None and renamed.renaming.merge:
        call.refuse("DocType can not be merged")


@on("DocType", "after_rename")
def _rename_doctype(site: "Site", call: Call, renamed: Document) -> None:
    """Its table, its fields' places, and every Link and Table that leads to it."""
    if renamed.renaming is None:
        return
    old, new = renamed.renaming.old, renamed.renaming.new
    for holder in ("DocField", "Custom Field"):
        if holder in site.schema:
            site.tables.run(
                f"UPDATE {quoted(holder)} SET `options` = ? WHERE `options` = ?"
                " AND `fieldtype` IN ('Link', 'Table', 'Table MultiSelect')",
                (new, old),
            )
    own = site.schema.original(old)
    for doctype in [one.name for one in site.schema]:
        definition = site.schema.original(doctype)
        if any(_leads_to(entry, old) for entry in definition["fields"]):
            fields = [
                {**entry, "options": new} if _leads_to(entry, old) else entry
                for entry in definition["fields"]
            ]
            site.schema.add({**definition, "fields": fields})
    if not cint(own.get("issingle")):
        site.tables.rename(old, new)
    site.schema.add({**site.schema.original(old), "name": new})
    for entry in site.schema[new].tables:
        site.tables.run(
            f"UPDATE {quoted(str(entry['options']))} SET `parenttype` = ? WHERE `parenttype` = ?",
            (new, old),
        )
    for doctype in (old, new):
        site.customise(doctype)


def _leads_to(entry: Row, doctype: str) -> bool:
    linked = entry["fieldtype"] in ("Link", *TABLE_TYPES)
    return linked and entry.get("options") == doctype
