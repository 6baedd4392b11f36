"""The Addresses and Contacts of customers and suppliers.

When a party is created, its address fields, its e-mail and its mobile number become an Address and
a Contact that link to it; later those documents are changed themselves.
"""

from typing import TYPE_CHECKING, Any

from bascule.sandbox.core.database.tables import Row
from bascule.sandbox.core.documents import saving
from bascule.sandbox.core.documents.deleting import delete
from bascule.sandbox.core.documents.document import Document
from bascule.sandbox.core.documents.events import on
from bascule.sandbox.core.documents.naming import numbered
from bascule.sandbox.core.errors import Call, database_error
from bascule.sandbox.core.values import cint, cstr
from bascule.sandbox.core.versions import SIXTEEN
from bascule.sandbox.erpnext.parties.parties import PARTIES

if TYPE_CHECKING:
    from bascule.sandbox.core.site import Site

_SERIES = 100  # characters of what stands before the number of a series


@on("Customer", "on_update")
@on("Supplier", "on_update")
def _make_contact_and_address(site: "Site", call: Call, party: Document) -> None:
    kind = PARTIES[party.doctype.name]
    inserting = party.before is None
    primary = f"{kind}_primary_contact"
    if not party[primary] and (party["mobile_no"] or party["email_id"]):
        contact = _contact(site, call, party, kind)
        kept = {field: party[field] for field in ("mobile_no", "email_id")}
        saving.set_values(site, call, party, {primary: contact.name, **kept}, moved=inserting)
    if inserting and party["address_line1"]:
        address = _address(site, call, party, kind)
        linked = {f"{kind}_primary_address": address.name, "primary_address": display(address)}
        saving.set_values(site, call, party, linked, moved=True)


def _contact(site: "Site", call: Call, party: Document, kind: str) -> Document:
    full_name = cstr(party[f"{kind}_name"])
    values: Row = {"is_primary_contact": 1, "links": [_link(party)]}
    if party[f"{kind}_type"] == "Individual":
        first, *rest = full_name.split(" ")
        values |= {"first_name": first, "middle_name": " ".join(rest[:-1]) or None}
        values["last_name"] = rest[-1] if rest else None
    else:
        values["company_name"] = full_name
    if party["email_id"]:
        values["email_ids"] = [{"email_id": party["email_id"], "is_primary": 1}]
    if party["mobile_no"]:
        values["phone_nos"] = [{"phone": party["mobile_no"], "is_primary_mobile_no": 1}]
    return saving.insert(site, call, saving.new(site, call, "Contact", values))


def _address(site: "Site", call: Call, party: Document, kind: str) -> Document:
    lacking = [f"<li>{field.title()}</li>" for field in ("city", "country") if not party[field]]
    if lacking:
        listed = "\n".join(lacking)
        call.refuse(
            f"Following fields are mandatory to create address: <br><br> <ul>{listed}</ul>",
            title="Missing Values Required",
        )
    fields = ("address_line1", "address_line2", "city", "state", "pincode", "country")
    values: Row = {field: party[field] for field in fields}
    values |= {"address_title": party[f"{kind}_name"], "links": [_link(party)]}
    values |= {"is_primary_address": 1, "is_shipping_address": 1}
    return saving.insert(site, call, saving.new(site, call, "Address", values))


def _link(party: Document) -> Row:
    return {"link_doctype": party.doctype.name, "link_name": party.name}


@on("Customer", "on_update")
def _save_primary_parts(site: "Site", call: Call, customer: Document) -> None:
    """Version 16 saves the primary Contact and Address of a Customer with it, as its user."""
    if site.schema.major < SIXTEEN or customer.before is None:
        return
    for part, doctype in (("contact", "Contact"), ("address", "Address")):
        named = customer[f"customer_primary_{part}"]
        document = site.load(doctype, cstr(named)) if named else None
        if document is not None:
            document[f"is_primary_{part}"] = 1
            saving.save(site, call, document)


@on("Customer", "on_trash")
@on("Supplier", "on_trash")
def _delete_contact_and_address(site: "Site", call: Call, party: Document) -> None:
    """Contacts and Addresses of this party alone go with it, the others lose the link."""
    kind = PARTIES[party.doctype.name]
    primary = {f"{kind}_primary_contact": None, f"{kind}_primary_address": None}
    saving.set_values(site, call, party, dict(primary), moved=False)
    for doctype in ("Contact", "Address"):
        links = site.tables.rows("Dynamic Link", parenttype=doctype, **_link(party))
        for name in dict.fromkeys(row["parent"] for row in links):
            _unlink(site, call, party, doctype, name)


