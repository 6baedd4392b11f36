"""How each view and table looks on the data pages: its title, columns, order and ready filters."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date

from bascule.data.catalogue import MirroredData

MOST_COLUMNS = 8


@dataclass(frozen=True, slots=True)
class QuickFilter:
    """A filter that people ask for often. `{today}` in a value is today's date."""

    label: str
    where: Mapping[str, str]

    def on(self, today: date) -> dict[str, str]:
        return {name: value.format(today=today) for name, value in self.where.items()}


@dataclass(frozen=True, slots=True)
class ViewDisplay:
    """`links`: column -> the DocType that it leads to and the column with the document's name.

    `labels`: where a column's name does not say it best. `money`: amounts, of which those in
    `priced` are in the currency that stands in the row.
    """

    title: str
    one: str
    many: str
    sign: str
    columns: tuple[str, ...]
    sort: str = ""
    links: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    money: frozenset[str] = frozenset()
    priced: frozenset[str] = frozenset()
    quick: tuple[QuickFilter, ...] = ()
    what: str = ""


_STOCK_LABELS = {
    "item_code": "Item",
    "item_name": "Name",
    "item_group": "Group",
    "stock_qty": "In stock",
    "available_qty": "Available",
    "reorder_level": "Reorder at",
    "reorder_qty": "Reorder quantity",
    "unit_price": "Price",
    "uom": "Unit",
    "needs_reorder": "Needs reorder",
    "stock_state": "State",
    "projected_qty": "Projected",
    "reserved_qty": "Reserved",
    "ordered_qty": "Ordered",
    "requested_qty": "Requested",
    "planned_qty": "Planned",
    "stock_value": "Value",
}
_ORDER_LABELS = {
    "order_id": "Order",
    "customer_name": "Customer",
    "customer_id": "Customer ID",
    "supplier_name": "Supplier",
    "supplier_id": "Supplier ID",
    "order_date": "Ordered",
    "delivery_date": "Due",
    "total_amount": "Total",
    "net_amount": "Net",
}
_STOCK_QUICK = (
    QuickFilter("Needs reorder", {"needs_reorder": "true"}),
    QuickFilter("On its way", {"stock_state": "on its way"}),
    QuickFilter("Out of stock", {"stock_qty__lte": "0"}),
)
_ORDER_QUICK = (
    QuickFilter("Open", {"is_pending": "true"}),
    QuickFilter("Overdue", {"is_pending": "true", "delivery_date__lt": "{today}"}),
    QuickFilter("Completed", {"status": "Completed"}),
    QuickFilter("Draft", {"status": "Draft"}),
    QuickFilter("Cancelled", {"status": "Cancelled"}),
)
_ITEM = {"item_code": ("Item", "item_code"), "item_name": ("Item", "item_code")}
_AMOUNTS = frozenset({"total_amount", "net_amount", "advance_paid", "unit_price"})

LOOKS: dict[str, ViewDisplay] = {
    "inventory": ViewDisplay(
        "Inventory",
        "item",
        "items",
        "package",
        (
            "item_code",
            "item_name",
            "stock_state",
            "stock_qty",
            "reserved_qty",
            "available_qty",
            "ordered_qty",
            "requested_qty",
            "projected_qty",
            "reorder_level",
            "unit_price",
        ),
        links=_ITEM,
        labels=_STOCK_LABELS,
        money=frozenset({"unit_price", "last_purchase_rate", "stock_value"}),
        quick=_STOCK_QUICK,
        what="What is in stock, and what has to be reordered",
    ),
    "inventory_by_warehouse": ViewDisplay(
        "Inventory by warehouse",
        "stock level",
        "stock levels",
        "building-warehouse",
        (
            "item_code",
            "item_name",
            "warehouse",
            "stock_state",
            "stock_qty",
            "available_qty",
            "ordered_qty",
            "requested_qty",
            "projected_qty",
            "reorder_level",
        ),
        links={**_ITEM, "warehouse": ("Warehouse", "warehouse")},
        labels=_STOCK_LABELS,
        money=frozenset({"unit_price", "last_purchase_rate", "stock_value"}),
        quick=_STOCK_QUICK,
        what="The same, in each warehouse by itself",
    ),
    "sales_orders": ViewDisplay(
        "Sales orders",
        "order",
        "orders",
        "shopping-cart",
        ("order_id", "customer_name", "order_date", "delivery_date", "status", "total_amount"),
        sort="-order_date",
        links={
            "order_id": ("Sales Order", "order_id"),
            "customer_name": ("Customer", "customer_id"),
            "customer_id": ("Customer", "customer_id"),
        },
        labels=_ORDER_LABELS,
        money=_AMOUNTS,
        priced=_AMOUNTS,
        quick=_ORDER_QUICK,
        what="Who ordered what, and how far it is",
    ),
    "sales_order_items": ViewDisplay(
        "Sales order lines",
        "line",
        "lines",
        "list",
        (
            "order_id",
            "line",
            "order_date",
            "item_code",
            "item_name",
            "quantity",
            "delivered_qty",
            "delivery_date",
            "total_amount",
        ),
        sort="-order_date",
        links={
            **_ITEM,
            "order_id": ("Sales Order", "order_id"),
            "line_id": ("Sales Order Item", "line_id"),
            "customer_id": ("Customer", "customer_id"),
            "warehouse": ("Warehouse", "warehouse"),
        },
        labels={**_STOCK_LABELS, **_ORDER_LABELS, "delivered_qty": "Delivered"},
        money=_AMOUNTS,
        priced=_AMOUNTS,
        what="Every line of every sales order",
    ),
    "suppliers": ViewDisplay(
        "Suppliers",
        "supplier",
        "suppliers",
        "truck",
        ("supplier_name", "supplier_group", "supplier_type", "country", "tax_id", "on_hold"),
        links={
            "supplier_id": ("Supplier", "supplier_id"),
            "supplier_name": ("Supplier", "supplier_id"),
        },
        labels={
            "supplier_id": "Supplier ID",
            "supplier_name": "Supplier",
            "supplier_group": "Group",
            "supplier_type": "Type",
        },
        quick=(
            QuickFilter("On hold", {"on_hold": "true"}),
            QuickFilter("Disabled", {"is_active": "false"}),
        ),
        what="Whom you buy from",
    ),
    "customers": ViewDisplay(
        "Customers",
        "customer",
        "customers",
        "users-group",
        ("customer_name", "customer_group", "territory", "contact_name", "email", "phone", "city"),
        links={
            "customer_id": ("Customer", "customer_id"),
            "customer_name": ("Customer", "customer_id"),
        },
        labels={
            "customer_id": "Customer ID",
            "customer_name": "Customer",
            "customer_group": "Group",
            "contact_name": "Contact",
        },
        quick=(
            QuickFilter("Frozen", {"is_frozen": "true"}),
            QuickFilter("Disabled", {"is_active": "false"}),
        ),
        what="Whom you sell to, with address and contact",
    ),
    "purchase_orders": ViewDisplay(
        "Purchase orders",
        "order",
        "orders",
        "receipt",
        ("order_id", "supplier_name", "order_date", "delivery_date", "status", "total_amount"),
        sort="-order_date",
        links={
            "order_id": ("Purchase Order", "order_id"),
            "supplier_name": ("Supplier", "supplier_id"),
            "supplier_id": ("Supplier", "supplier_id"),
        },
        labels=_ORDER_LABELS,
        money=_AMOUNTS,
        priced=_AMOUNTS,
        quick=_ORDER_QUICK,
        what="What is on its way from your suppliers",
    ),
}
# The order in which they are shown.
VIEWS_SHOWN = (
    "inventory",
    "inventory_by_warehouse",
    "sales_orders",
    "sales_order_items",
    "customers",
    "suppliers",
    "purchase_orders",
)

