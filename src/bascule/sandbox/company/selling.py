"""A year of selling: orders come with the season, are reserved, delivered, billed, or cancelled."""

import math
from datetime import date, datetime, timedelta
from functools import partial

from bascule.sandbox.company import masters, vouchers
from bascule.sandbox.company.agenda import Agenda, office_hour
from bascule.sandbox.company.books import Books, Document
from bascule.sandbox.company.catalog import Product
from bascule.sandbox.company.items import Range
from bascule.sandbox.company.ledger import Ledger

_ORDERS_A_DAY = 1.9
# Monday to Sunday.
_WEEKDAYS = (1.2, 1.1, 1.1, 1.1, 1.3, 0.9, 0.3)
_MONTHS = (0.7, 0.75, 1.0, 1.3, 1.4, 1.3, 1.1, 0.9, 1.0, 0.9, 1.0, 1.1)
_MOST = ((6, 24), (25, 10), (70, 6), (300, 3), (math.inf, 2))


class Selling:
    def __init__(self, books: Books, ledger: Ledger, range_: Range, agenda: Agenda) -> None:
        self.books, self.ledger, self.range, self.agenda = books, ledger, range_, agenda
        self.rng = books.rng
        self.customers = books.documents["Customer"]
        self.shipping = {
            address["links"][0]["link_name"]: address["name"]
            for address in books.documents["Address"]
            if address["links"][0]["link_doctype"] == "Customer" and address["is_shipping_address"]
        }
        self.projects = {
            project["customer"]: project["name"] for project in books.documents["Project"]
        }
        self._weights: dict[int, list[float]] = {}

    def open_for(self, first: date, today: date) -> None:
        """Put every order of the year on the agenda; the last two come in just after midnight."""
        days = (today - first).days
        for number in range(days):
            day = datetime.combine(first + timedelta(days=number), datetime.min.time())
            growth = 0.6 + 0.8 * number / days
            mean = _ORDERS_A_DAY * growth * _WEEKDAYS[day.weekday()] * _MONTHS[day.month - 1]
            for _ in range(self._poisson(mean)):
                self.agenda.at(office_hour(day, self.rng), self.take_order)
        midnight = datetime.combine(today, datetime.min.time())
        for _ in range(2):
            moment = midnight + timedelta(microseconds=self.rng.randrange(4 * 10**6))
            self.agenda.at(moment, self.take_order)

    def take_order(self, at: datetime) -> None:
        customer = self._customer(at)
        dealer = customer["customer_group"] == "Bike Shops"
        warehouse = self._warehouse(customer)
        vat = vouchers.VAT if customer["territory"] == "Netherlands" else 0.0
        wanted = at + timedelta(days=self.rng.randint(2, 12))
        basket = self._basket(at, dealer)
        rows = [self._row(product, customer, warehouse, at, wanted) for product in basket]
        sums = vouchers.totals(rows, vat)
        terms = customer["payment_terms"]
        known_by = f"PO-{self.rng.randint(1000, 99999)}" if self.rng.random() < 0.3 else None
        order = self.books.write(
            "Sales Order",
            self.books.next_in(f"SAL-ORD-{at.year}-"),
            at,
            owner=self.rng.choice(masters.STAFF)[0],
            **self._head(customer),
            transaction_date=at.date().isoformat(),
            delivery_date=wanted.date().isoformat(),
            po_no=known_by if dealer else None,
            selling_price_list="Dealer Prices" if dealer else "Standard Selling",
            set_warehouse=warehouse,
            items=rows,
            taxes=vouchers.vat_rows(sums, masters.VAT_ACCOUNT, masters.COST_CENTER) if vat else [],
            **sums,
            payment_terms_template=terms,
            payment_schedule=vouchers.payment_schedule(terms, sums, at.date()),
            amount_eligible_for_commission=sums["base_net_total"],
        )
        if self.rng.random() < 0.985:
            wait = timedelta(minutes=self.rng.randint(3, 60 * 20))
            self.agenda.at(at + wait, partial(self.submit, order))

    def _head(self, customer: Document) -> Document:
        """What every draft order says of its customer and of us."""
        contact = customer["customer_primary_contact"]
        return {
            "naming_series": "SAL-ORD-.YYYY.-",
            "title": customer["customer_name"],
            "customer": customer["name"],
            **{key: customer[key] for key in ("customer_name", "customer_group", "territory")},
            **{key: customer[key] for key in ("tax_id", "language")},
            **{"order_type": "Sales", "company": masters.COMPANY},
            **{"cost_center": masters.COST_CENTER, "apply_discount_on": "Grand Total"},
            **{"currency": "EUR", "price_list_currency": "EUR", "party_account_currency": "EUR"},
            **{"conversion_rate": 1.0, "plc_conversion_rate": 1.0},
            **{"contact_person": contact, "contact_display": contact.partition("-")[0]},
            **{"contact_mobile": customer["mobile_no"], "contact_email": customer["email_id"]},
            "project": self.projects.get(customer["name"]),
            "customer_address": customer["customer_primary_address"],
            "shipping_address_name": self.shipping.get(customer["name"]),
            **{"status": "Draft", "delivery_status": "Not Delivered"},
            "billing_status": "Not Billed",
        }

    def submit(self, order: Document, at: datetime) -> None:
        self.books.change(order, at, docstatus=1, status="To Deliver and Bill")
        self._reserve(order, at, +1)
        fate = self.rng.random()
        if fate < 0.04:
            self.agenda.at(at + timedelta(days=self.rng.randint(1, 4)), partial(self.cancel, order))
            return
        if fate < 0.055:
            later = office_hour(at + timedelta(days=1), self.rng)
            self.agenda.at(later, partial(self.put_aside, order, "On Hold"))
            return
        if order["payment_terms_template"] == "Prepaid":
            self.agenda.at(
                at + timedelta(minutes=self.rng.randint(1, 40)), partial(self.bill, order)
            )
        due = at + timedelta(days=self.rng.randint(1, 7))
        self.agenda.at(office_hour(due, self.rng), partial(self.deliver, order))

    def cancel(self, order: Document, at: datetime) -> None:
        self._reserve(order, at, -1)
        self.books.change(order, at, docstatus=2, status="Cancelled")

    def put_aside(self, order: Document, status: str, at: datetime) -> None:
        """On Hold or Closed: ERPNext no longer reserves stock for what is still open."""
        self._reserve(order, at, -1)
        self.books.change(order, at, status=status)
        if status == "Closed":
            self.books.change(order, at, delivery_status="Closed")

    def deliver(self, order: Document, at: datetime) -> None:
        """Send it whole, after ten days also in parts; what cannot be had for long is given up."""
        age = (at.date() - date.fromisoformat(order["transaction_date"])).days
        sent = [(row, self._sendable(row)) for row in order["items"]]
        whole = all(quantity == row["qty"] - row["delivered_qty"] for row, quantity in sent)
        sent = [(row, quantity) for row, quantity in sent if quantity > 0]
        if sent and (whole or age > 10):
            self._write_delivery(order, sent, at)
            done = vouchers.share_done(order["items"], "delivered_qty")
            status = "Fully Delivered" if done == 100 else "Partly Delivered"
            self.books.change(order, at, per_delivered=done, delivery_status=status)
            self._set_status(order)
        if order["per_delivered"] == 100:
            if order["per_billed"] < 100:
                wait = timedelta(days=self.rng.randint(1, 9))
                self.agenda.at(office_hour(at + wait, self.rng), partial(self.bill, order))
        elif age > 60 and order["per_delivered"]:
            self.put_aside(order, "Closed", at)
        else:
            self.agenda.at(
                office_hour(at + timedelta(days=3), self.rng), partial(self.deliver, order)
            )

    def bill(self, order: Document, at: datetime) -> None:
        if order["docstatus"] != 1 or order["status"] in ("On Hold", "Closed"):
            return
        for row in order["items"]:
            row["billed_amt"] = row["amount"]
        self.books.change(order, at, per_billed=100.0, billing_status="Fully Billed")
        if order["payment_terms_template"] == "Prepaid":
            order["advance_paid"] = order["grand_total"]
        self._set_status(order)

    def _set_status(self, order: Document) -> None:
        delivered, billed = order["per_delivered"] == 100, order["per_billed"] == 100
        order["status"] = {
            (False, False): "To Deliver and Bill",
            (False, True): "To Deliver",
            (True, False): "To Bill",
            (True, True): "Completed",
        }[delivered, billed]

    def _sendable(self, row: Document) -> float:
        left = row["qty"] - row["delivered_qty"]
        if not row["is_stock_item"]:
            return float(left)
        return float(min(left, max(self.ledger.on_hand(row["item_code"], row["warehouse"]), 0)))

    def _write_delivery(
        self, order: Document, sent: list[tuple[Document, float]], at: datetime
    ) -> None:
        rows = []
        for row, quantity in sent:
            row["delivered_qty"] += quantity
            origin = {"against_sales_order": order["name"], "so_detail": row["name"]}
            rows.append(vouchers.part_of(row, quantity, order["conversion_rate"]) | origin)
        vat = vouchers.VAT if order["taxes"] else 0.0
        sums = vouchers.totals(rows, vat)
        head = (
            "customer",
            "customer_name",
            "company",
            "currency",
            "conversion_rate",
            "customer_address",
        )
        more = ("selling_price_list", "price_list_currency", "plc_conversion_rate", "set_warehouse")
        note = self.books.write(
            "Delivery Note",
            self.books.next_in(f"MAT-DN-{at.year}-"),
            at,
            owner=self.rng.choice(masters.STAFF)[0],
            docstatus=1,
            naming_series="MAT-DN-.YYYY.-",
            posting_date=at.date().isoformat(),
            posting_time=at.strftime("%H:%M:%S.%f"),
            items=rows,
            taxes=vouchers.vat_rows(sums, masters.VAT_ACCOUNT, masters.COST_CENTER) if vat else [],
            **self.books.fields_of("Delivery Note", sums),
            **{
                key: order[key] for key in (*head, *more, "contact_person", "shipping_address_name")
            },
            status="To Bill",
        )
        for (row, quantity), written in zip(sent, note["items"], strict=True):
            if row["is_stock_item"]:
                item, place = row["item_code"], row["warehouse"]
                rate = self.ledger.move(item, place, -quantity, at, voucher=note, row=written)
                written["incoming_rate"] = row["valuation_rate"] = rate
                row["gross_profit"] = round((row["rate"] - rate) * row["qty"], 2)
                self.ledger.reserve(item, place, -quantity, at)

    def _reserve(self, order: Document, at: datetime, sign: int) -> None:
        for row in order["items"]:
            left = row["qty"] - row["delivered_qty"]
            if row["is_stock_item"] and left:
                self.ledger.reserve(row["item_code"], row["warehouse"], sign * left, at)

    def _customer(self, at: datetime) -> Document:
        """Someone who had joined by then; a few of them order much more often than the others."""
        moment = at.strftime("%Y-%m-%d %H:%M:%S")
        joined = sum(1 for customer in self.customers if customer["creation"] < moment)
        return self.customers[int(joined * self.rng.random() ** 1.6)]

    def _warehouse(self, customer: Document) -> str:
        if customer["customer_group"] != "Consumers" or customer["territory"] != "Netherlands":
            return masters.CENTRAL
        return self.rng.choice((masters.CENTRAL, masters.CITY_SHOP, masters.NORTH_SHOP))

    def _basket(self, at: datetime, dealer: bool) -> list[Product]:
        weights = self._weights.get(at.month)
        offered = list(self.range.products.values())
        if weights is None:
            weights = [item.demand * self.range.in_season(item, at.month) for item in offered]
            self._weights[at.month] = weights
        count = self.rng.choice((1, 1, 2, 2, 3, 4) if not dealer else (2, 3, 3, 4, 5, 7))
        picked = self.rng.choices(offered, weights, k=count)
        sold = {item.code: item for item in picked if not self.range.items[item.code]["disabled"]}
        return list(sold.values()) or self._basket(at, dealer)

    def _row(
        self, product: Product, customer: Document, place: str, at: datetime, wanted: datetime
    ) -> Document:
        dealer = customer["customer_group"] == "Bike Shops"
        # A shop of their own has a counter, not a store room: big things come from the central one.
        warehouse = place if product.price < 60 else masters.CENTRAL
        most = next(most for price, most in _MOST if product.price < price)
        quantity = float(self.rng.randint(1, most if dealer else max(1, most // 4)))
        price = product.price
        if dealer and product.stocked and price > 20:
            price = round(price * 0.78, 2)
        return vouchers.row(
            self.range.items[product.code],
            quantity,
            price,
            discount=5.0 if quantity >= 10 else 0.0,
            warehouse=warehouse if product.stocked else None,
            is_stock_item=int(product.stocked),
            delivery_date=wanted.date().isoformat(),
            transaction_date=at.date().isoformat(),
            actual_qty=self.ledger.on_hand(product.code, warehouse),
            projected_qty=self.ledger.projected(product.code, warehouse),
            cost_center=masters.COST_CENTER,
            grant_commission=1,
        )

    def _poisson(self, mean: float) -> int:
        limit, product, count = math.exp(-mean), self.rng.random(), 0
        while product > limit:
            product *= self.rng.random()
            count += 1
        return count
