"""What ERPNext changes besides the document that was saved: which documents to fetch after which.

These changes send no event, and many do not move `modified`.

Read off ERPNext 15.90: its `db_set` and `set_value` with `update_modified=False`, its SQL updates
(`status_updater`, `qb.update`, raw ones) and `db_update` of documents that were not saved.
"""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SideEffect:
    """A saved document changes documents of the DocType `to`.

    - `named` are the fields that identify those documents: fields of the child DocType `rows`, or
      of the saved document itself where `rows` is empty.
    - `by` are the fields of `to` that hold the same values, or fields of its child DocType `held`.
    - `when` is a field and the value that it must have, for Dynamic Links.
    - `after` is a field in which the changed document is later, where both are of one DocType.
    - `stamped`: ERPNext moves `modified` too, so an incremental pull finds the change anyway.
    """

    to: str
    named: tuple[str, ...]
    rows: str = ""
    by: tuple[str, ...] = ("name",)
    held: str = ""
    when: tuple[str, str] | None = None
    after: str = ""
    stamped: bool = False


def _named(to: str, rows: str, *fields: str, stamped: bool = False) -> tuple[SideEffect, ...]:
    """Each of these fields is a Link to a document that changes."""
    return tuple(SideEffect(to, (field,), rows, stamped=stamped) for field in fields)


def _either(
    doctypes: Iterable[str], rows: str, kind: str, field: str, *, stamped: bool = False
) -> tuple[SideEffect, ...]:
    """A Dynamic Link: `kind` holds one of these DocTypes, `field` the name."""
    return tuple(
        SideEffect(to, (field,), rows, when=(kind, to), stamped=stamped) for to in doctypes
    )


def _bins(rows: str, *warehouses: str, item: str = "item_code") -> tuple[SideEffect, ...]:
    """The Bins of an item in the warehouses that these fields name."""
    by = ("item_code", "warehouse")
    return tuple(SideEffect("Bin", (item, place), rows, by, stamped=True) for place in warehouses)


def _with(to: str, rows: str, *fields: str, by: str = "", held: str = "") -> SideEffect:
    """Documents of `to` with the same values: in the fields `by` (or the same), in rows `held`."""
    return SideEffect(to, fields, rows, tuple(by.split()) or fields, held)


_INVOICES = ("Sales Invoice", "Purchase Invoice")
_ORDERS = ("Sales Order", "Purchase Order")
_PAID = (*_INVOICES, *_ORDERS, "Journal Entry", "Payment Entry", "Dunning")
_VOUCHERS_OF_STOCK = (
    *("Delivery Note", "Purchase Receipt", "Stock Entry", "Sales Invoice", "Purchase Invoice"),
    *("Stock Reconciliation", "Subcontracting Receipt", "Asset Capitalization", "Asset Repair"),
)
_VOUCHER = ("voucher_type", "voucher_no")

