"""Warehouses: their names, the accounts of their stock, and when one may be deleted."""

from typing import TYPE_CHECKING

from bascule.sandbox.core.documents.document import Document
from bascule.sandbox.core.documents.events import on
from bascule.sandbox.core.errors import Call, bold
from bascule.sandbox.core.values import cstr, flt

if TYPE_CHECKING:
    from bascule.sandbox.core.site import Site

# Of a Bin: while there is any of these, its warehouse stays.
_QUANTITIES = (
    *("actual_qty", "reserved_qty", "ordered_qty", "indented_qty", "projected_qty"),
    "planned_qty",
)


@on("Warehouse", "on_trash")
def _check_stock(site: "Site", call: Call, warehouse: Document) -> None:
    """Where something is, was, or is awaited stays; so does what others are in."""
    for row in site.tables.rows("Bin", "`creation` DESC", warehouse=warehouse.name):
        if any(flt(row.get(field)) for field in _QUANTITIES):
            told = "can not be deleted as quantity exists for Item"
            call.refuse(f"Warehouse {warehouse.name} {told} {row['item_code']}")
    if site.tables.rows("Stock Ledger Entry", warehouse=warehouse.name):
        call.refuse("Warehouse can not be deleted as stock ledger entry exists for this warehouse.")
    if site.tables.rows("Warehouse", parent_warehouse=warehouse.name):
        call.refuse("Child warehouse exists for this warehouse. You can not delete this warehouse.")
    if site.tables.has("Bin"):
        site.tables.delete("Bin", warehouse=warehouse.name)


@on("Warehouse", "validate")
def _warn_of_accounts(site: "Site", call: Call, warehouse: Document) -> None:
    """Another account than those in which its stock is booked is taken, and told of."""
    there = warehouse.before
    if there is None or cstr(there["account"]) == cstr(warehouse["account"]):
        return
    booked = site.tables.run(
        "SELECT DISTINCT g.`account` FROM `tabStock Ledger Entry` s"
        " JOIN `tabGL Entry` g ON s.`voucher_no` = g.`voucher_no`"
        " JOIN `tabAccount` a ON a.`name` = g.`account`"
        " WHERE s.`warehouse` = ? AND a.`account_type` = 'Stock' ORDER BY s.`creation`",
        (warehouse.name,),
    )
    accounts = [row[0] for row in booked]
    if accounts and accounts != [warehouse["account"]]:
        call.tell(
            "Warehouse's Stock Value has already been booked in the following accounts:<br>"
            f"{', '.join(map(bold, accounts))}<br><br>Booking stock value across multiple accounts"
            " will make it harder to track stock and account value.",
            title="Multiple Warehouse Accounts",
            indicator="orange",
        )


@on("Warehouse", "autoname")
def _name_warehouse(site: "Site", call: Call, warehouse: Document) -> None:
    """By its name and its company's abbreviation."""
    name = cstr(warehouse["warehouse_name"])
    short = site.tables.value("Company", cstr(warehouse["company"]), "abbr")
    ending = f" - {short}" if short else ""
    warehouse["name"] = name if name.endswith(ending) else f"{name}{ending}"
