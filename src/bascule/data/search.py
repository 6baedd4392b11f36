"""Search in a view or a table: in which columns, and what finds a row."""

import re
from collections.abc import Mapping

from psycopg.sql import SQL, Composable, Identifier, Literal

LONGEST = 200  # characters; nobody types more, and each word costs a look at each column
MOST_COLUMNS = 8
_TEXTS = {"text", "character varying"}

# Of the views; of a DocType's table see `searched_columns`.
SEARCHED: dict[str, tuple[str, ...]] = {
    "inventory": ("item_code", "item_name", "item_group"),
    "inventory_by_warehouse": ("item_code", "item_name", "item_group", "warehouse"),
    "sales_orders": ("order_id", "customer_name", "customer_id", "status"),
    "sales_order_items": ("order_id", "item_code", "item_name", "customer_id"),
    "purchase_orders": ("order_id", "supplier_name", "supplier_id", "status"),
    "suppliers": ("supplier_id", "supplier_name", "supplier_group", "country", "tax_id"),
    "customers": (
        "customer_id",
        "customer_name",
        "customer_group",
        "contact_name",
        "email",
        "phone",
        "city",
        "tax_id",
    ),
}
_TITLES = re.compile(
    r"(.+_)?(name|title|subject|code|barcode|email|email_id|phone|city)"
    r"|customer|supplier|party|warehouse|status|parent"
)


def searched_columns(relation: str, columns: Mapping[str, str]) -> list[str]:
    """A view's are declared; a table's are its `name` and what looks like a title of a document.
    `columns`: name -> PostgreSQL's type.
    """
    if relation in SEARCHED:
        return [column for column in SEARCHED[relation] if columns.get(column) in _TEXTS]
    titles = [
        column for column, kind in columns.items() if kind in _TEXTS and _TITLES.fullmatch(column)
    ]
    return sorted(titles, key=lambda column: column != "name")[:MOST_COLUMNS]


def found_by(columns: list[str], text: str) -> list[Composable]:
    """Each word has to be in one of the columns, in any case."""
    return [
        SQL("({})").format(
            SQL(" or ").join(
                SQL("{} ilike {}").format(Identifier(column), contains(word)) for column in columns
            )
        )
        if columns
        else SQL("false")
        for word in dict.fromkeys(text.split())
    ]


def contains(text: str) -> Literal:
    """The pattern that LIKE takes for "has this in it", whatever signs are in it."""
    for special in ("\\", "%", "_"):
        text = text.replace(special, "\\" + special)
    return Literal(f"%{text}%")
