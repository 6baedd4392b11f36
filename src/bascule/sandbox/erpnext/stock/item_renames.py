"""What changes beside an Item that is renamed or merged into another."""

import json
from typing import TYPE_CHECKING

from bascule.sandbox.core.documents import saving
from bascule.sandbox.core.documents.document import Document
from bascule.sandbox.core.documents.events import on
from bascule.sandbox.core.errors import Call
from bascule.sandbox.erpnext.stock.ledger import make_bins

if TYPE_CHECKING:
    from bascule.sandbox.core.site import Site

_SAME_IN_BOTH = ("stock_uom", "is_stock_item", "has_serial_no", "has_batch_no")
_TAXES = ("Sales Taxes and Charges", "Purchase Taxes and Charges")
_DETAIL = "item_wise_tax_detail"


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
