"""Which DocTypes an editor may add to a mirror that all share: an allowed list.

Everybody who signs in reads a shared mirror, while the site's own user may be one who reads
everything. So what an editor adds is what trade is made of, of which nobody is surprised; others,
of people, mail and what somebody made themselves, are an admin's to share.
"""

from collections.abc import Iterable

from bascule.accounts.tables import User
from bascule.connections.sharing import who_decides
from bascule.connections.tables import Connection
from bascule.errors import Forbidden
from bascule.mirror.streams.presets import PRESET_OF

# By ERPNext's modules: Setup, Stock, Selling and CRM, Buying, Accounts, Manufacturing, Projects.
_NAMES = """
Company, Currency, Currency Exchange, Country, UOM, UOM Conversion Factor, Brand, Item Group,
Customer Group, Supplier Group, Territory, Sales Person, Sales Partner, Industry Type,
Market Segment, Terms and Conditions, Incoterm;
Batch, Serial No, Serial and Batch Bundle, Item Attribute, Item Manufacturer, Item Alternative,
Item Barcode, Manufacturer, Price List, Pricing Rule, Product Bundle, Warehouse Type, Stock Entry
Type, Stock Reconciliation, Stock Reservation Entry, Material Request, Pick List, Delivery Note,
Delivery Trip, Shipment, Packing Slip, Purchase Receipt, Landed Cost Voucher, Putaway Rule,
Quality Inspection, Item Variant Settings, Inventory Dimension;
Quotation, Blanket Order, Installation Note, Lead, Lead Source, Opportunity, Opportunity Type,
Sales Stage, Campaign, Prospect;
Request for Quotation, Supplier Quotation, Supplier Scorecard;
Sales Invoice, Purchase Invoice, Payment Terms Template, Payment Term, Mode of Payment,
Sales Taxes and Charges Template, Purchase Taxes and Charges Template, Item Tax Template,
Tax Category, Tax Rule, Shipping Rule, Cost Center, Fiscal Year, POS Invoice, POS Profile,
Promotional Scheme, Coupon Code, Subscription, Subscription Plan;
BOM, Work Order, Job Card, Operation, Workstation, Production Plan, Routing, Subcontracting Order,
Subcontracting Receipt, Subcontracting BOM;
Project, Project Type, Task, Task Type, Activity Type
"""
EVERYDAY = frozenset(
    " ".join(name.split()) for part in _NAMES.split(";") for name in part.split(",")
) | frozenset(PRESET_OF)


def refuse_doctypes(by: User | None, connection: Connection, doctypes: Iterable[str]) -> None:
    """Forbidden where somebody brings a DocType of these before all who is not to decide that."""
    if by is None or by.may(who_decides(connection)):
        return
    if strange := sorted(set(doctypes) - EVERYDAY):
        raise Forbidden(
            f"Only an admin may bring {', '.join(strange)} into a mirror that all share.",
            next_step="Ask an admin to do it, or mirror it in a connection of your own.",
        )
