"""How an order is written down, sold or bought: rows, totals, VAT and the payment schedule."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from bascule.sandbox.company.books import Document

VAT = 21.0

# Template -> its instalments: share in percent, days after the order.
TERMS: dict[str, tuple[tuple[float, int], ...]] = {
    "Prepaid": ((100.0, 0),),
    "Net 14": ((100.0, 14),),
    "Net 30": ((100.0, 30),),
    "Net 60": ((100.0, 60),),
    "Half Now, Half in 30 Days": ((50.0, 0), (50.0, 30)),
    "30% Deposit, 70% on Arrival": ((30.0, 0), (70.0, 45)),
}


def instalments(template: str) -> list[tuple[str, float, int]]:
    """Payment Term, share in percent and days, of each instalment."""
    parts = TERMS[template]
    if len(parts) == 1:
        return [(template, *parts[0])]
    return [(f"{share:.0f}% after {days} days", share, days) for share, days in parts]


def row(item: Document, quantity: float, list_rate: float, **values: Any) -> Document:
    """A row in the order's currency; `discount` (percent) and `conversion` may be given."""
    discount = values.pop("discount", 0.0)
    conversion = values.pop("conversion", 1.0)
    rate = round(list_rate * (1 - discount / 100), 2)
    amount = round(rate * quantity, 2)
    base_rate, base_amount = round(rate * conversion, 2), round(amount * conversion, 2)
    return {
        "item_code": item["name"],
        "item_name": item["item_name"],
        "description": item["description"],
        "item_group": item["item_group"],
        "brand": item["brand"],
        "qty": quantity,
        "stock_uom": item["stock_uom"],
        "uom": item["stock_uom"],
        "conversion_factor": 1.0,
        "stock_qty": quantity,
        "price_list_rate": list_rate,
        "base_price_list_rate": round(list_rate * conversion, 2),
        "discount_percentage": discount,
        "discount_amount": round(list_rate - rate, 2),
        **{"rate": rate, "amount": amount, "net_rate": rate, "net_amount": amount},
        **{"base_rate": base_rate, "base_amount": base_amount},
        **{"base_net_rate": base_rate, "base_net_amount": base_amount},
        "item_tax_rate": "{}",
        **values,
    }


def part_of(row: Document, quantity: float, conversion: float) -> Document:
    """The row of a delivery or a receipt that fulfils `quantity` of an order's row."""
    same = ("item_code", "item_name", "description", "item_group", "stock_uom", "uom", "rate")
    amount = round(row["rate"] * quantity, 2)
    return {
        **{key: row[key] for key in (*same, "conversion_factor", "warehouse", "base_rate")},
        **{"qty": quantity, "stock_qty": quantity},
        **{"amount": amount, "base_amount": round(amount * conversion, 2)},
    }


def totals(rows: Sequence[Document], vat: float = 0.0, conversion: float = 1.0) -> Document:
    """An order's totals; those of the company's currency are the sum of the rows' own."""
    net = round(sum(row["amount"] for row in rows), 2)
    base_net = round(sum(row["base_amount"] for row in rows), 2)
    tax = round(net * vat / 100, 2)
    base_tax = round(tax * conversion, 2)
    grand, base_grand = round(net + tax, 2), round(base_net + base_tax, 2)
    return {
        "total_qty": sum(row["qty"] for row in rows),
        **{"total": net, "net_total": net, "base_total": base_net, "base_net_total": base_net},
        **{"total_taxes_and_charges": tax, "base_total_taxes_and_charges": base_tax},
        **{"grand_total": grand, "rounded_total": grand},
        **{"base_grand_total": base_grand, "base_rounded_total": base_grand},
    }


def vat_rows(sums: Document, account: str, cost_center: str) -> list[Document]:
    return [
        {
            "charge_type": "On Net Total",
            "account_head": account,
            "description": f"VAT {VAT:.0f}%",
            "cost_center": cost_center,
            "rate": VAT,
            "tax_amount": sums["total_taxes_and_charges"],
            "total": sums["grand_total"],
            "base_tax_amount": sums["base_total_taxes_and_charges"],
            "base_total": sums["base_grand_total"],
        }
    ]


def payment_schedule(template: str, sums: Document, ordered_on: date) -> list[Document]:
    """The instalments add up to the grand total: the last one takes what rounding left over."""
    schedule: list[Document] = []
    open_, base_open = sums["grand_total"], sums["base_grand_total"]
    parts = instalments(template)
    for number, (term, share, days) in enumerate(parts, start=1):
        last = number == len(parts)
        amount = open_ if last else round(sums["grand_total"] * share / 100, 2)
        base = base_open if last else round(sums["base_grand_total"] * share / 100, 2)
        open_, base_open = round(open_ - amount, 2), round(base_open - base, 2)
        schedule.append(
            {
                "payment_term": term,
                "due_date": (ordered_on + timedelta(days=days)).isoformat(),
                "invoice_portion": share,
                "due_date_based_on": "Day(s) after invoice date",
                "credit_days": days,
                **{"payment_amount": amount, "outstanding": amount},
                **{"base_payment_amount": base, "base_outstanding": base},
            }
        )
    return schedule


def share_done(rows: Sequence[Document], done: str) -> float:
    """Percentage of the rows' quantity that `done` (delivered_qty, received_qty) has reached."""
    asked = sum(row["qty"] for row in rows)
    reached = sum(min(row["qty"], row[done]) for row in rows)
    return float(round(100 * reached / asked, 6))
