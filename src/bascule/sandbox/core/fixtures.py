"""What the setup of Frappe and ERPNext puts on every site, where a snapshot does not bring it."""

from typing import TYPE_CHECKING

from bascule.sandbox.core.access.permissions import AUTOMATIC
from bascule.sandbox.core.database.tables import Row

if TYPE_CHECKING:
    from bascule.sandbox.core.site import Site

# DocType -> (the field that names it, the names); see erpnext/setup/setup_wizard.
_NAMES: dict[str, tuple[str, str]] = {
    "Activity Type": (
        "activity_type",
        "Planning, Research, Proposal Writing, Execution, Communication",
    ),
    "Gender": (
        "gender",
        "Male, Female, Other, Transgender, Genderqueer, Non-Conforming, Prefer not to say",
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
    "Salutation": ("salutation", "Mr, Ms, Mx, Dr, Mrs, Madam, Miss, Master, Prof"),
    "Stock Entry Type": (
        "name",
        "Material Issue, Material Receipt, Material Transfer, Manufacture, Repack,"
        " Material Transfer for Manufacture, Material Consumption for Manufacture,"
        " Send to Subcontractor",
    ),
}
_PAYMENTS = {"Cheque": "Bank", "Cash": "Cash", "Credit Card": "Bank", "Wire Transfer": "Bank"}
_PAYMENTS["Bank Draft"] = "Bank"


def of_every_site(site: "Site") -> dict[str, list[Row]]:
    """DocType -> its documents without stamps; of purposes and types what tells them apart."""
    found: dict[str, list[Row]] = {
        doctype: [{"name": name, field: name} for name in names.split(", ")]
        for doctype, (field, names) in _NAMES.items()
    }
    if "Lead Source" not in site.schema:  # since version 16 they are of campaigns of any kind
        found["UTM Source"] = [{"name": row["name"]} for row in found.pop("Lead Source")]
    for row in found["Stock Entry Type"]:
        row["purpose"] = row["name"]
    found["Mode of Payment"] = [
        {"name": name, "mode_of_payment": name, "type": kind, "enabled": 1}
        for name, kind in _PAYMENTS.items()
    ]
    roles = {row["role"] for doctype in site.schema for row in doctype.permissions}
    roles |= {role for user in site.users.values() for role in user.roles} | AUTOMATIC
    found["Role"] = [
        {"name": role, "role_name": role, "desk_access": int(role not in ("Guest", "All"))}
        for role in sorted(roles)
    ]
    modules = {str(doctype.definition.get("module") or "") for doctype in site.schema} - {""}
    found["Module Def"] = [{"name": one, "module_name": one} for one in sorted(modules)]
    found["File"] = [
        {"name": "Home", "file_name": "Home", "is_folder": 1},
        {"name": "Home/Attachments", "file_name": "Attachments", "is_folder": 1, "folder": "Home"},
    ]
    found["Sales Person"] = [
        {"name": "Sales Team", "sales_person_name": "Sales Team", "is_group": 1, "enabled": 1}
        | {"lft": 1, "rgt": 2}
    ]
    return found
