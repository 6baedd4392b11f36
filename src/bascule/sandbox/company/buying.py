"""A year of buying: what runs low is ordered from its supplier, arrives, and is billed."""

from collections import defaultdict
from datetime import date, datetime, timedelta
from functools import partial

from bascule.sandbox.company import masters, vouchers
from bascule.sandbox.company.agenda import Agenda, office_hour
from bascule.sandbox.company.books import Books, Document
from bascule.sandbox.company.items import USD_RATE, Range
from bascule.sandbox.company.ledger import Ledger
from bascule.sandbox.company.parties import LEAD_DAYS


class Buying:
    def __init__(self, books: Books, ledger: Ledger, range_: Range, agenda: Agenda) -> None:
        self.books, self.ledger, self.range, self.agenda = books, ledger, range_, agenda
        self.rng = books.rng
        self.bought: dict[str, list[str]] = defaultdict(list)
        for code, supplier in range_.supplier_of.items():
            if code not in range_.bom_of:
                self.bought[supplier["name"]].append(code)
        self.suppliers = {card["name"]: card for card in range_.supplier_of.values()}
        self.contacts = {
            card["name"]: card["supplier_primary_contact"] for card in self.suppliers.values()
        }

    def open_for(self, first: date) -> None:
        begin = datetime.combine(first, datetime.min.time())
        for name in self.bought:
            day = self._days_on(begin, 1, 20)
            self.agenda.at(office_hour(day, self.rng), partial(self.review, name))

    def review(self, supplier: str, at: datetime) -> None:
        """Order from this supplier what fell to its reorder level; look again in a few weeks."""
        rows = []
        card = self.suppliers[supplier]
        conversion = USD_RATE if card["default_currency"] == "USD" else 1.0
        due = at + timedelta(days=LEAD_DAYS[supplier])
        for code in self.bought[supplier]:
            if self.range.items[code]["disabled"]:
                continue
            level, quantity = self.range.reorder_at(code, masters.CENTRAL) or (0.0, 4.0)
            projected = self.ledger.projected(code, masters.CENTRAL)
            if projected <= level * 1.15:
                needed = quantity + max(level - projected, 0.0)
                rows.append(
                    vouchers.row(
                        self.range.items[code],
                        float(round(needed)),
                        self.range.buying_rate[code],
                        conversion=conversion,
                        warehouse=masters.CENTRAL,
                        schedule_date=due.date().isoformat(),
                        expense_account=f"Cost of Goods Sold - {masters.ABBR}",
                        cost_center=masters.COST_CENTER,
                        actual_qty=self.ledger.on_hand(code, masters.CENTRAL),
                        last_purchase_rate=self.range.items[code]["last_purchase_rate"],
                    )
                )
        if rows:
            self._write_order(card, rows, conversion, due, at)
        later = office_hour(self._days_on(at, 14, 27), self.rng)
        self.agenda.at(later, partial(self.review, supplier))

    def submit(self, order: Document, at: datetime) -> None:
        self.books.change(order, at, docstatus=1, status="To Receive and Bill")
        self._expect(order, at, +1)
        if self.rng.random() < 0.03:
            self.agenda.at(at + timedelta(days=2), partial(self.cancel, order))
            return
        lead = LEAD_DAYS[order["supplier"]] * self.rng.uniform(0.8, 1.3)
        arrival = office_hour(at + timedelta(days=max(1, round(lead))), self.rng)
        self.agenda.at(arrival, partial(self.receive, order))
        if order["payment_terms_template"].startswith("30%"):
            self.agenda.at(at + timedelta(days=1, hours=1), partial(self.bill, order))

    def cancel(self, order: Document, at: datetime) -> None:
        self._expect(order, at, -1)
        self.books.change(order, at, docstatus=2, status="Cancelled")

    def receive(self, order: Document, at: datetime) -> None:
        """Most orders come at once; of some a part is late."""
        late = order["per_received"] == 0 and self.rng.random() < 0.15
        came = []
        for row in order["items"]:
            left = row["qty"] - row["received_qty"]
            quantity = float(left // 2) if late else left
            if quantity > 0:
                came.append((row, quantity))
        if came:
            self._write_receipt(order, came, at)
            done = vouchers.share_done(order["items"], "received_qty")
            self.books.change(order, at, per_received=done)
            self._set_status(order)
        if order["per_received"] < 100:
            rest = office_hour(self._days_on(at, 5, 14), self.rng)
            self.agenda.at(rest, partial(self.receive, order))
        elif order["per_billed"] < 100:
            self.agenda.at(
                office_hour(self._days_on(at, 2, 20), self.rng), partial(self.bill, order)
            )

    def bill(self, order: Document, at: datetime) -> None:
        for row in order["items"]:
            row["billed_amt"] = row["amount"]
        self.books.change(order, at, per_billed=100.0)
        self._set_status(order)

    def _write_order(
        self, card: Document, rows: list[Document], conversion: float, due: datetime, at: datetime
    ) -> None:
        sums = vouchers.totals(rows, conversion=conversion)
        terms, currency = card["payment_terms"], card["default_currency"]
        order = self.books.write(
            "Purchase Order",
            self.books.next_in(f"PUR-ORD-{at.year}-"),
            at,
            owner=masters.STAFF[1][0],
            naming_series="PUR-ORD-.YYYY.-",
            title=card["supplier_name"],
            supplier=card["name"],
            supplier_name=card["supplier_name"],
            transaction_date=at.date().isoformat(),
            schedule_date=due.date().isoformat(),
            company=masters.COMPANY,
            cost_center=masters.COST_CENTER,
            **{
                "currency": currency,
                "price_list_currency": currency,
                "conversion_rate": conversion,
            },
            **{"plc_conversion_rate": conversion, "party_account_currency": currency},
            buying_price_list=card["default_price_list"],
            set_warehouse=masters.CENTRAL,
            items=rows,
            **sums,
            apply_discount_on="Grand Total",
            contact_person=self.contacts[card["name"]],
            contact_display=self.contacts[card["name"]].partition("-")[0],
            payment_terms_template=terms,
            payment_schedule=vouchers.payment_schedule(terms, sums, at.date()),
            status="Draft",
            language=card["language"],
        )
        if self.rng.random() < 0.98:
            wait = timedelta(minutes=self.rng.randint(10, 60 * 30))
            self.agenda.at(at + wait, partial(self.submit, order))

    def _write_receipt(
        self, order: Document, came: list[tuple[Document, float]], at: datetime
    ) -> None:
        rows = []
        for row, quantity in came:
            row["received_qty"] += quantity
            origin = {"purchase_order": order["name"], "purchase_order_item": row["name"]}
            came_in = {"received_qty": quantity, "valuation_rate": row["base_rate"]}
            part = vouchers.part_of(row, quantity, order["conversion_rate"])
            rows.append(part | came_in | origin)
        sums = vouchers.totals(rows, conversion=order["conversion_rate"])
        head = (
            "supplier",
            "supplier_name",
            "company",
            "currency",
            "conversion_rate",
            "set_warehouse",
        )
        receipt = self.books.write(
            "Purchase Receipt",
            self.books.next_in(f"MAT-PRE-{at.year}-"),
            at,
            owner=masters.STAFF[3][0],
            docstatus=1,
            naming_series="MAT-PRE-.YYYY.-",
            supplier_delivery_note=f"LS{self.rng.randint(10_000, 99_999)}",
            posting_date=at.date().isoformat(),
            posting_time=at.strftime("%H:%M:%S.%f"),
            items=rows,
            **self.books.fields_of("Purchase Receipt", sums),
            **{key: order[key] for key in head},
            status="To Bill",
        )
        for (row, quantity), written in zip(came, receipt["items"], strict=True):
            code, rate = row["item_code"], row["base_rate"]
            self.ledger.move(
                code, row["warehouse"], quantity, at, voucher=receipt, row=written, rate=rate
            )
            self.ledger.expect(code, row["warehouse"], -quantity, at)
            self.books.change(self.range.items[code], at, last_purchase_rate=rate)

    def _expect(self, order: Document, at: datetime, sign: int) -> None:
        for row in order["items"]:
            left = row["qty"] - row["received_qty"]
            self.ledger.expect(row["item_code"], row["warehouse"], sign * left, at)

    def _set_status(self, order: Document) -> None:
        received, billed = order["per_received"] == 100, order["per_billed"] == 100
        order["status"] = {
            (False, False): "To Receive and Bill",
            (False, True): "To Receive",
            (True, False): "To Bill",
            (True, True): "Completed",
        }[received, billed]

    def _days_on(self, at: datetime, least: int, most: int) -> datetime:
        return at + timedelta(days=self.rng.randint(least, most))
