"""What an order needs of ERPNext's business logic to be stored at all: names, units and totals.

Prices, taxes, stock and ledgers are not worked out; what a caller gives is added up.
"""

from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING

from bascule.sandbox.core.database.tables import Row
from bascule.sandbox.core.documents.document import Document
from bascule.sandbox.core.documents.events import on
from bascule.sandbox.core.errors import Call, Refusal, bold
from bascule.sandbox.core.values import cint, cstr, date_text, flt, moment

if TYPE_CHECKING:
    from bascule.sandbox.core.site import Site

_CENT = Decimal("0.01")
_STATUS = {1: {"Sales Order": "To Deliver and Bill", "Purchase Order": "To Receive and Bill"}}


@on("Sales Order", "before_validate")
@on("Purchase Order", "before_validate")
def _fill_order(site: "Site", call: Call, order: Document) -> None:
    sales = order.doctype.name == "Sales Order"
    party = "customer" if sales else "supplier"
    check_parties(site, call, order, party)
    row = site.tables.row(party.title(), str(order[party] or "")) or {}
    fill(order, {f"{party}_name": row.get(f"{party}_name"), "tax_id": row.get("tax_id")})
    fill(order, {"language": row.get("language"), "tax_category": row.get("tax_category") or ""})
    if sales:
        fill(order, {"customer_group": row.get("customer_group")})
        fill(order, {"territory": row.get("territory")})
    _fill_place(site, order, row, party)
    price_list = f"{'Standard Selling' if sales else 'Standard Buying'}"
    field = "selling_price_list" if sales else "buying_price_list"
    if order[field] is None and site.exists("Price List", price_list):
        order[field] = price_list
    fill(order, {"price_list_currency": order["currency"], "plc_conversion_rate": 1.0})
    fill(order, {"conversion_rate": 1.0, "status": "Draft"})
    for item in order.rows["items"]:
        fill_item(site, order, item)
    add_up(order)


def check_parties(site: "Site", call: Call, order: Document, party: str) -> None:
    """What is not there is not found when its details are taken over; `party` is the field."""
    name = cstr(order[party])
    if name and site.tables.value(party.title(), name, "name") is None:
        if party == "supplier":
            call.refuse(f"Supplier: {name} does not exists")
        call.refuse(f"Customer {name} not found", "DoesNotExistError")
    for item in order.rows["items"]:
        code = cstr(item["item_code"])
        if code and site.tables.value("Item", code, "name") is None:
            call.refuse(f"Item {code} not found", "DoesNotExistError")


@on("Sales Order", "validate")
@on("Purchase Order", "validate")
def _check_order(site: "Site", call: Call, order: Document) -> None:
    """What ERPNext refuses of an order's rows and dates."""
    items = order.rows["items"]
    if not items:
        told = "unsupported operand type(s) for *: 'NoneType' and 'float'"
        raise Refusal("TypeError", told, module="", status=500)
    for item in items:
        if not flt(item["qty"]):
            told = f"Row #{item['idx']}: Quantity for Item {bold(item['item_code'])}"
            refusal = Refusal(
                "InvalidQtyError",
                f"{told} cannot be zero.",
                module="erpnext.controllers.accounts_controller",
                status=417,
            )
            call.raise_told(refusal, title="Invalid Quantity")
    _check_dates(call, order)
    if flt(order["base_grand_total"]) < 0:
        label = order.doctype.label("base_grand_total")
        call.refuse(f"Incorrect value:{label} must be >= 0.0")
    company = site.tables.row("Company", cstr(order["company"])) or {}
    own, currency = company.get("default_currency"), order["currency"]
    if currency and own and currency != own and flt(order["conversion_rate"]) in (0.0, 1.0):
        call.refuse(
            "Exchange Rate is mandatory. Maybe Currency Exchange record is not created"
            f" for {currency} to {own}."
        )


@on("Sales Order", "before_update_after_submit")
def _keep_date(site: "Site", call: Call, order: Document) -> None:
    if order.rows["items"]:
        _check_dates(call, order)