SIDE_EFFECTS: dict[str, tuple[SideEffect, ...]] = {
    # Selling
    "Quotation": (
        *_named("Opportunity", "", "opportunity"),
        *_either(("Lead", "Prospect"), "", "quotation_to", "party_name"),
        *_either(("Opportunity",), "Quotation Item", "prevdoc_doctype", "prevdoc_docname"),
    ),
    "Sales Order": (
        *_bins("Sales Order Item", "warehouse"),
        *_bins("Packed Item", "warehouse"),
        *_named("Quotation", "Sales Order Item", "prevdoc_docname"),
        *_named("Blanket Order", "Sales Order Item", "blanket_order"),
        *_named("Project", "", "project"),
        _with("Stock Reservation Entry", "", "name", by="voucher_no"),
    ),
    "Delivery Note": (
        *_bins("Delivery Note Item", "warehouse", "target_warehouse"),
        *_bins("Packed Item", "warehouse", "target_warehouse"),
        *_named("Sales Order", "Delivery Note Item", "against_sales_order"),
        *_named("Sales Invoice", "Delivery Note Item", "against_sales_invoice"),
        *_named("Pick List", "Delivery Note Item", "against_pick_list"),
        *_named("Delivery Note", "", "return_against"),
        _with("Delivery Note", "Delivery Note Item", "so_detail", held="Delivery Note Item"),
        _with(
            "Stock Reservation Entry",
            "Delivery Note Item",
            "against_sales_order",
            by="voucher_no",
        ),
    ),
    "Installation Note": _named("Delivery Note", "Installation Note Item", "prevdoc_docname"),
    "Packing Slip": _named("Delivery Note", "", "delivery_note"),
    "Customer": (*_named("Lead", "", "lead_name"), *_named("Opportunity", "", "opportunity_name")),
    # Accounts
    "Sales Invoice": (
        *_bins("Sales Invoice Item", "warehouse", "target_warehouse"),
        *_bins("Packed Item", "warehouse"),
        *_named("Sales Order", "Sales Invoice Item", "sales_order"),
        *_named("Delivery Note", "Sales Invoice Item", "delivery_note"),
        _with("Delivery Note", "Sales Invoice Item", "so_detail", held="Delivery Note Item"),
        *_named("Sales Invoice", "", "return_against"),
        *_named("Purchase Invoice", "", "inter_company_invoice_reference", stamped=True),
        *_either(
            ("Payment Entry", "Journal Entry"),
            "Sales Invoice Advance",
            "reference_type",
            "reference_name",
        ),
        *_named("Timesheet", "Sales Invoice Timesheet", "time_sheet"),
        *_named("Project", "", "project"),
        *_named("Project", "Sales Invoice Item", "project"),
        *_named("Asset", "Sales Invoice Item", "asset"),
        *_named("Customer", "", "customer", stamped=True),
        *_named("Company", "", "company", stamped=True),
        _with("Dunning", "", "name", by="sales_invoice", held="Overdue Payment"),
        _with("POS Invoice", "", "name", by="consolidated_invoice"),
    ),
    "POS Invoice": (
        *_bins("POS Invoice Item", "warehouse"),
        *_named("POS Invoice", "", "return_against"),
    ),
    "Purchase Invoice": (
        *_bins("Purchase Invoice Item", "warehouse", "rejected_warehouse", "from_warehouse"),
        *_named("Purchase Order", "Purchase Invoice Item", "purchase_order"),
        *_named("Purchase Receipt", "Purchase Invoice Item", "purchase_receipt"),
        _with(
            "Purchase Receipt",
            "Purchase Invoice Item",
            "po_detail",
            by="purchase_order_item",
            held="Purchase Receipt Item",
        ),
        *_named("Material Request", "Purchase Invoice Item", "material_request"),
        *_named("Purchase Invoice", "", "return_against"),
        *_named("Sales Invoice", "", "inter_company_invoice_reference", stamped=True),
        *_either(
            ("Payment Entry", "Journal Entry"),
            "Purchase Invoice Advance",
            "reference_type",
            "reference_name",
        ),
        *_named("Item", "Purchase Invoice Item", "item_code", stamped=True),
        *_named("Project", "Purchase Invoice Item", "project"),
        *_named("Project", "", "project"),
        _with("Asset", "", "name", by="purchase_invoice"),
    ),
    "Payment Entry": (
        *_either(_PAID, "Payment Entry Reference", "reference_doctype", "reference_name"),
        *_named("Payment Request", "Payment Entry Reference", "payment_request"),
    ),
    "Journal Entry": (
        *_either(
            (*_PAID, "Asset", "Payment Request", "Invoice Discounting"),
            "Journal Entry Account",
            "reference_type",
            "reference_name",
        ),
        _with("Asset Value Adjustment", "", "name", by="journal_entry"),
        *_named("Journal Entry", "", "inter_company_journal_entry_reference", stamped=True),
    ),
    "Payment Request": _either((*_INVOICES, *_ORDERS), "", "reference_doctype", "reference_name"),
    "Payment Order": (
        *_named("Payment Request", "Payment Order Reference", "payment_request"),
        *_either(
            ("Payment Entry",), "Payment Order Reference", "reference_doctype", "reference_name"
        ),
    ),
    "Unreconcile Payment": (
        *_either(("Payment Entry", "Journal Entry"), "", *_VOUCHER),
        *_either(_PAID, "Unreconcile Payment Entries", "reference_doctype", "reference_name"),
    ),
    "Invoice Discounting": _named("Sales Invoice", "Discounted Invoice", "sales_invoice"),
    "Bank Transaction": _either(
        ("Payment Entry", "Journal Entry", *_INVOICES),
        "Bank Transaction Payments",
        "payment_document",
        "payment_entry",
    ),
    # The ledgers: what they settle, and rows of the same voucher, which are made anew or renamed.
    "GL Entry": (
        *_either(_INVOICES, "", "against_voucher_type", "against_voucher", stamped=True),
        _with("GL Entry", "", *_VOUCHER),
    ),
    "Payment Ledger Entry": (
        *_either(_INVOICES, "", "against_voucher_type", "against_voucher_no", stamped=True),
        _with("Payment Ledger Entry", "", *_VOUCHER),
    ),
    "Advance Payment Ledger Entry": _either(
        _ORDERS, "", "against_voucher_type", "against_voucher_no"
    ),
    "Stock Ledger Entry": (
        *_bins("", "warehouse"),
        *_either(_VOUCHERS_OF_STOCK, "", *_VOUCHER),
        *_named("Serial and Batch Bundle", "", "serial_and_batch_bundle"),
        _with("Stock Ledger Entry", "", *_VOUCHER),
        SideEffect(  # A back-dated one moves the balance of all that follow.
            "Stock Ledger Entry",
            ("item_code", "warehouse"),
            by=("item_code", "warehouse"),
            after="posting_datetime",
        ),
    ),
    "Repost Item Valuation": (
        *_either(_VOUCHERS_OF_STOCK, "", *_VOUCHER),
        _with("Stock Ledger Entry", "", *_VOUCHER),
        _with("Stock Ledger Entry", "", "item_code", "warehouse"),
        _with("GL Entry", "", *_VOUCHER),
    ),
    "Repost Accounting Ledger": (
        _with("GL Entry", "Repost Accounting Ledger Items", *_VOUCHER),
        _with("Payment Ledger Entry", "Repost Accounting Ledger Items", *_VOUCHER),
    ),
    "Repost Payment Ledger": (
        _with("Payment Ledger Entry", "Repost Payment Ledger Items", *_VOUCHER),
        *_either(_INVOICES, "Repost Payment Ledger Items", *_VOUCHER),
    ),
    # Buying
    "Purchase Order": (
        *_bins("Purchase Order Item", "warehouse", "from_warehouse"),
        *_bins("Purchase Order Item Supplied", "reserve_warehouse", item="rm_item_code"),
        *_named("Material Request", "Purchase Order Item", "material_request"),
        *_named("Sales Order", "Purchase Order Item", "sales_order"),
        *_named("Blanket Order", "Purchase Order Item", "blanket_order"),
        *_named("Production Plan", "Purchase Order Item", "production_plan"),
        *_named("Item", "Purchase Order Item", "item_code", stamped=True),
    ),
    "Purchase Receipt": (
        *_bins("Purchase Receipt Item", "warehouse", "rejected_warehouse", "from_warehouse"),
        *_named("Purchase Order", "Purchase Receipt Item", "purchase_order"),
        *_named("Material Request", "Purchase Receipt Item", "material_request"),
        *_named("Purchase Invoice", "Purchase Receipt Item", "purchase_invoice"),
        *_named("Sales Order", "Purchase Receipt Item", "sales_order"),
        *_named("Delivery Note", "", "inter_company_reference"),
        *_named("Purchase Receipt", "", "return_against"),
        _with(
            "Purchase Receipt",
            "Purchase Receipt Item",
            "purchase_order_item",
            held="Purchase Receipt Item",
        ),
        *_named("Item", "Purchase Receipt Item", "item_code", stamped=True),
        *_named("Project", "Purchase Receipt Item", "project"),
        _with("Asset", "", "name", by="purchase_receipt"),
    ),
    "Supplier Quotation": _named(
        "Request for Quotation", "Supplier Quotation Item", "request_for_quotation"
    ),
    "Supplier Scorecard": _named("Supplier", "", "supplier", stamped=True),
    # Stock
    "Item": (
        _with("Item Price", "", "name", by="item_code"),
        _with("Bin", "", "name", by="item_code"),
        _with("BOM", "", "name", by="item"),
        _with("BOM", "", "name", by="item_code", held="BOM Item"),
        _with("BOM", "", "name", by="item_code", held="BOM Explosion Item"),
    ),
    "Item Attribute": (_with("Item", "", "name", by="attribute", held="Item Variant Attribute"),),
    "Item Manufacturer": _named("Item", "", "item_code", stamped=True),
    "Price List": (_with("Item Price", "", "name", by="price_list"),),
    "Stock Entry": (
        *_bins("Stock Entry Detail", "s_warehouse", "t_warehouse"),
        *_named("Work Order", "", "work_order"),
        *_named("Job Card", "", "job_card"),
        *_named("Pick List", "", "pick_list"),
        *_named("Purchase Order", "", "purchase_order"),
        *_named("Subcontracting Order", "", "subcontracting_order"),
        *_named("Project", "", "project"),
        *_named("Stock Entry", "", "outgoing_stock_entry"),
        *_named("Stock Entry", "Stock Entry Detail", "against_stock_entry"),
        *_named("Material Request", "Stock Entry Detail", "material_request"),
    ),
    "Stock Reconciliation": _bins("Stock Reconciliation Item", "warehouse"),
    "Material Request": (
        *_bins("Material Request Item", "warehouse", "from_warehouse"),
        *_named("Sales Order", "Material Request Item", "sales_order"),
        *_named("Production Plan", "Material Request Item", "production_plan"),
    ),
    "Pick List": (
        *_named("Sales Order", "Pick List Item", "sales_order"),
        *_named("Material Request", "Pick List Item", "material_request"),
        *_named("Work Order", "", "work_order"),
        *_named("Serial and Batch Bundle", "Pick List Item", "serial_and_batch_bundle"),
    ),
    "Landed Cost Voucher": _either(
        ("Purchase Receipt", "Purchase Invoice", "Stock Entry", "Subcontracting Receipt"),
        "Landed Cost Purchase Receipt",
        "receipt_document_type",
        "receipt_document",
    ),
    "Quality Inspection": _either(
        (*_VOUCHERS_OF_STOCK, "Job Card"), "", "reference_type", "reference_name"
    ),
    "Serial and Batch Bundle": (
        *_named("Serial No", "Serial and Batch Entry", "serial_no"),
        *_named("Batch", "Serial and Batch Entry", "batch_no"),
        *_either(_VOUCHERS_OF_STOCK, "", *_VOUCHER),
        _with("Stock Ledger Entry", "", "name", by="serial_and_batch_bundle"),
    ),
    "Stock Reservation Entry": (
        *_bins("", "warehouse"),
        *_either(("Sales Order", "Work Order", "Production Plan"), "", *_VOUCHER),
        *_either(
            ("Pick List", "Purchase Receipt", "Stock Entry"),
            "",
            "from_voucher_type",
            "from_voucher_no",
        ),
    ),
    # Manufacturing and subcontracting
    "Work Order": (
        *_bins("", "fg_warehouse", item="production_item"),
        *_bins("Work Order Item", "source_warehouse"),
        *_named("Sales Order", "", "sales_order"),
        *_named("Material Request", "", "material_request"),
        *_named("Production Plan", "", "production_plan"),
    ),
    "Job Card": (
        *_named("Work Order", "", "work_order"),
        *_named("Workstation", "", "workstation"),
        *_named("Job Card", "", "for_job_card"),
    ),
    "Production Plan": (
        *_bins("Material Request Plan Item", "warehouse"),
        *_named("Sales Order", "Production Plan Item", "sales_order"),
        *_named("Material Request", "Production Plan Material Request", "material_request"),
    ),
    "BOM": (
        *_named("Item", "", "item", stamped=True),
        _with("BOM", "", "name", by="bom_no", held="BOM Item"),
    ),
    "BOM Update Log": (
        _with("BOM", "", "new_bom", by="bom_no", held="BOM Item"),
        *_named("BOM", "", "new_bom", "current_bom"),
    ),
    "Workstation": (_with("BOM", "", "name", by="workstation", held="BOM Operation"),),
    "Subcontracting Order": (
        *_bins("Subcontracting Order Item", "warehouse"),
        *_bins("Subcontracting Order Supplied Item", "reserve_warehouse", item="rm_item_code"),
        *_named("Purchase Order", "", "purchase_order"),
        *_named("Material Request", "Subcontracting Order Item", "material_request"),
    ),
    "Subcontracting Receipt": (
        *_bins("Subcontracting Receipt Item", "warehouse", "rejected_warehouse"),
        *_named("Subcontracting Order", "Subcontracting Receipt Item", "subcontracting_order"),
        *_named("Purchase Order", "Subcontracting Receipt Item", "purchase_order"),
        *_named("Subcontracting Receipt", "", "return_against"),
    ),
    # Projects, CRM, assets
    "Task": (
        *_named("Project", "", "project"),
        *_named("Task", "", "parent_task"),
        _with("Task", "", "name", by="task", held="Task Depends On"),
    ),
    "Timesheet": (
        *_named("Task", "Timesheet Detail", "task"),
        *_named("Project", "Timesheet Detail", "project"),
        *_named("Project", "", "parent_project"),
    ),
    "Project": (
        *_named("Sales Order", "", "sales_order", stamped=True),
        _with("Task", "", "name", by="project"),
    ),
    "Opportunity": _either(("Lead", "Prospect"), "", "opportunity_from", "party_name"),
    "Address": (_with("Customer", "", "name", by="customer_primary_address"),),
    "Asset Movement": _named("Asset", "Asset Movement Item", "asset"),
    "Asset Repair": (
        *_named("Asset", "", "asset"),
        _with("Asset Depreciation Schedule", "", "asset"),
    ),
    "Asset Value Adjustment": (
        *_named("Asset", "", "asset"),
        _with("Asset Depreciation Schedule", "", "asset"),
    ),
    "Asset Capitalization": _named("Asset", "Asset Capitalization Asset Item", "asset"),
    "Asset Depreciation Schedule": _named("Asset", "", "asset"),
    "Maintenance Visit": _either(
        ("Warranty Claim", "Maintenance Schedule"),
        "Maintenance Visit Purpose",
        "prevdoc_doctype",
        "prevdoc_docname",
    ),
}

# A Webhook on the first never fires; the second is saved with each change of it.
WITHOUT_EVENTS = {"Bin": "Stock Ledger Entry"}
MADE_BY_SQL = frozenset({"Bin", "Serial No", "Batch"})
# Changed by SQL, some with `modified`: a change is no proof that a webhook was due.
AFFECTED = frozenset(effect.to for effects in SIDE_EFFECTS.values() for effect in effects)


def affected_doctypes(doctypes: Iterable[str]) -> set[str]:
    """The DocTypes whose documents change when documents of these are saved."""
    return {effect.to for doctype in doctypes for effect in SIDE_EFFECTS.get(doctype, ())}
