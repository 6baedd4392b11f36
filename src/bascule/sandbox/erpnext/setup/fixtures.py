"""What ERPNext's setup puts on every site; see erpnext/setup/setup_wizard."""

from typing import TYPE_CHECKING

from bascule.sandbox.core.database.tables import Row, Tables
from bascule.sandbox.core.fixtures import OF_APPS, REFERENCE, named
from bascule.sandbox.core.site import DEFAULTS

if TYPE_CHECKING:
    from bascule.sandbox.core.site import Site

REFERENCE.update(
    ("Designation", "Industry Type", "Market Segment", "Mode of Payment", "Incoterm"),
    ("Party Type", "Stock Entry Type", "Department", "Sales Person", "Project Type", "Task Type"),
    ("Activity Type", "Issue Type", "Issue Priority", "Sales Taxes and Charges Template"),
    ("Purchase Taxes and Charges Template", "Tax Category", "Item Tax Template"),
    ("Bank Account Type", "Terms and Conditions"),
)
# DocType -> (the field that names it, the names).
_NAMES: dict[str, tuple[str, str]] = {
    "Activity Type": (
        "activity_type",
        "Planning, Research, Proposal Writing, Execution, Communication",
    ),
    "Issue Priority": ("name", "Low, Medium, High"),
    "Lead Source": (
        "source_name",
        "Existing Customer, Reference, Advertisement, Cold Calling, Exhibition, Supplier Reference,"
        " Mass Mailing, Customer's Vendor, Campaign, Walk In",
    ),
    "Market Segment": ("market_segment", "Lower Income, Middle Income, Upper Income"),
    "Opportunity Type": ("name", "Sales, Support, Maintenance"),
    "Print Heading": ("print_heading", "Credit Note, Debit Note"),
    "Project Type": ("project_type", "Internal, External, Other"),
    "Stock Entry Type": (
        "name",
        "Material Issue, Material Receipt, Material Transfer, Manufacture, Repack,"
        " Material Transfer for Manufacture, Material Consumption for Manufacture,"
        " Send to Subcontractor",
    ),
}
_PAYMENTS = {"Cheque": "Bank", "Cash": "Cash", "Credit Card": "Bank", "Wire Transfer": "Bank"}
_PAYMENTS["Bank Draft"] = "Bank"


def _of_every_site(site: "Site") -> dict[str, list[Row]]:
    found = named(_NAMES)
    if "Lead Source" not in site.schema:  # since version 16 they are of campaigns of any kind
        found["UTM Source"] = [{"name": row["name"]} for row in found.pop("Lead Source")]
    for row in found["Stock Entry Type"]:
        row["purpose"] = row["name"]
    found["Mode of Payment"] = [
        {"name": name, "mode_of_payment": name, "type": kind, "enabled": 1}
        for name, kind in _PAYMENTS.items()
    ]
    found["Sales Person"] = [
        {"name": "Sales Team", "sales_person_name": "Sales Team", "is_group": 1, "enabled": 1}
        | {"lft": 1, "rgt": 2}
    ]
    return found


OF_APPS.append(_of_every_site)


def _defaults(tables: Tables) -> Row:
    """Of the first company, and of the Stock Settings that ERPNext's setup makes."""
    defaults: Row = {}
    companies = tables.rows("Company", "`creation`")
    if companies:
        company = companies[0]
        defaults = {"company": company["name"], "currency": company["default_currency"]}
        defaults["country"] = company["country"]
    if tables.value("UOM", "Nos", "name") is not None:
        defaults["stock_uom"] = "Nos"
    if stores := tables.rows("Warehouse", warehouse_name="Stores"):
        defaults["default_warehouse"] = stores[0]["name"]
    return defaults


DEFAULTS.append(_defaults)
