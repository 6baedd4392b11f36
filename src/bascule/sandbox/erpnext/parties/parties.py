"""What ERPNext does by itself with customers, suppliers, their Addresses and their Contacts.

On create, a customer's address fields and its e-mail and mobile number become an Address and a
Contact that link to it; later those documents are changed themselves.
"""

from typing import TYPE_CHECKING, Any

from bascule.sandbox.core.database.tables import Row
from bascule.sandbox.core.documents import saving
from bascule.sandbox.core.documents.after_renames import named_by_title
from bascule.sandbox.core.documents.deleting import delete
from bascule.sandbox.core.documents.document import Document
from bascule.sandbox.core.documents.events import on
from bascule.sandbox.core.documents.naming import numbered
from bascule.sandbox.core.errors import Call, Refusal, bold, database_error
from bascule.sandbox.core.values import cint, cstr, flt
from bascule.sandbox.core.versions import SIXTEEN

if TYPE_CHECKING:
    from bascule.sandbox.core.site import Site

_SERIES = 100  # characters of what stands before the number of a series
_PARTIES = {"Customer": "customer", "Supplier": "supplier"}


@on("Customer", "autoname")
def _name_customer(site: "Site", call: Call, customer: Document) -> None:
    """By its name, unless by series; one that is taken gets the next number behind it."""
    if not named_by_title(site, "Customer"):
        return
    wanted = customer["customer_name"]
    if call.major >= SIXTEEN:
        if wanted is None:
            told = "'NoneType' object has no attribute 'strip'"
            raise Refusal("AttributeError", told, module="", status=500)
        wanted = customer["customer_name"] = cstr(wanted).strip()
    if wanted and site.tables.value("Customer", wanted, "name") is not None:
        rows = site.tables.run(
            "SELECT `name` FROM `tabCustomer` WHERE `name` LIKE ?", (f"%{wanted} - %",)
        )
        numbers = [cint(row[0].rpartition(" ")[2]) for row in rows]
        numbered_name = f"{wanted} - {max(numbers, default=0) + 1}"
        told = f"Changed customer name to '{numbered_name}' as '{wanted}' already exists."
        call.tell(told, title="Note", indicator="yellow", alert=call.major >= SIXTEEN)
        wanted = numbered_name
    customer["name"] = wanted


@on("Supplier", "autoname")
def _name_supplier(site: "Site", call: Call, supplier: Document) -> None:
    if named_by_title(site, "Supplier"):
        supplier["name"] = supplier["supplier_name"]


@on("Supplier", "validate")
def _check_supplier(site: "Site", call: Call, supplier: Document) -> None:
    _check_internal(site, call, supplier)


@on("Supplier", "before_save")
def _hold(site: "Site", call: Call, supplier: Document) -> None:
    """How and how long it is on hold goes with that it is."""
    if not supplier["on_hold"]:
        supplier["hold_type"] = supplier["release_date"] = ""
    elif not supplier["hold_type"]:
        supplier["hold_type"] = "All"


def _check_internal(site: "Site", call: Call, party: Document) -> None:
    """One party of the own house for each company, and for none; others represent no company."""
    mark = f"is_internal_{_PARTIES[party.doctype.name]}"
    if not party[mark]:
        party["represents_company"] = ""
    company = party["represents_company"]
    internal: Row = {mark: 1}
    others = site.tables.rows(party.doctype.name, **internal)
    if any(row["represents_company"] == company for row in others if row["name"] != party.name):
        told = f"Internal {party.doctype.name} for company {bold(company)} already exists"
        call.refuse(told)


@on("Customer", "validate")
def _check_customer(site: "Site", call: Call, customer: Document) -> None:
    _check_credit_limits(site, call, customer)
    account = cstr(customer["default_bank_account"])
    if account and not site.tables.value("Bank Account", account, "is_company_account"):
        call.refuse(f"{bold(account)} is not a company bank account")
    _check_internal(site, call, customer)
    team = customer.rows.get("sales_team") or []
    if team and sum(float(row["allocated_percentage"] or 0) for row in team) != 100:
        call.refuse("Total contribution percentage should be equal to 100")


def _check_credit_limits(site: "Site", call: Call, customer: Document) -> None:
    """One a company, and when they change none below what the customer owes that company."""
    limits = customer.rows.get("credit_limits") or []
    if customer.before is None or not limits:
        return
    before, now = (
        [flt(row["credit_limit"]) for row in sorted(rows, key=lambda row: cstr(row["company"]))]
        for rows in (customer.before.rows["credit_limits"], limits)
    )
    if before == now:
        return
    companies: set[str] = set()
    for limit in limits:
        company = cstr(limit["company"])
        if company in companies:
            call.refuse(f"Credit limit is already defined for the Company {company}")
        companies.add(company)
        orders = not cint(limit["bypass_credit_limit_check"])
        owed = _outstanding(site, customer.name, company, orders=orders)
        if flt(limit["credit_limit"]) < owed:
            call.refuse(
                "New credit limit is less than current outstanding amount for the customer."
                f" Credit limit has to be atleast {owed}"
            )


def _outstanding(site: "Site", customer: str, company: str, *, orders: bool) -> float:
    """By the ledger, and with `orders` what of submitted orders is not billed yet."""
    ledger = site.tables.run(
        "SELECT sum(`debit`) - sum(`credit`) FROM `tabGL Entry` WHERE `party_type` = 'Customer'"
        " AND `is_cancelled` = 0 AND `party` = ? AND `company` = ?",
        (customer, company),
    ).fetchone()[0]
    unbilled = site.tables.run(
        "SELECT sum(`base_grand_total` * (100 - `per_billed`) / 100) FROM `tabSales Order`"
        " WHERE `customer` = ? AND `company` = ? AND `docstatus` = 1 AND `per_billed` < 100"
        " AND `status` != 'Closed'",
        (customer, company),
    ).fetchone()[0]
    return flt(ledger) + (flt(unbilled) if orders else 0.0)


@on("Customer", "on_update")
@on("Supplier", "on_update")
def _make_contact_and_address(site: "Site", call: Call, party: Document) -> None:
    kind = _PARTIES[party.doctype.name]
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
    kind = _PARTIES[party.doctype.name]
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
    for doctype, kind in _PARTIES.items():
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
