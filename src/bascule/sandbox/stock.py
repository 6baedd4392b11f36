"""What ERPNext fills in by itself in an Item."""

from typing import TYPE_CHECKING

from bascule.sandbox.document import Document
from bascule.sandbox.errors import Call
from bascule.sandbox.events import on

if TYPE_CHECKING:
    from bascule.sandbox.site import Site


@on("Item", "before_validate")
def _fill_item(site: "Site", call: Call, item: Document) -> None:
    """Its name and description where they are not given, and the unit that it is kept in."""
    item["item_name"] = item["item_name"] or item["item_code"]
    item["description"] = item["description"] or item["item_name"]
    unit, units = item["stock_uom"], item.rows.get("uoms")
    if unit and units is not None and all(row["uom"] != unit for row in units):
        item.append(site.schema, "uoms", {"uom": unit, "conversion_factor": 1.0})
