"""The stock ledger: every movement of stock, and the Bins that are the sum of them.

Follows ERPNext's own sums: projected = actual + ordered + indented + planned - reserved; value by
moving average. Who moves what, and when, is `trade` and `supply`.
"""

from dataclasses import dataclass
from datetime import datetime

from bascule.sandbox.company.books import Books, Document, stamp


@dataclass
class Stock:
    """One item in one warehouse: a Bin to be."""

    created: datetime
    changed: datetime
    actual: float = 0.0
    reserved: float = 0.0
    ordered: float = 0.0
    value: float = 0.0

    @property
    def projected(self) -> float:
        return self.actual + self.ordered - self.reserved

    @property
    def rate(self) -> float:
        return round(self.value / self.actual, 4) if self.actual else 0.0


class Ledger:
    def __init__(self, books: Books, company: str) -> None:
        self.books = books
        self.company = company
        self.units: dict[str, str] = {}
        self.stocks: dict[tuple[str, str], Stock] = {}

    def stock(self, item: str, warehouse: str, at: datetime) -> Stock:
        """The stock to change at `at`; a Bin begins with the first thing that concerns it."""
        stock = self.stocks.get((item, warehouse))
        if stock is None:
            stock = self.stocks[item, warehouse] = Stock(created=at, changed=at)
        stock.changed = at
        return stock

    def on_hand(self, item: str, warehouse: str) -> float:
        stock = self.stocks.get((item, warehouse))
        return stock.actual if stock else 0.0

    def projected(self, item: str, warehouse: str) -> float:
        stock = self.stocks.get((item, warehouse))
        return stock.projected if stock else 0.0

    def reserve(self, item: str, warehouse: str, quantity: float, at: datetime) -> None:
        self.stock(item, warehouse, at).reserved += quantity

    def expect(self, item: str, warehouse: str, quantity: float, at: datetime) -> None:
        """Quantity on order from a supplier (negative: received, or no longer expected)."""
        self.stock(item, warehouse, at).ordered += quantity

    def move(
        self,
        item: str,
        warehouse: str,
        quantity: float,
        at: datetime,
        *,
        voucher: Document,
        row: Document,
        rate: float | None = None,
    ) -> float:
        """Book a movement in (with its rate) or out (at the average); the rate used comes back."""
        stock = self.stock(item, warehouse, at)
        used = stock.rate if rate is None else rate
        before = stock.value
        stock.actual = round(stock.actual + quantity, 3)
        stock.value = round(before + quantity * used, 2) if stock.actual else 0.0
        posted = stamp(at)
        self.books.write(
            "Stock Ledger Entry",
            self.books.next_in(f"MAT-SLE-{at.year}-"),
            at,
            owner=voucher["owner"],
            docstatus=1,
            item_code=item,
            warehouse=warehouse,
            posting_date=posted[:10],
            posting_time=posted[11:],
            posting_datetime=posted,
            voucher_type=voucher["doctype"],
            voucher_no=voucher["name"],
            voucher_detail_no=row["name"],
            actual_qty=quantity,
            qty_after_transaction=stock.actual,
            incoming_rate=used if quantity > 0 else 0.0,
            outgoing_rate=used if quantity < 0 else 0.0,
            valuation_rate=stock.rate,
            stock_value=stock.value,
            stock_value_difference=round(stock.value - before, 2),
            company=self.company,
            stock_uom=self.units[item],
            fiscal_year=str(at.year),
        )
        return used

    def write_bins(self) -> None:
        for (item, warehouse), stock in self.stocks.items():
            bin_ = self.books.write(
                "Bin",
                None,
                stock.created,
                item_code=item,
                warehouse=warehouse,
                actual_qty=stock.actual,
                ordered_qty=stock.ordered,
                reserved_qty=stock.reserved,
                projected_qty=stock.projected,
                stock_uom=self.units[item],
                valuation_rate=stock.rate,
                stock_value=stock.value,
            )
            bin_["modified"] = stamp(stock.changed)
