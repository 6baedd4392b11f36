"""Sales and purchase orders. Cancelled ones stay, with their status; only deleted ones leave."""

from psycopg.sql import Composed

from bascule.mirror.views.sources import Sources
from bascule.mirror.views.view import define

# Of an order that needs no delivery ERPNext moves the status on, and its lines stay undelivered.
# Either alone decides where the other is not mirrored. The share that ERPNext keeps in the order
# (per_delivered) changes without the order's `modified`, so it counts only where there are no
# lines here.
_ARRIVED = (
    """({x_docstatus} = 1 and coalesce({by_share} or {by_status}, {by_share}, {by_status}))"""
)
_BY_SHARE = "coalesce({x_%(per)s}, {zero_x_%(per)s}) >= 100"
_BY_LINES = """(exists (select from {l} where {l_parent} = x.name and {l_live})
    and not exists (select from {l} where {l_parent} = x.name and {l_live}
                       and coalesce({l_%(done)s}, 0) < {l_qty}))"""
_BY_STATUS = "{x_status} in ('To Bill', 'Completed', 'Delivered')"

_ORDERS = """
select x.name as order_id,
       {x_%(party)s_name} as %(party)s_name,
       {x_%(party)s} as %(party)s_id,
       {x_transaction_date} as order_date,
       {x_%(due)s} as delivery_date,
       {x_grand_total} as total_amount,
       {x_net_total} as net_amount,
       {x_advance_paid} as advance_paid,
       {x_total_qty} as quantity,
       {x_status} as status,
       {x_currency} as currency,
       {arrived} as is_%(arrived)s,
       ({x_docstatus} = 1 and {x_status} is distinct from 'Closed' and not {arrived}) as is_pending
  from {x}
 where {x_live}"""

_SALES = {
    "party": "customer",
    "due": "delivery_date",
    "lines": "Sales Order Item",
    "done": "delivered_qty",
    "per": "per_delivered",
    "arrived": "delivered",
}
_PURCHASE = {
    "party": "supplier",
    "due": "schedule_date",
    "lines": "Purchase Order Item",
    "done": "received_qty",
    "per": "per_received",
    "arrived": "received",
}

_ITEMS = """
select l.name as line_id,
       {l_parent} as order_id,
       {l_idx} as line,
       {l_item_code} as item_code,
       {l_item_name} as item_name,
       {l_item_group} as item_group,
       {l_warehouse} as warehouse,
       {l_qty} as quantity,
       {l_uom} as uom,
       {l_rate} as unit_price,
       {l_amount} as total_amount,
       {l_net_amount} as net_amount,
       {l_delivered_qty} as delivered_qty,
       {l_delivery_date} as delivery_date,
       {x_transaction_date} as order_date,
       {x_customer} as customer_id,
       {x_status} as status,
       {x_currency} as currency
  from {l} join {x} on x.name = {l_parent}
 where {l_live} and {x_live}"""


def _orders(s: Sources, doctype: str, words: dict[str, str]) -> Composed:
    s.using(x=doctype, l=words["lines"])
    by_lines = s.has(words["lines"], "parent", "qty", words["done"])
    share, status = s.query((_BY_LINES if by_lines else _BY_SHARE) % words), s.query(_BY_STATUS)
    arrived = s.query(_ARRIVED, by_share=share, by_status=status)
    return s.query(_ORDERS % words, arrived=arrived)


def _items(s: Sources) -> Composed:
    s.using(l="Sales Order Item", x="Sales Order")
    return s.query(_ITEMS)


