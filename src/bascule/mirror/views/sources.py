"""What the views read: DocTypes' fields, found in the tables as these are, in their right types.

A table or a field may be missing (no permission, left out) and a column may have been widened to
text. Every view is made all the same: what is missing is null of the right type, and is noted.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from string import Formatter

from psycopg import sql
from psycopg.sql import SQL, Composable, Composed, Identifier

_NUMBERS = {"smallint", "integer", "bigint", "numeric", "real", "double precision"}
_TEXTS = {"text", "character varying"}
_TIMES = {"timestamp without time zone", "timestamp", "timestamp with time zone"}
# What a wanted type is when the column already has one of these, and so is used as it stands.
_FITS = {
    "text": _TEXTS,
    "numeric": {"numeric"},
    "date": {"date"},
    "timestamp": {"timestamp without time zone", "timestamp"},
    "bigint": {"bigint", "integer", "smallint"},
}
_CASTS_FROM = {
    "numeric": _NUMBERS,
    "bigint": {"numeric", "real", "double precision"},
    "date": _TIMES,
    "timestamp": {"date"},
}

# Each DocType's fields that a view reads. `check` is Frappe's 0 or 1, read as a boolean.
FIELDS: dict[str, dict[str, str]] = {}
# Without one of these a table's rows cannot be told to belong to anything, so it counts as missing.
KEYS: dict[str, tuple[str, ...]] = {
    "Bin": ("item_code", "warehouse"),
    "Item Reorder": ("parent", "warehouse"),
    "Item Price": ("item_code",),
    "Dynamic Link": ("parent", "parenttype", "link_doctype", "link_name"),
    "Sales Order Item": ("parent",),
}


def _fields(doctype: str, **names: str) -> None:
    FIELDS[doctype] = {
        name: "check" if wanted == "checks" else wanted
        for wanted, listed in names.items()
        for name in listed.split()
    }


_fields(
    "Item",
    text="item_name item_group stock_uom variant_of",
    numeric="standard_rate last_purchase_rate",
    checks="disabled has_variants is_stock_item",
    date="end_of_life",
)
_fields(
    "Bin",
    text="item_code warehouse",
    numeric="actual_qty reserved_qty projected_qty ordered_qty indented_qty planned_qty "
    "valuation_rate stock_value",
)
_fields(
    "Item Reorder",
    text="parent warehouse warehouse_group",
    numeric="warehouse_reorder_level warehouse_reorder_qty",
)
_fields(
    "Item Price",
    text="item_code price_list uom customer supplier batch_no",
    numeric="price_list_rate",
    checks="selling",
    date="valid_from valid_upto",
    timestamp="modified",
)
_fields("Warehouse", text="parent_warehouse", checks="disabled")
_fields(
    "Sales Order",
    text="customer customer_name status currency",
    date="transaction_date delivery_date",
    numeric="grand_total net_total advance_paid total_qty per_delivered",
    bigint="docstatus",
)
_fields(
    "Sales Order Item",
    text="parent item_code item_name item_group warehouse uom",
    date="delivery_date",
    numeric="qty rate amount net_amount delivered_qty",
    bigint="idx",
)
_fields(
    "Purchase Order",
    text="supplier supplier_name status currency",
    date="transaction_date schedule_date",
    numeric="grand_total net_total advance_paid total_qty per_received",
    bigint="docstatus",
)
_fields("Purchase Order Item", text="parent", numeric="qty received_qty")
_fields(
    "Supplier",
    text="supplier_name supplier_group supplier_type country tax_id payment_terms default_currency",
    checks="on_hold disabled",
)
_fields(
    "Customer",
    text="customer_name customer_group customer_type territory tax_id default_currency website "
    "payment_terms customer_primary_address customer_primary_contact email_id mobile_no",
    checks="is_frozen disabled",
)
_fields(
    "Address",
    text="address_line1 address_line2 city state pincode country",
    checks="is_primary_address disabled",
    timestamp="creation",
)
_fields(
    "Contact",
    text="full_name first_name last_name email_id mobile_no phone",
    checks="is_primary_contact",
    timestamp="creation",
)
_fields("Dynamic Link", text="parent parenttype link_doctype link_name")

# By field, for the schema's code to make; (modified, name) on each table and (parent, idx) on each
# child are its own.
# Orders are looked at by period, whatever they are sorted by. Numbers and due dates go up with the
# date, so a walk in their order may pass a million rows outside the period before the first
# inside; with the date behind the sorted columns the index alone passes them by.
INDEXES: dict[str, list[list[str]]] = {
    "Item": [["item_group", "name"]],
    "Bin": [["item_code", "warehouse"]],
    "Item Price": [["item_code"]],
    "Sales Order": [
        ["transaction_date", "name"],
        ["status", "transaction_date", "name"],
        ["customer", "transaction_date", "name"],
        ["name", "transaction_date"],
        ["delivery_date", "name", "transaction_date"],
        ["grand_total", "name", "transaction_date"],
    ],
    "Sales Order Item": [["item_code"]],
    "Purchase Order": [
        ["transaction_date", "name"],
        ["status", "transaction_date", "name"],
        ["supplier", "transaction_date", "name"],
        ["name", "transaction_date"],
        ["schedule_date", "name", "transaction_date"],
        ["grand_total", "name", "transaction_date"],
    ],
    "Dynamic Link": [["link_doctype", "link_name"]],
    "Stock Ledger Entry": [["item_code", "warehouse", "posting_date"]],
}


@dataclass(frozen=True, slots=True)
class TableColumn:
    name: str
    type: str  # as PostgreSQL names it
    collation: str


@dataclass(frozen=True, slots=True)
class MirroredTable:
    """A DocType's table as it is; its columns by field."""

    name: str
    columns: Mapping[str, TableColumn]


