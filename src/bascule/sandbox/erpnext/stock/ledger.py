"""The stock ledger: what a voucher moves, the Bins that are the sum of it, and its reposting.

Entries have a random name until a job gives them one of the series. What is entered for an earlier
time changes the quantities of later entries without moving their `modified`; see
erpnext/stock/stock_ledger.py.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bascule.sandbox.core.access.permissions import ADMINISTRATOR
from bascule.sandbox.core.database.tables import Row
from bascule.sandbox.core.documents import saving
from bascule.sandbox.core.documents.document import Document
from bascule.sandbox.core.documents.events import on
from bascule.sandbox.core.documents.naming import random_name
from bascule.sandbox.core.errors import Call
from bascule.sandbox.core.jobs import job
from bascule.sandbox.core.values import cint, cstr, flt, moment

if TYPE_CHECKING:
    from bascule.sandbox.core.site import Site

LEDGER = "Stock Ledger Entry"
_BY_TIME = "`posting_datetime`, `creation`"
# What is not delivered or received yet is reserved or ordered, unless its order is put aside.
_OPEN = "o.`docstatus` = 1 AND o.`status` NOT IN ('Closed', 'On Hold')"
_RESERVED = (
    "SELECT sum((i.`qty` - i.`delivered_qty`) * i.`conversion_factor`) FROM `tabSales Order Item` i"
    f" JOIN `tabSales Order` o ON o.`name` = i.`parent` WHERE {_OPEN}"
    " AND i.`qty` > i.`delivered_qty` AND i.`delivered_by_supplier` = 0"
    " AND i.`item_code` = ? AND i.`warehouse` = ?"
)
_ORDERED = (
    "SELECT sum((i.`qty` - i.`received_qty`) * i.`conversion_factor`) FROM `tabPurchase Order Item`"
    f" i JOIN `tabPurchase Order` o ON o.`name` = i.`parent` WHERE {_OPEN}"
    " AND i.`qty` > i.`received_qty` AND i.`delivered_by_supplier` = 0"
    " AND i.`item_code` = ? AND i.`warehouse` = ?"
)


@dataclass(frozen=True)
class Move:
    """A row of a voucher, into a warehouse or out of it.

    `rate` is what the goods are worth; None: what they are worth there.
    """

    row: Document
    warehouse: str
    quantity: float
    rate: float | None = None


def _moves(site: "Site", voucher: Document) -> Iterator[Move]:
    kind = voucher.doctype.name
    for row in voucher.rows["items"]:
        item = site.tables.row("Item", cstr(row["item_code"])) or {}
        quantity = flt(row["qty"]) * (flt(row["conversion_factor"]) or 1.0)
        if not cint(item.get("is_stock_item")) or not quantity:
            continue
        if kind == "Stock Entry":
            if row["s_warehouse"]:
                yield Move(row, str(row["s_warehouse"]), -quantity)
            if row["t_warehouse"]:
                yield Move(row, str(row["t_warehouse"]), quantity, flt(row["basic_rate"]))
        elif row["warehouse"]:
            bought = kind.startswith("Purchase")
            rate = flt(row["base_net_rate"] or row["base_rate"]) if bought else None
            yield Move(row, str(row["warehouse"]), quantity if bought else -quantity, rate)


def _is_kept(voucher: Document) -> bool:
    """An invoice moves stock where it says so."""
    return "Invoice" not in voucher.doctype.name or bool(cint(voucher["update_stock"]))


def _enter(site: "Site", call: Call, voucher: Document) -> None:
    if LEDGER not in site.schema or not _is_kept(voucher):
        return
    for move in _moves(site, voucher):
        _post(site, call, voucher, move)
        _move_serial_numbers(site, voucher, move)


def _take_back(site: "Site", call: Call, voucher: Document) -> None:
    """The entries stay, cancelled, beside others that undo them."""
    if LEDGER not in site.schema or not _is_kept(voucher):
        return
    stamps = {"is_cancelled": 1, "modified": site.now(), "modified_by": call.user}
    where = {"voucher_type": voucher.doctype.name, "voucher_no": voucher.name}
    for entry in site.tables.rows(LEDGER, is_cancelled=0, **where):
        site.tables.update(LEDGER, entry["name"], stamps)
    for move in _moves(site, voucher):
        undone = Move(move.row, move.warehouse, -move.quantity, move.rate)
        _post(site, call, voucher, undone, is_cancelled=1)
        _move_serial_numbers(site, voucher, undone)


for _doctype in (
    *("Stock Entry", "Delivery Note", "Purchase Receipt", "Sales Invoice", "Purchase Invoice"),
):
    on(_doctype, "on_submit")(_enter)
    on(_doctype, "on_cancel")(_take_back)


def _post(
    site: "Site", call: Call, voucher: Document, move: Move, *, is_cancelled: int = 0
) -> None:
    item, now = cstr(move.row["item_code"]), site.now()
    at = str(moment(f"{voucher['posting_date']} {voucher['posting_time']}") or now)
    before = _entry_before(site, item, move.warehouse, at)
    held, value = flt(before.get("qty_after_transaction")), flt(before.get("stock_value"))
    rate = flt(before.get("valuation_rate")) if move.rate is None else move.rate
    left = round(held + move.quantity, 6)
    worth = round(value + move.quantity * rate, 2) if left else 0.0
    entry = {
        **{"name": random_name(), "owner": call.user, "modified_by": call.user},
        **{"creation": now, "modified": now, "docstatus": 1, "to_rename": 1},
        **{"item_code": item, "warehouse": move.warehouse, "actual_qty": move.quantity},
        **{"posting_date": at[:10], "posting_time": at[11:], "posting_datetime": at},
        **{"voucher_type": voucher.doctype.name, "voucher_no": voucher.name},
        **{"voucher_detail_no": move.row.name, "company": voucher["company"]},
        **{"stock_uom": move.row["stock_uom"], "fiscal_year": at[:4]},
        **{"qty_after_transaction": left, "stock_value": worth, "is_cancelled": is_cancelled},
        "incoming_rate": rate if move.quantity > 0 else 0.0,
        "outgoing_rate": rate if move.quantity < 0 else 0.0,
        "valuation_rate": round(worth / left, 4) if left else rate,
        "stock_value_difference": round(worth - value, 2),
    }
    site.tables.insert(site.schema[LEDGER], entry)
    if _shift_later(site, item, move.warehouse, at, move.quantity, voucher.name):
        site.to_repost.add((item, move.warehouse))
    set_bin(site, call, item, move.warehouse)


def _entry_before(site: "Site", item: str, warehouse: str, at: str) -> Row:
    """The newest entry up to that time, {} if there is none."""
    found = site.tables.run(
        f"SELECT `name` FROM `tab{LEDGER}` WHERE `item_code` = ? AND `warehouse` = ?"
        " AND `is_cancelled` = 0 AND `posting_datetime` <= ?"
        " ORDER BY `posting_datetime` DESC, `creation` DESC LIMIT 1",
        (item, warehouse, at),
    ).fetchone()
    return (site.tables.row(LEDGER, found[0]) if found else None) or {}


def _shift_later(
    site: "Site", item: str, warehouse: str, at: str, quantity: float, voucher: str
) -> bool:
    """Later entries have so much more behind them; whether there are any."""
    changed = site.tables.run(
        f"UPDATE `tab{LEDGER}` SET `qty_after_transaction` = `qty_after_transaction` + ?"
        " WHERE `item_code` = ? AND `warehouse` = ? AND `voucher_no` != ?"
        " AND `is_cancelled` = 0 AND `posting_datetime` > ?",
        (quantity, item, warehouse, voucher, at),
    )
    return changed.rowcount > 0


def set_bin(site: "Site", call: Call, item: str, warehouse: str) -> None:
    """What is there, reserved and ordered, added up anew; its `modified` moves."""
    if "Bin" not in site.schema or not item or not warehouse:
        return
    last = _entry_before(site, item, warehouse, "9999")
    sums = {
        "actual_qty": flt(last.get("qty_after_transaction")),
        "stock_value": flt(last.get("stock_value")),
        "valuation_rate": flt(last.get("valuation_rate")),
        "reserved_qty": flt(site.tables.run(_RESERVED, (item, warehouse)).fetchone()[0]),
        "ordered_qty": flt(site.tables.run(_ORDERED, (item, warehouse)).fetchone()[0]),
    }
    there = site.tables.rows("Bin", item_code=item, warehouse=warehouse)
    bin_ = Document(site.schema["Bin"], there[0]) if there else None
    if bin_ is None:
        unit = site.tables.value("Item", item, "stock_uom")
        values = {"item_code": item, "warehouse": warehouse, "stock_uom": unit}
        bin_ = saving.new(site, call, "Bin", values)
        saving.insert(site, call, bin_, unchecked=True)
    expected = flt(bin_["indented_qty"]) + flt(bin_["planned_qty"]) + sums["ordered_qty"]
    sums["projected_qty"] = sums["actual_qty"] + expected - sums["reserved_qty"]
    saving.set_values(site, call, bin_, sums, moved=True)


def make_bins(site: "Site", call: Call, item: str) -> None:
    """A Bin for each warehouse that the item was ever in; see Item.recalculate_bin_qty."""
    if LEDGER not in site.schema:
        return
    places = {row["warehouse"] for row in site.tables.rows(LEDGER, item_code=item)}
    for warehouse in sorted(places):
        site.to_repost.add((item, warehouse))
        set_bin(site, call, item, warehouse)


def _count_again(site: "Site", call: Call, order: Document) -> None:
    """An order that is submitted, cancelled or closed reserves or expects something else."""
    for row in order.rows["items"]:
        item = cstr(row["item_code"])
        if cint(site.tables.value("Item", item, "is_stock_item")):
            set_bin(site, call, item, cstr(row["warehouse"]))


for _doctype in ("Sales Order", "Purchase Order"):
    on(_doctype, "on_submit", "on_cancel")(_count_again)


def _move_serial_numbers(site: "Site", voucher: Document, move: Move) -> None:
    """Where they are and what became of them, written past the documents themselves."""
    names = [name.strip() for name in cstr(move.row["serial_no"]).split("\n") if name.strip()]
    if "Serial No" not in site.schema or not names:
        return
    sold = move.quantity < 0 and voucher.doctype.name in ("Sales Invoice", "Delivery Note")
    used = voucher["purpose"] in ("Manufacture", "Material Issue", "Repack")
    values = {
        "warehouse": move.warehouse if move.quantity > 0 else None,
        "status": "Active" if move.quantity > 0 else "Consumed" if used else "Delivered",
        "customer": voucher["customer"] if sold else None,
    }
    for name in names:
        site.tables.update("Serial No", name, values)


@job("erpnext.stock.doctype.repost_item_valuation.repost_item_valuation.repost_entries")
def repost(site: "Site") -> None:
    """Values by moving average, from the first entry on, of what was entered for an earlier time.

    `modified` of entries and of vouchers stays; that of a voucher's row that gets another rate
    moves, and its voucher's does not. See repost_item_valuation.py and update_rate_on_stock_entry.
    """
    call = Call(ADMINISTRATOR)
    for item, warehouse in sorted(site.to_repost):
        held = value = 0.0
        where = {"item_code": item, "warehouse": warehouse}
        for entry in site.tables.rows(LEDGER, _BY_TIME, is_cancelled=0, **where):
            quantity = flt(entry["actual_qty"])
            rate = round(value / held, 4) if held > 0 else flt(entry["valuation_rate"])
            rate = flt(entry["incoming_rate"]) if quantity > 0 else rate
            held, before = round(held + quantity, 6), value
            value = round(value + quantity * rate, 2) if held else 0.0
            side = "incoming_rate" if quantity > 0 else "outgoing_rate"
            values = {
                **{"qty_after_transaction": held, "stock_value": value, side: rate},
                "valuation_rate": round(value / held, 4) if held else rate,
                "stock_value_difference": round(value - before, 2),
            }
            site.tables.update(LEDGER, entry["name"], values)
            if quantity < 0 and rate != flt(entry["outgoing_rate"]):
                _set_rate(site, call, entry, rate)
        set_bin(site, call, item, warehouse)
    site.to_repost.clear()


def _set_rate(site: "Site", call: Call, entry: Row, rate: float) -> None:
    """The rate at which something went out, in the row of the voucher by which it did."""
    kind, field = f"{entry['voucher_type']} Item", "incoming_rate"
    if entry["voucher_type"] == "Stock Entry":
        kind, field = "Stock Entry Detail", "basic_rate"
    found = site.schema.find(kind) and site.tables.row(kind, cstr(entry["voucher_detail_no"]))
    if not found or field not in site.schema[kind].kinds:
        return
    row = Document(site.schema[kind], found)
    saving.set_values(site, call, row, {field: rate}, moved=True)
    if kind == "Stock Entry Detail":
        voucher = site.load("Stock Entry", cstr(entry["voucher_no"]))
        if voucher is not None:
            add_up_entry(voucher)
            for one in (voucher, *voucher.rows["items"]):
                kept = {field: one[field] for field in _SUMS if field in one.doctype.kinds}
                saving.set_values(site, call, one, kept, moved=False)


_SUMS = (
    *("basic_amount", "amount", "valuation_rate", "total_outgoing_value"),
    *("total_incoming_value", "value_difference", "total_amount"),
)


def add_up_entry(entry: Document) -> None:
    """A Stock Entry's amounts, of the rates of its rows."""
    out = came = 0.0
    for row in entry.rows["items"]:
        row["basic_amount"] = round(flt(row["basic_rate"]) * flt(row["transfer_qty"]), 2)
        row["amount"] = row["basic_amount"] + flt(row["additional_cost"])
        row["valuation_rate"] = row["basic_rate"]
        out += flt(row["basic_amount"]) if row["s_warehouse"] else 0.0
        came += flt(row["amount"]) if row["t_warehouse"] else 0.0
    sums = {"total_outgoing_value": out, "total_incoming_value": came, "total_amount": came}
    entry.values |= sums | {"value_difference": came - out}


@on("Stock Entry", "validate")
def _fill_entry(site: "Site", call: Call, entry: Document) -> None:
    """What goes out does so at the rate at which it is there."""
    for row in entry.rows["items"]:
        there = {"item_code": row["item_code"], "warehouse": row["s_warehouse"]}
        bins = site.tables.rows("Bin", **there) if row["s_warehouse"] else []
        if bins:
            row["basic_rate"] = flt(bins[0]["valuation_rate"])
    add_up_entry(entry)