define(
    "sales_orders",
    "One row a sales order, in the order's own currency.",
    ("order_id",),
    lambda s: _orders(s, "Sales Order", _SALES),
    [
        ("order_id", "text", "The order's number", "Sales Order.name"),
        ("customer_name", "text", "The customer's name on the order", "Sales Order.customer_name"),
        ("customer_id", "text", "The customer", "Sales Order.customer"),
        ("order_date", "date", "When it was ordered", "Sales Order.transaction_date"),
        ("delivery_date", "date", "When it is due", "Sales Order.delivery_date"),
        ("total_amount", "numeric", "With taxes, before rounding", "Sales Order.grand_total"),
        ("net_amount", "numeric", "Without taxes", "Sales Order.net_total"),
        ("advance_paid", "numeric", "Paid ahead", "Sales Order.advance_paid"),
        ("quantity", "numeric", "Sum of its lines' quantities", "Sales Order.total_qty"),
        (
            "status",
            "text",
            "As ERPNext says: Draft, On Hold, To Deliver and Bill, To Bill, To Deliver, Completed, "
            "Cancelled, Closed",
            "Sales Order.status",
        ),
        ("currency", "text", "The currency of its amounts", "Sales Order.currency"),
        (
            "is_delivered",
            "boolean",
            "Whether nothing is left to deliver",
            "docstatus = 1 and (delivered_qty >= qty in each line, or status is To Bill or "
            "Completed)",
        ),
        (
            "is_pending",
            "boolean",
            "Whether something is still to be delivered; not of drafts, cancelled or closed orders",
            "docstatus = 1, status is not Closed, and not is_delivered",
        ),
    ],
)

define(
    "sales_order_items",
    "One row a line of a sales order.",
    ("line_id",),
    _items,
    [
        ("line_id", "text", "The line's own name", "Sales Order Item.name"),
        ("order_id", "text", "Its order", "Sales Order Item.parent"),
        ("line", "bigint", "Its place in the order, from 1", "Sales Order Item.idx"),
        ("item_code", "text", "The item", "Sales Order Item.item_code"),
        ("item_name", "text", "The item's name on the order", "Sales Order Item.item_name"),
        ("item_group", "text", "The item's group then", "Sales Order Item.item_group"),
        ("warehouse", "text", "Where it is delivered from", "Sales Order Item.warehouse"),
        ("quantity", "numeric", "Ordered, in `uom`", "Sales Order Item.qty"),
        ("uom", "text", "The unit of the quantity", "Sales Order Item.uom"),
        ("unit_price", "numeric", "Price of one `uom`", "Sales Order Item.rate"),
        ("total_amount", "numeric", "Quantity by price", "Sales Order Item.amount"),
        (
            "net_amount",
            "numeric",
            "Less the order's discount, without included taxes",
            "Sales Order Item.net_amount",
        ),
        ("delivered_qty", "numeric", "Delivered so far", "Sales Order Item.delivered_qty"),
        ("delivery_date", "date", "When it is due", "Sales Order Item.delivery_date"),
        ("order_date", "date", "When it was ordered", "Sales Order.transaction_date"),
        ("customer_id", "text", "The customer", "Sales Order.customer"),
        ("status", "text", "The order's status", "Sales Order.status"),
        ("currency", "text", "The currency of its amounts", "Sales Order.currency"),
    ],
)

define(
    "purchase_orders",
    "One row a purchase order, in the order's own currency.",
    ("order_id",),
    lambda s: _orders(s, "Purchase Order", _PURCHASE),
    [
        ("order_id", "text", "The order's number", "Purchase Order.name"),
        (
            "supplier_name",
            "text",
            "The supplier's name on the order",
            "Purchase Order.supplier_name",
        ),
        ("supplier_id", "text", "The supplier", "Purchase Order.supplier"),
        ("order_date", "date", "When it was ordered", "Purchase Order.transaction_date"),
        ("delivery_date", "date", "When it is wanted", "Purchase Order.schedule_date"),
        ("total_amount", "numeric", "With taxes, before rounding", "Purchase Order.grand_total"),
        ("net_amount", "numeric", "Without taxes", "Purchase Order.net_total"),
        ("advance_paid", "numeric", "Paid ahead", "Purchase Order.advance_paid"),
        ("quantity", "numeric", "Sum of its lines' quantities", "Purchase Order.total_qty"),
        (
            "status",
            "text",
            "As ERPNext says: Draft, On Hold, To Receive and Bill, To Bill, To Receive, Completed, "
            "Cancelled, Closed, Delivered",
            "Purchase Order.status",
        ),
        ("currency", "text", "The currency of its amounts", "Purchase Order.currency"),
        (
            "is_received",
            "boolean",
            "Whether nothing is left to receive",
            "docstatus = 1 and (received_qty >= qty in each line, or status is To Bill, Completed "
            "or Delivered)",
        ),
        (
            "is_pending",
            "boolean",
            "Whether something is still to come; not of drafts, cancelled or closed orders",
            "docstatus = 1, status is not Closed, and not is_received",
        ),
    ],
)