@dataclass(slots=True)
class Sources:
    """One connection's tables and settings, as the pieces that a view's query is written with.

    In a query `{b}` is the table of the alias b (see `using`), `{b_actual_qty}` that field in its
    right type, `{b_live}` what leaves deleted rows out, and `{zero_b_actual_qty}` a zero where the
    field is known and null where it is not. `{like_b_item_code}` follows a document's name that is
    compared with that field: the index on the field serves only its own collation.
    """

    schema: str
    tables: Mapping[str, MirroredTable]
    include_disabled: bool
    warehouse_filter: list[str]
    missing: set[str] = field(default_factory=set)
    safe_casts: set[str] = field(default_factory=set)
    aliases: dict[str, str] = field(default_factory=dict)

    def using(self, **aliases: str) -> None:
        self.aliases.update(aliases)

    def table(self, doctype: str) -> MirroredTable | None:
        table = self.tables.get(doctype)
        if table is None:
            self.missing.add(doctype)
            return None
        lost = [f"{doctype}.{key}" for key in KEYS.get(doctype, ()) if key not in table.columns]
        self.missing.update(lost)
        return None if lost else table

    def has(self, doctype: str, *fields: str) -> bool:
        table = self.table(doctype)
        if table is None:
            return False
        lost = [f"{doctype}.{name}" for name in fields if name not in table.columns]
        self.missing.update(lost)
        return not lost

    def query(self, template: str, **pieces: Composable) -> Composed:
        """The template with its places filled: by `pieces`, or as the class says."""
        names = {name for _, name, _, _ in Formatter().parse(template) if name}
        filled = {name: pieces.get(name) or self._piece(name) for name in names}
        # The templates are constants of this package; psycopg asks for literals only.
        return SQL(template).format(**filled)

    def _piece(self, name: str) -> Composable:
        alias, _, rest = name.partition("_")
        if alias in ("zero", "like"):
            what, (alias, _, rest) = alias, rest.partition("_")
            known = self.has(self.aliases[alias], rest)
            if what == "zero":
                return SQL("0::numeric") if known else SQL("null::numeric")
            return self._collation(self.aliases[alias], rest) if known else SQL("")
        doctype = self.aliases[alias]
        if not rest:
            return self._from(alias, doctype)
        if rest == "live":
            table = self.table(doctype)
            dropped = table is not None and "_deleted_at" in table.columns
            return (
                SQL("{}._deleted_at is null").format(Identifier(alias)) if dropped else SQL("true")
            )
        return self._column(alias, doctype, rest)

    def _from(self, alias: str, doctype: str) -> Composable:
        table = self.table(doctype)
        if table is None:
            return SQL("(select null::text as name where false) as {}").format(Identifier(alias))
        return SQL("{} as {}").format(Identifier(self.schema, table.name), Identifier(alias))

    def _column(self, alias: str, doctype: str, name: str) -> Composable:
        wanted = FIELDS[doctype][name]
        if not self.has(doctype, name):
            return SQL("null::{}").format(SQL("boolean" if wanted == "check" else wanted))
        column = self.tables[doctype].columns[name]
        found = Identifier(alias, column.name)
        if wanted == "check":
            if column.type == "boolean":
                return found
            return SQL("({} <> 0)").format(self._typed(found, column.type, "bigint"))
        return self._typed(found, column.type, wanted)

    def _collation(self, doctype: str, name: str) -> Composable:
        collation = self.tables[doctype].columns[name].collation
        return SQL("collate {}").format(Identifier(collation))

    def _typed(self, found: sql.Identifier, is_type: str, wanted: str) -> Composable:
        """A column that has its type already stays bare, so that its indexes work."""
        if is_type in _FITS[wanted]:
            return found
        if wanted == "text" or is_type in _CASTS_FROM.get(wanted, ()):
            return SQL("{}::{}").format(found, SQL(wanted))
        if is_type not in _TEXTS:
            found_text: Composable = SQL("{}::text").format(found)
        else:
            found_text = found
        self.safe_casts.add(wanted)
        return SQL("{}({})").format(Identifier(self.schema, f"{wanted}_or_null"), found_text)