def _check_dates(call: Call, order: Document) -> None:
    field = "delivery_date" if order.doctype.name == "Sales Order" else "schedule_date"
    if field == "delivery_date" and (order["order_type"] != "Sales" or order["skip_delivery_note"]):
        return
    for value in (order["transaction_date"], *(item[field] for item in order.rows["items"])):
        if isinstance(value, str) and value and moment(value) is None:
            call.refuse(f"{bold(value)} is not a valid date string.", title="Invalid Date")
    dates = [date_text(item[field]) for item in order.rows["items"] if item[field]]
    if not dates:
        called = "Delivery Date" if field == "delivery_date" else "Reqd by Date"
        call.refuse(f"Please enter {called}")
    order[field] = max(dates) if field == "delivery_date" else min(dates)
    for item in order.rows["items"]:
        item[field] = item[field] or order[field]
        if date_text(item[field]) >= date_text(order["transaction_date"]):
            continue
        if field == "delivery_date":
            refusal = Refusal(
                "ValidationError", "Expected Delivery Date should be after Sales Order Date"
            )
            call.raise_told(refusal, title="Invalid Delivery Date", indicator="orange")
        call.refuse(f"Row #{item['idx']}: Reqd by Date cannot be before Transaction Date")


def fill(document: Document, values: Row) -> None:
    """What is not given, and is known."""
    for field, value in values.items():
        if value is not None and not document[field]:
            document[field] = value


def _fill_place(site: "Site", order: Document, party: Row, kind: str) -> None:
    address = site.tables.row("Address", str(party.get(f"{kind}_primary_address") or ""))
    if address:
        shown = {"address_display": party.get("primary_address")}
        fill(order, {f"{kind}_address": address["name"], **shown})
        if kind == "customer" and address.get("is_shipping_address"):
            fill(order, {"shipping_address_name": address["name"]})
            fill(order, {"shipping_address": party.get("primary_address")})
    contact = site.tables.row("Contact", str(party.get(f"{kind}_primary_contact") or ""))
    if contact and not order["contact_person"]:
        order["contact_person"] = contact["name"]
        order["contact_display"] = contact["full_name"]
        if kind == "customer":
            order["contact_phone"] = contact["phone"]
        order["contact_mobile"] = contact["mobile_no"]
        order["contact_email"] = contact["email_id"]


def fill_item(site: "Site", order: Document, item: Document) -> None:
    """A row's item, units and amounts."""
    row = site.tables.row("Item", str(item["item_code"] or "")) or {}
    for field in ("item_name", "description", "item_group", "stock_uom"):
        fill(item, {field: row.get(field)})
    fill(item, {"uom": row.get("stock_uom"), "conversion_factor": 1.0})
    item["image"] = item["image"] or row.get("image") or ""
    item["reserve_stock"] = 0  # until stock reservation is switched on
    item["is_stock_item"] = cint(row.get("is_stock_item"))
    item["grant_commission"] = cint(row.get("grant_commission", 1))
    item["stock_qty"] = flt(item["qty"]) * flt(item["conversion_factor"])
    fill(item, {"transaction_date": order["transaction_date"], "item_tax_rate": "{}"})
    fill(item, {"delivery_date": order["delivery_date"]})
    fill(item, {"schedule_date": order["schedule_date"]})
    rate = float(Decimal(str(flt(item["rate"]))).quantize(_CENT, ROUND_HALF_UP))
    amount = round(rate * flt(item["qty"]), 2)
    factor = flt(order["conversion_rate"]) or 1.0
    for field in ("rate", "net_rate", "stock_uom_rate"):
        item[field] = rate
    for field in ("amount", "net_amount"):
        item[field] = amount
    for field in ("rate", "amount", "net_rate", "net_amount"):
        item[f"base_{field}"] = round(flt(item[field]) * factor, 2)


def add_up(order: Document) -> None:
    """The totals, of the rows."""
    items = order.rows["items"]
    order["total_qty"] = sum(flt(item["qty"]) for item in items)
    total = round(sum(flt(item["amount"]) for item in items), 2)
    factor = flt(order["conversion_rate"]) or 1.0
    for field in ("total", "net_total", "grand_total", "rounded_total"):
        order[field] = total
        order[f"base_{field}"] = round(total * factor, 2)
    if order.doctype.name == "Sales Order":
        order["amount_eligible_for_commission"] = total


@on("Sales Order", "before_submit", "before_cancel")
@on("Purchase Order", "before_submit", "before_cancel")
def _set_status(site: "Site", call: Call, order: Document) -> None:
    submitted = _STATUS[1][order.doctype.name]
    order["status"] = submitted if order.docstatus == 1 else "Cancelled"
