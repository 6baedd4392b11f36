"""The demo company's items: units, barcodes, prices, reorder levels, bills of materials."""

import math
from collections.abc import Sequence
from datetime import datetime, timedelta

from bascule.sandbox.company import masters
from bascule.sandbox.company.books import Books, Document
from bascule.sandbox.company.catalog import GRACHT_PARTS, GROUPS, Product, products
from bascule.sandbox.company.parties import LEAD_DAYS

# Units that one year of orders moves, all items together: what reorder levels are set from.
_UNITS_A_YEAR = 9_000
USD_RATE = 0.92


class Range:
    """The items on offer: their documents, products and how much each is asked for."""

    def __init__(self, books: Books, suppliers: dict[str, list[Document]], begin: datetime) -> None:
        self.books = books
        self.products = {product.code: product for product in products()}
        self.items: dict[str, Document] = {}
        self.supplier_of: dict[str, Document] = {}
        self.bom_of: dict[str, Document] = {}
        self.buying_rate: dict[str, float] = {}
        self.weight = sum(product.demand for product in self.products.values())
        self._line_supplier: dict[str, Document] = {}
        self.season = {name: (peak, swing) for name, _, peak, swing in GROUPS}
        at = begin
        for product in self.products.values():
            at += timedelta(
                seconds=books.rng.randint(2, 90), microseconds=books.rng.randrange(10**6)
            )
            self._write_item(product, suppliers, at)
        self._write_boms(at)

    def monthly_units(self, product: Product) -> float:
        return _UNITS_A_YEAR / 12 * product.demand / self.weight

    def in_season(self, product: Product, month: int) -> float:
        """How much more (or less) than on average the product sells in that month."""
        peak, swing = self.season[product.group]
        return 1 + swing * math.cos((month - peak) * math.pi / 6)

    def reorder_at(self, code: str, warehouse: str) -> tuple[float, float] | None:
        """(level, quantity) of the item in that warehouse, None when nobody watches it."""
        for row in self.items[code]["reorder_levels"]:
            if row["warehouse"] == warehouse:
                return row["warehouse_reorder_level"], row["warehouse_reorder_qty"]
        return None

    def _write_item(
        self, product: Product, suppliers: dict[str, list[Document]], at: datetime
    ) -> None:
        rng = self.books.rng
        supplier = None
        if product.stocked:
            supplier = self._supplier(product, suppliers[product.group])
            self.supplier_of[product.code] = supplier
        uoms = [{"uom": product.uom, "conversion_factor": 1.0}]
        if product.line in ("TUB", "PAT", "BRP"):
            uoms.append({"uom": "Box", "conversion_factor": 10.0})
        part = {"supplier_part_no": f"{product.line}{rng.randint(100, 999)}"}
        default = {"company": masters.COMPANY, "default_warehouse": masters.CENTRAL}
        if supplier:
            default["default_supplier"] = supplier["name"]
        item = self.books.write(
            "Item",
            product.code,
            at,
            owner=masters.STAFF[0][0],
            naming_series="STO-ITEM-.YYYY.-",
            item_code=product.code,
            item_name=product.name,
            description=f"<div>{product.name}</div>",
            item_group=product.group,
            brand=product.brand,
            stock_uom=product.uom,
            is_stock_item=int(product.stocked),
            is_purchase_item=int(product.stocked),
            standard_rate=product.price,
            lead_time_days=LEAD_DAYS[supplier["name"]] if supplier else 0,
            end_of_life="2099-12-31",
            default_material_request_type="Purchase",
            warranty_period="730" if product.price > 400 else None,
            weight_per_unit=round(product.price / 40, 2) if product.stocked else 0.0,
            weight_uom="Kg" if product.stocked else None,
            country_of_origin=supplier["country"] if supplier else None,
            uoms=uoms,
            item_defaults=[default],
            barcodes=[{"barcode": _ean13(rng.randrange(10**9)), "barcode_type": "EAN"}],
            supplier_items=[{"supplier": supplier["name"], **part}] if supplier else [],
            reorder_levels=self._reorder_levels(product),
        )  # fmt: skip
        self.items[product.code] = item
        self._write_prices(product, item, supplier, at)

    def _supplier(self, product: Product, candidates: list[Document]) -> Document:
        """One for the whole line: the maker of the brand or, as often, somebody else who has it."""
        if product.line not in self._line_supplier:
            makers = [card for card in candidates if card["name"].startswith(product.brand)]
            choice = makers if makers and self.books.rng.random() < 0.5 else candidates
            self._line_supplier[product.line] = self.books.rng.choice(choice)
        return self._line_supplier[product.line]

    def _reorder_levels(self, product: Product) -> Sequence[Document]:
        if not product.stocked or self.books.rng.random() < 0.1:
            return []
        monthly = self.monthly_units(product)
        assembled = product.line == "GRA"
        level, quantity = math.ceil(monthly * 1.1), math.ceil(monthly * 1.6) + 1
        if product.price > 2000:
            level = 0  # built to order: only a quantity is set
        kind = "Manufacture" if assembled else "Purchase"
        levels = [_level(masters.CENTRAL, level, quantity, kind)]
        if product.price < 60 and product.demand / self.weight > 0.003:
            for shop in (masters.CITY_SHOP, masters.NORTH_SHOP):
                fewer = math.ceil(monthly / 6)
                levels.append(_level(shop, fewer, fewer * 2, "Transfer"))
        return levels

    def _write_prices(
        self, product: Product, item: Document, supplier: Document | None, at: datetime
    ) -> None:
        prices = [("Standard Selling", "EUR", product.price, None)]
        if product.stocked and product.price > 20:
            prices.append(("Dealer Prices", "EUR", round(product.price * 0.78, 2), None))
        if supplier and supplier["default_currency"] == "USD":
            self.buying_rate[product.code] = round(product.cost / USD_RATE, 2)
            rate = self.buying_rate[product.code]
            prices.append(("Import Buying USD", "USD", rate, supplier["name"]))
        elif supplier:
            self.buying_rate[product.code] = product.cost
            prices.append(("Standard Buying", "EUR", product.cost, supplier["name"]))
        for price_list, currency, rate, party in prices:
            at += timedelta(microseconds=self.books.rng.randint(2_000, 90_000))
            self.books.write(
                "Item Price",
                None,
                at,
                owner=masters.STAFF[0][0],
                item_code=product.code,
                item_name=product.name,
                uom=product.uom,
                brand=product.brand,
                price_list=price_list,
                buying=int("Buying" in price_list),
                selling=int("Buying" not in price_list),
                currency=currency,
                price_list_rate=rate,
                valid_from=at.date().isoformat(),
                supplier=party,
                item_description=item["description"],
            )

    def _write_boms(self, at: datetime) -> None:
        for code in [code for code, product in self.products.items() if product.line == "GRA"]:
            number = int(code[-3:]) - 1
            parts = [(f"FRM-{number // 2 + 1:03d}", 1)]
            for line, count in GRACHT_PARTS:
                same = [other for other in self.products if other.startswith(f"{line}-")]
                parts.append((same[number % len(same)], count))
            rows = [self._bom_row(part, count) for part, count in parts]
            cost = round(sum(row["amount"] for row in rows), 2)
            costs = ("raw_material_cost", "base_raw_material_cost", "total_cost", "base_total_cost")
            at += timedelta(minutes=3)
            bom = self.books.write(
                "BOM", f"BOM-{code}-001", at, docstatus=1, item=code, company=masters.COMPANY,
                item_name=self.items[code]["item_name"], uom="Nos", quantity=1.0, currency="EUR",
                conversion_rate=1.0, rm_cost_as_per="Valuation Rate", is_active=1, is_default=1,
                buying_price_list="Standard Buying", plc_conversion_rate=1.0, items=rows,
                description=self.items[code]["description"], transfer_material_against="Work Order",
                exploded_items=[_exploded(row) for row in rows], **dict.fromkeys(costs, cost),
            )  # fmt: skip
            self.bom_of[code] = bom
            self.books.change(self.items[code], at, default_bom=bom["name"])

    def _bom_row(self, code: str, count: int) -> Document:
        item, cost = self.items[code], self.products[code].cost
        return {
            "item_code": code,
            "item_name": item["item_name"],
            "description": item["description"],
            **{"qty": float(count), "stock_qty": float(count)},
            **{"qty_consumed_per_unit": float(count), "conversion_factor": 1.0},
            **{"uom": item["stock_uom"], "stock_uom": item["stock_uom"]},
            **{"rate": cost, "base_rate": cost, "is_stock_item": 1},
            **{"amount": round(cost * count, 2), "base_amount": round(cost * count, 2)},
            "include_item_in_manufacturing": 1,
        }


def _exploded(row: Document) -> Document:
    kept = ("item_code", "item_name", "description", "stock_qty", "rate", "amount", "stock_uom")
    more = ("qty_consumed_per_unit", "include_item_in_manufacturing")
    return {key: row[key] for key in (*kept, *more)}


def _level(warehouse: str, level: int, quantity: int, kind: str) -> Document:
    return {
        "warehouse": warehouse,
        "warehouse_group": f"All Warehouses - {masters.ABBR}",
        "warehouse_reorder_level": float(level),
        "warehouse_reorder_qty": float(quantity),
        "material_request_type": kind,
    }


def _ean13(number: int) -> str:
    digits = f"871{number:09d}"
    odd = sum(int(digit) for digit in digits[0::2])
    even = sum(int(digit) for digit in digits[1::2])
    return f"{digits}{(10 - (odd + 3 * even) % 10) % 10}"
