"""How much of a document's rows other submitted documents have taken up."""

from typing import TYPE_CHECKING, Any

from bascule.sandbox.core.values import flt

if TYPE_CHECKING:
    from bascule.sandbox.core.site import Site


def submitted_qty(site: "Site", doctype: str, **where: Any) -> float:
    """The sum of `qty` over submitted rows of that DocType with those values."""
    return sum(flt(row["qty"]) for row in site.tables.rows(doctype, docstatus=1, **where))
