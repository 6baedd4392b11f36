"""Quotations expire past their day."""

from typing import TYPE_CHECKING

from bascule.sandbox.core.jobs import job

if TYPE_CHECKING:
    from bascule.sandbox.core.site import Site


@job("erpnext.selling.doctype.quotation.quotation.set_expired_status")
def _expire_quotations(site: "Site") -> None:
    """Those whose day is past and that no order was made of."""
    ordered = (
        "SELECT 1 FROM `tabSales Order Item` WHERE `docstatus` = 1"
        " AND `prevdoc_docname` = `tabQuotation`.`name`"
    )
    site.tables.run(
        "UPDATE `tabQuotation` SET `status` = 'Expired' WHERE `docstatus` = 1"
        f" AND `status` NOT IN ('Expired', 'Lost') AND `valid_till` < ? AND NOT EXISTS ({ordered})",
        (str(site.clock.now().date()),),
    )
