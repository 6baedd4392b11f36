"""Supplier Quotations expire past their day."""

from typing import TYPE_CHECKING

from bascule.sandbox.core.jobs import job

if TYPE_CHECKING:
    from bascule.sandbox.core.site import Site


@job("erpnext.buying.doctype.supplier_quotation.supplier_quotation.set_expired_status")
def _expire_supplier_quotations(site: "Site") -> None:
    site.tables.run(
        "UPDATE `tabSupplier Quotation` SET `status` = 'Expired'"
        " WHERE `status` NOT IN ('Cancelled', 'Stopped') AND `valid_till` < ?",
        (str(site.clock.now().date()),),
    )
