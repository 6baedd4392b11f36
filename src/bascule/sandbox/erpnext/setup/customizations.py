"""The Custom Fields and Property Setters that ERPNext makes on every site."""

from bascule.sandbox.core.doctypes.customization import OWN_FIELDS, OWN_SETTERS

OWN_FIELDS |= {
    "Address": [
        ("tax_category", "Link", "Tax Category", "fax"),
        ("is_your_company_address", "Check", None, "linked_with"),
    ],
    "Contact": [("is_billing_contact", "Check", None, "is_primary_contact")],
}
# Documents that get a name by themselves hide their series; of an Item the code is asked instead.
_HIDDEN = [("naming_series", "reqd", "0"), ("naming_series", "hidden", "1")]
OWN_SETTERS |= {
    "Customer": _HIDDEN,
    "Supplier": _HIDDEN,
    "Item": [*_HIDDEN, ("item_code", "hidden", "0"), ("item_code", "reqd", "1")],
}
