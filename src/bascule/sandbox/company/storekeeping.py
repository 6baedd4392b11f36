"""A year in the store room: opening stock, the van to the shops, bicycles built, oil used up."""

from datetime import date, datetime, timedelta

from bascule.sandbox.company import masters
from bascule.sandbox.company.agenda import Agenda, office_hour
from bascule.sandbox.company.books import Books, Document
from bascule.sandbox.company.items import Range
from bascule.sandbox.company.ledger import Ledger

# Item, quantity, from, to, rate of a movement that brings something in from nowhere.
Line = tuple[str, float, str | None, str | None, float | None]


class Storekeeping:
    def __init__(self, books: Books, ledger: Ledger, range_: Range, agenda: Agenda) -> None:
        self.books, self.ledger, self.range, self.agenda = books, ledger, range_, agenda
        self.rng = books.rng

    def open_for(self, first: date, today: date) -> None:
        begin = datetime.combine(first, datetime.min.time())
        self.agenda.at(begin + timedelta(hours=6), self.open_stock)
        for number in range((today - first).days):
            day = begin + timedelta(days=number)
            hour = office_hour(day, self.rng)
            if day.weekday() == 1:
                self.agenda.at(hour, self.stock_up_shops)
            if day.weekday() in (0, 3):
                self.agenda.at(hour, self.build_bicycles)
            if day.day in (3, 24):
                self.agenda.at(hour, self.fetch_oil if day.day == 3 else self.use_oil)

    def open_stock(self, at: datetime) -> None:
        """The count of the first morning: between half and three times what is reordered at."""
        for warehouse in (masters.CENTRAL, masters.CITY_SHOP, masters.NORTH_SHOP):
            lines: list[Line] = []
            for code, product in self.range.products.items():
                if not product.stocked or (warehouse != masters.CENTRAL and product.price >= 60):
                    continue
                share = 1.0 if warehouse == masters.CENTRAL else 0.3
                expected = self.range.monthly_units(product) * share
                quantity = float(round(expected * self.rng.uniform(0.6, 3.2)) + 1)
                lines.append((code, quantity, None, warehouse, product.cost))
            self._stock_entry("Material Receipt", lines, at, is_opening="Yes")
            at += timedelta(minutes=40)

    def stock_up_shops(self, at: datetime) -> None:
        """Tuesday's van: what the shops have run low on, as far as the central warehouse has it."""
        for shop in (masters.CITY_SHOP, masters.NORTH_SHOP):
            lines: list[Line] = []
            for code in self.range.products:
                watched = self.range.reorder_at(code, shop)
                level, quantity = watched or (0.0, 2.0)
                short = level - self.ledger.projected(code, shop)
                if short < 0 or (watched is None and short < 1):
                    continue
                free = self.ledger.on_hand(code, masters.CENTRAL)
                moved = min(float(round(quantity + short)), free)
                if moved >= 1:
                    lines.append((code, moved, masters.CENTRAL, shop, None))
            if lines:
                self._stock_entry("Material Transfer", lines, at)
            at += timedelta(minutes=25)

    def build_bicycles(self, at: datetime) -> None:
        """The workshop builds the Gracht that runs out soonest, if all its parts are there."""
        short = []
        for code in self.range.bom_of:
            watched = self.range.reorder_at(code, masters.CENTRAL)
            level, quantity = watched or (0.0, 2.0)
            projected = self.ledger.projected(code, masters.CENTRAL)
            if projected <= level:
                short.append((projected - level, code, quantity))
        for _, code, quantity in sorted(short)[:2]:
            parts = self.range.bom_of[code]["items"]
            possible = min(
                self.ledger.on_hand(part["item_code"], masters.CENTRAL) // part["qty"]
                for part in parts
            )
            built = min(quantity, possible)
            if built < 1:
                continue
            lines: list[Line] = [
                (part["item_code"], part["qty"] * built, masters.CENTRAL, None, None)
                for part in parts
            ]
            lines.append((code, built, None, masters.CENTRAL, None))
            bom = self.range.bom_of[code]["name"]
            self._stock_entry(
                "Manufacture", lines, at, from_bom=1, bom_no=bom, fg_completed_qty=built
            )
            at += timedelta(minutes=35)

    def fetch_oil(self, at: datetime) -> None:
        lines: list[Line] = []
        for code, product in self.range.products.items():
            free = self.ledger.on_hand(code, masters.CENTRAL)
            if product.group == "Oils & Consumables" and free > 6:
                lines.append((code, 3.0, masters.CENTRAL, masters.WORKSHOP, None))
        if lines:
            self._stock_entry("Material Transfer", lines, at)

    def use_oil(self, at: datetime) -> None:
        lines: list[Line] = []
        for code in self.range.products:
            left = self.ledger.on_hand(code, masters.WORKSHOP)
            if left > 1:
                lines.append((code, left - 1, masters.WORKSHOP, None, None))
        if lines:
            self._stock_entry("Material Issue", lines, at)

    def _stock_entry(
        self, purpose: str, lines: list[Line], at: datetime, **values: str | int | float
    ) -> None:
        rows: list[Document] = []
        for code, quantity, source, target, _ in lines:
            item = self.range.items[code]
            rows.append(
                {
                    **{
                        "item_code": code,
                        "item_name": item["item_name"],
                        "item_group": item["item_group"],
                    },
                    **{"s_warehouse": source, "t_warehouse": target, "conversion_factor": 1.0},
                    **{"qty": quantity, "transfer_qty": quantity},
                    **{"uom": item["stock_uom"], "stock_uom": item["stock_uom"]},
                    **{"description": item["description"], "cost_center": masters.COST_CENTER},
                    "is_finished_item": int(purpose == "Manufacture" and target is not None),
                    "expense_account": f"Stock Adjustment - {masters.ABBR}",
                }
            )
        sources, targets = {line[2] for line in lines}, {line[3] for line in lines}
        entry = self.books.write(
            "Stock Entry",
            self.books.next_in(f"MAT-STE-{at.year}-"),
            at,
            owner=masters.STAFF[3][0],
            docstatus=1,
            naming_series="MAT-STE-.YYYY.-",
            **{"stock_entry_type": purpose, "purpose": purpose, "company": masters.COMPANY},
            posting_date=at.date().isoformat(),
            posting_time=at.strftime("%H:%M:%S.%f"),
            from_warehouse=sources.pop() if len(sources) == 1 else None,
            to_warehouse=targets.pop() if len(targets) == 1 else None,
            items=rows,
            **({"is_opening": "No"} | values),
        )
        spent = 0.0
        for line, row in zip(lines, entry["items"], strict=True):
            spent += self._book(entry, row, line, spent, at)
        gone = sum(row["amount"] for row in entry["items"] if row["s_warehouse"])
        come = sum(row["amount"] for row in entry["items"] if row["t_warehouse"])
        entry["total_outgoing_value"] = round(gone, 2)
        entry["total_incoming_value"] = round(come, 2)
        entry["value_difference"] = round(come - gone, 2)
        entry["total_amount"] = round(sum(row["amount"] for row in entry["items"]), 2)

    def _book(
        self, entry: Document, row: Document, line: Line, spent: float, at: datetime
    ) -> float:
        """Move one line; returns what it took out of stock, for the bicycle that it went into."""
        code, quantity, source, target, rate = line
        if source:
            rate = self.ledger.move(code, source, -quantity, at, voucher=entry, row=row)
        elif rate is None:
            rate = round(spent / quantity, 2)
        if target:
            self.ledger.move(code, target, quantity, at, voucher=entry, row=row, rate=rate)
        amount = round(quantity * rate, 2)
        row.update(basic_rate=rate, valuation_rate=rate, basic_amount=amount, amount=amount)
        return amount if source else 0.0
