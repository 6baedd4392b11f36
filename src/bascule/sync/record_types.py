"""The record types there are. A new one is an entry here: fields and where each lives."""

from bascule.errors import NoSuch
from bascule.sync.fields import Field, Part, Place, RecordType

MAIN: Part = "main"
ADDRESS: Part = "address"
CONTACT: Part = "contact"


def _party() -> tuple[Field, ...]:
    """What customers and suppliers share: an address, a contact, and whether they are active."""
    return (
        Field("contactPerson", "Contact person", Place(CONTACT, "first_name"),
              conversion="person_name", group="contact"),
        Field("companyName", "Company name", Place(CONTACT, "company_name"),
              help="The company that the contact is of.", group="contact"),
        Field("email", "E-mail", Place(CONTACT, "email_id", "email_ids", (("is_primary", 1),)),
              kind="email", group="contact"),
        Field("phone", "Phone",
              Place(CONTACT, "phone", "phone_nos", (("is_primary_mobile_no", 1),)),
              kind="phone", group="contact"),
        Field("address", "Address", Place(ADDRESS, "address_line1"), group="address"),
        Field("city", "City", Place(ADDRESS, "city"), group="address"),
        Field("state", "State", Place(ADDRESS, "state"), group="address"),
        Field("postalCode", "Postal code", Place(ADDRESS, "pincode"), group="address"),
        Field("country", "Country", Place(ADDRESS, "country"), default="Saudi Arabia",
              group="address"),
        Field("website", "Website", Place(MAIN, "website"), kind="url"),
        Field("taxNumber", "Tax number", Place(MAIN, "tax_id")),
        Field("vatNumber", "VAT number", Place(MAIN, "gstin"),
              help="Goes to the field gstin, where the site has one; else to the field you pick."),
        Field("language", "Language", Place(MAIN, "language"), default="en"),
        Field("active", "Active", Place(MAIN, "disabled"), kind="flag", default=True,
              conversion="inverted"),
    )  # fmt: skip


def _terms() -> tuple[Field, ...]:
    """On what terms one buys or sells: both are names of documents that the site has."""
    return (
        Field("currency", "Currency", Place(MAIN, "default_currency"),
              help="Of bills, such as EUR. ERPNext refuses another one once there are bills.",
              group="terms"),
        Field("paymentTerms", "Payment terms", Place(MAIN, "payment_terms"),
              help="The name of a Payment Terms Template of the site.", group="terms"),
    )  # fmt: skip


CUSTOMER = RecordType(
    name="customer",
    plural="customers",
    label="Customers",
    doctype="Customer",
    prefix="customer",
    title="name",
    tax="taxNumber",
    email="email",
    numbers_doubles=True,
    fields=(
        Field("name", "Name", Place(MAIN, "customer_name"), required=True),
        *_party(),
        Field("creditLimit", "Credit limit",
              Place(MAIN, "credit_limit", "credit_limits", (("company", "$company"),)),
              kind="number", help="For one company of the site.", group="terms"),
        Field("customerGroup", "Customer group", Place(MAIN, "customer_group"),
              default="Individual", group="terms"),
        Field("customerType", "Customer type", Place(MAIN, "customer_type"), default="Company",
              group="terms"),
        Field("territory", "Territory", Place(MAIN, "territory"), default="All Territories",
              group="terms"),
        *_terms(),
    ),
    shows_address=True,
    saves_parts_since=16,
)  # fmt: skip

SUPPLIER = RecordType(
    name="supplier",
    plural="suppliers",
    label="Suppliers",
    doctype="Supplier",
    prefix="supplier",
    title="name",
    tax="taxNumber",
    email="email",
    numbers_doubles=False,
    fields=(
        Field("name", "Name", Place(MAIN, "supplier_name"), required=True),
        *_party(),
        Field("supplierGroup", "Supplier group", Place(MAIN, "supplier_group"),
              default="All Supplier Groups", group="terms"),
        Field("supplierType", "Supplier type", Place(MAIN, "supplier_type"), default="Company",
              group="terms"),
        Field("supplierCountry", "Supplier's country", Place(MAIN, "country"), group="terms",
              help="Of the supplier itself; the one of its address is beside that."),
        *_terms(),
    ),
)  # fmt: skip

RECORD_TYPES: dict[str, RecordType] = {one.name: one for one in (CUSTOMER, SUPPLIER)}


def record_type(name: str) -> RecordType:
    """By its name or its plural."""
    for one in RECORD_TYPES.values():
        if name in (one.name, one.plural):
            return one
    known = ", ".join(one.plural for one in RECORD_TYPES.values())
    raise NoSuch(f"There are no records called {name!r}.", next_step=f"There are: {known}.")