def _unlink(site: "Site", call: Call, party: Document, doctype: str, name: str) -> None:
    document = site.load(doctype, name)
    if document is None:
        return
    others = [row for row in document.rows["links"] if row["link_name"] != party.name]
    if not others:
        delete(site, call, doctype, name)
        return
    document.rows["links"] = others
    saving.save(site, call, document)


@on("Contact", "autoname")
def _name_contact(site: "Site", call: Call, contact: Document) -> None:
    name = _full_name(contact)
    if contact.rows["links"]:
        name += f"-{cstr(contact.rows['links'][0]['link_name']).strip()}"
    contact["name"] = numbered(site, "Contact", name) if name else None


def _full_name(contact: Document) -> str:
    fields = ("first_name", "middle_name", "last_name")
    parts = (cstr(contact[field]).strip() for field in fields)
    return " ".join(filter(None, parts)) or cstr(contact["company_name"])


@on("Contact", "validate")
def _fill_contact(site: "Site", call: Call, contact: Document) -> None:
    """Its full name, and the primary e-mail address and numbers out of its rows."""
    contact["full_name"] = _full_name(contact)
    emails = contact.rows["email_ids"]
    if len(emails) == 1:
        emails[0]["is_primary"] = 1
    contact["email_id"] = _primary(call, emails, "email_id", "is_primary", "Email ID")
    for field in ("phone", "mobile_no"):
        mark, label = f"is_primary_{field}", field.replace("_", " ").title()
        contact[field] = _primary(call, contact.rows["phone_nos"], "phone", mark, label)
    if not contact["user"] and contact["email_id"]:
        users = site.tables.rows("User", email=contact["email_id"])
        contact["user"] = users[0]["name"] if users else None
    if contact["email_id"] and not contact["image"]:
        contact["image"] = ""
    if contact["sync_with_google_contacts"] and not contact["google_contacts"]:
        call.refuse("Select Google Contacts to which contact should be synced.")
    _title_links(site, contact)


def _primary(call: Call, rows: list[Document], field: str, mark: str, label: str) -> Any:
    primary = [cstr(row[field]).strip() for row in rows if cint(row[mark])]
    if len(primary) > 1:
        call.refuse(f"Only one <strong>{label}</strong> can be set as primary.")
    return primary[0] if primary else ""


def _title_links(site: "Site", document: Document) -> None:
    for row in document.rows["links"]:
        if not row["link_title"] and row["link_doctype"] in site.schema:
            linked = site.load(str(row["link_doctype"]), cstr(row["link_name"]))
            title = linked and linked[str(linked.doctype.definition.get("title_field") or "name")]
            row["link_title"] = title or row["link_name"]


@on("Address", "autoname")
def _name_address(site: "Site", call: Call, address: Document) -> None:
    links = address.rows["links"]
    if not address["address_title"] and links:
        address["address_title"] = links[0]["link_name"]
    if not address["address_title"]:
        call.refuse("Address Title is mandatory.")
    title, kind = cstr(address["address_title"]).strip(), cstr(address["address_type"]).strip()
    name = f"{title}-{kind}"
    address["name"] = numbered(site, "Address", name)
    if address["name"] != name and len(f"{name}-") > _SERIES:
        raise database_error("DataError", 1406, "Data too long for column 'name' at row 1")


@on("Address", "validate")
def _fill_address(site: "Site", call: Call, address: Document) -> None:
    _title_links(site, address)
    if any(row["link_doctype"] == "Company" for row in address.rows["links"]):
        address["is_your_company_address"] = 1


@on("Address", "on_update")
def _show_address(site: "Site", call: Call, address: Document) -> None:
    """Parties with this as their primary address show it."""
    for doctype, kind in PARTIES.items():
        for row in site.tables.rows(doctype, **{f"{kind}_primary_address": address.name}):
            party = Document(site.schema[doctype], row)
            shown = {"primary_address": display(address)}
            saving.set_values(site, call, party, shown, moved=True)


def display(address: Document) -> str:
    """The address in ERPNext's own layout, as HTML."""
    lines = f"{cstr(address['address_line1'])}<br>\n"
    if address["address_line2"]:
        lines += f"{address['address_line2']}<br>"
    lines += f"{cstr(address['city'])}<br>\n"
    for field in ("state", "pincode"):
        if address[field]:
            lines += f"{address[field]}<br>"
    lines += f"{cstr(address['country'])}<br>\n<br>\n"
    for field, label in (("phone", "Phone"), ("fax", "Fax"), ("email_id", "Email")):
        if address[field]:
            lines += f"{label}: {address[field]}<br>"
    return lines
