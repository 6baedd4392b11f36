"""Suppliers and customers. A customer comes with its primary address and contact."""

from psycopg.sql import SQL, Composable, Composed

from bascule.mirror.views.sources import Sources
from bascule.mirror.views.view import define

_SUPPLIERS = """
select x.name as supplier_id,
       {x_supplier_name} as supplier_name,
       {x_supplier_group} as supplier_group,
       {x_supplier_type} as supplier_type,
       {x_country} as country,
       {x_tax_id} as tax_id,
       {x_payment_terms} as payment_terms,
       {x_default_currency} as currency,
       {x_on_hold} as on_hold,
       not {x_disabled} as is_active
  from {x}
 where {x_live} and {shown}"""

_CUSTOMERS = """
select x.name as customer_id,
       {x_customer_name} as customer_name,
       {x_customer_group} as customer_group,
       {x_customer_type} as customer_type,
       {x_territory} as territory,
       {x_tax_id} as tax_id,
       {x_default_currency} as currency,
       {x_payment_terms} as payment_terms,
       {x_website} as website,
       coalesce(nullif(contact.full_name, ''),
                nullif(concat_ws(' ', nullif(contact.first_name, ''),
                                 nullif(contact.last_name, '')), '')) as contact_name,
       coalesce(nullif(contact.email_id, ''), {x_email_id}) as email,
       coalesce(nullif(contact.mobile_no, ''), nullif(contact.phone, ''), {x_mobile_no}) as phone,
       address.address_line1,
       address.address_line2,
       address.city,
       address.state,
       address.pincode as postal_code,
       address.country,
       {x_is_frozen} as is_frozen,
       not {x_disabled} as is_active
  from {x}
left join lateral (
    select {a_address_line1} as address_line1, {a_address_line2} as address_line2, {a_city} as city,
           {a_state} as state, {a_pincode} as pincode, {a_country} as country
      from {a}
     where a.name = coalesce(nullif({x_customer_primary_address}, ''), {linked_address})
       and {a_live}
) as address on true
left join lateral (
    select {c_full_name} as full_name, {c_first_name} as first_name, {c_last_name} as last_name,
           {c_email_id} as email_id, {c_mobile_no} as mobile_no, {c_phone} as phone
      from {c}
     where c.name = coalesce(nullif({x_customer_primary_contact}, ''), {linked_contact})
       and {c_live}
) as contact on true
 where {x_live} and {shown}"""

# Where the customer names none: the one linked to it, and of several the one marked primary.
_LINKED = """
(select d.name from {l} join {d} on d.name = {l_parent}
  where {l_link_doctype} = 'Customer' and {l_link_name} = x.name {like_l_link_name}
    and {l_parenttype} = '%(doctype)s'
    and {l_live} and {d_live} and %(usable)s
  order by {d_%(primary)s} desc nulls last, {d_creation}, d.name
  limit 1)"""


def _shown(s: Sources) -> Composable:
    return SQL("true") if s.include_disabled else s.query("{x_disabled} is not true")


def _suppliers(s: Sources) -> Composed:
    s.using(x="Supplier")
    return s.query(_SUPPLIERS, shown=_shown(s))


def _linked(s: Sources, doctype: str, primary: str, usable: str) -> Composed:
    s.using(l="Dynamic Link", d=doctype)
    return s.query(_LINKED % {"doctype": doctype, "primary": primary, "usable": usable})


def _customers(s: Sources) -> Composed:
    s.using(x="Customer", a="Address", c="Contact")
    return s.query(
        _CUSTOMERS,
        shown=_shown(s),
        linked_address=_linked(s, "Address", "is_primary_address", "{d_disabled} is not true"),
        linked_contact=_linked(s, "Contact", "is_primary_contact", "true"),
    )


define(
    "suppliers",
    "One row a supplier.",
    ("supplier_id",),
    _suppliers,
    [
        ("supplier_id", "text", "The supplier", "Supplier.name"),
        ("supplier_name", "text", "Its name", "Supplier.supplier_name"),
        ("supplier_group", "text", "Its group", "Supplier.supplier_group"),
        ("supplier_type", "text", "Company, Individual, ...", "Supplier.supplier_type"),
        ("country", "text", "Its country", "Supplier.country"),
        ("tax_id", "text", "Its tax number", "Supplier.tax_id"),
        ("payment_terms", "text", "The template of its terms", "Supplier.payment_terms"),
        ("currency", "text", "Billing currency, if not the company's", "Supplier.default_currency"),
        (
            "on_hold",
            "boolean",
            "Whether it is blocked, until a release date or for good",
            "Supplier.on_hold",
        ),
        ("is_active", "boolean", "Whether it may be used", "Supplier.disabled is not set"),
    ],
)

define(
    "customers",
    "One row a customer, with its primary address and contact.",
    ("customer_id",),
    _customers,
    [
        ("customer_id", "text", "The customer", "Customer.name"),
        ("customer_name", "text", "Its name", "Customer.customer_name"),
        ("customer_group", "text", "Its group", "Customer.customer_group"),
        ("customer_type", "text", "Company, Individual, ...", "Customer.customer_type"),
        ("territory", "text", "Its territory", "Customer.territory"),
        ("tax_id", "text", "Its tax number", "Customer.tax_id"),
        ("currency", "text", "Billing currency, if not the company's", "Customer.default_currency"),
        ("payment_terms", "text", "The template of its terms", "Customer.payment_terms"),
        ("website", "text", "Its website", "Customer.website"),
        (
            "contact_name",
            "text",
            "Whom to speak to",
            "Contact.full_name, or its first and last name; the Contact is "
            "Customer.customer_primary_contact, else one linked by Dynamic Link (primary first)",
        ),
        ("email", "text", "Where to write", "Contact.email_id, else Customer.email_id"),
        (
            "phone",
            "text",
            "Where to call",
            "Contact.mobile_no, Contact.phone, else Customer.mobile_no",
        ),
        (
            "address_line1",
            "text",
            "Street",
            "Address.address_line1; the Address is Customer.customer_primary_address, else one "
            "linked by Dynamic Link (primary first, none that is disabled)",
        ),
        ("address_line2", "text", "More of it", "Address.address_line2"),
        ("city", "text", "City", "Address.city"),
        ("state", "text", "State or province", "Address.state"),
        ("postal_code", "text", "Postal code", "Address.pincode"),
        ("country", "text", "Country", "Address.country"),
        ("is_frozen", "boolean", "Whether its accounts are frozen", "Customer.is_frozen"),
        ("is_active", "boolean", "Whether it may be used", "Customer.disabled is not set"),
    ],
)