# Columns that say most of a document of any DocType, in the order in which they are shown.
_TELLING = (
    "title",
    "subject",
    "full_name",
    "item_code",
    "item_name",
    "customer_name",
    "supplier_name",
    "customer",
    "supplier",
    "party",
    "price_list",
    "warehouse",
    "status",
    "voucher_no",
    "transaction_date",
    "posting_date",
    "qty",
    "actual_qty",
    "reserved_qty",
    "projected_qty",
    "total_qty",
    "uom",
    "rate",
    "price_list_rate",
    "amount",
    "grand_total",
    "stock_value",
    "email_id",
    "address_line1",
    "city",
    "country",
    "item_group",
    "customer_group",
    "supplier_group",
    "territory",
    "stock_uom",
    "disabled",
)
# What says no more than one of these beside it does.
_SAID_BY = {
    "title": ("item_name", "customer_name", "supplier_name", "full_name"),
    "customer": ("customer_name",),
    "supplier": ("supplier_name", "item_code"),
    "disabled": ("status",),
}
_MONEY = ("rate", "amount", "total", "price", "charges", "advance_paid", "stock_value")
# Others are in the company's currency, or are percentages, and nothing beside them says so.
_PRICED = frozenset(
    {
        *("grand_total", "total", "net_total", "rounded_total", "total_taxes_and_charges"),
        *("amount", "net_amount", "price_list_rate", "tax_amount", "payment_amount"),
        "outstanding_amount",
    }
)


def display_of(relation: MirroredData, columns: Iterable[str]) -> ViewDisplay:
    """A view's own; of a table what its columns' names suggest."""
    if relation.view:
        return LOOKS[relation.name]
    names = list(columns)
    quick = [QuickFilter("Disabled", {"disabled": "1"})] if "disabled" in names else []
    if "_deleted_at" in names:
        quick.append(QuickFilter("Deleted in ERPNext", {"_deleted_at__isnull": "false"}))
    return ViewDisplay(
        relation.doctype,
        "row",
        "rows",
        "table" if relation.child else "file-text",
        summary_columns(names, child=relation.child),
        sort="" if relation.child else "-modified",
        labels={"name": relation.doctype} if not relation.child else {"idx": "Line"},
        money=frozenset(name for name in names if _is_money(name)),
        priced=_PRICED,
        quick=tuple(quick),
    )


def summary_columns(
    names: list[str], *, child: bool = False, most: int = MOST_COLUMNS
) -> tuple[str, ...]:
    """A handful of columns that tell what a row is about."""
    first = [name for name in (("parent", "idx") if child else ("name",)) if name in names]
    last = [name for name in (("name",) if child else ("modified",)) if name in names]
    there = [
        name
        for name in _TELLING
        if name in names and not any(other in names for other in _SAID_BY.get(name, ()))
    ]
    others = [
        name
        for name in names
        if name not in (*first, *last, *_TELLING)
        and not name.startswith(("_", "parent", "creation", "modified", "owner"))
        and name not in ("name", "docstatus", "idx", "naming_series")
    ]
    return (*first, *[*there, *others][: most - len(first) - len(last)], *last)


def _is_money(name: str) -> bool:
    return name.endswith(_MONEY) and not name.startswith(("conversion", "plc_", "commission"))
