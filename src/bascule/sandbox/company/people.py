"""The demo company's customers and suppliers, each with its Addresses and Contacts."""

from datetime import datetime, timedelta

from bascule.sandbox.company import masters, parties
from bascule.sandbox.company.books import Books, Document

CUSTOMERS = 150


def write_suppliers(books: Books, begin: datetime) -> dict[str, list[Document]]:
    """The suppliers by the item groups they deliver; those disabled or on hold deliver none."""
    by_group: dict[str, list[Document]] = {}
    at = begin
    for number, card in enumerate(parties.SUPPLIERS):
        at += timedelta(minutes=books.rng.randint(2, 40), microseconds=books.rng.randrange(10**6))
        language, code, dial, mobile = parties.COUNTRIES[card.country]
        on_hold = card.name.startswith("Borse")
        supplier = books.write(
            "Supplier",
            card.name,
            at,
            owner=masters.STAFF[1][0],
            naming_series="SUP-.YYYY.-",
            supplier_name=card.name,
            supplier_group=card.group,
            supplier_type="Individual" if "e.K." in card.name else "Company",
            country=card.country,
            default_currency=card.currency,
            default_price_list="Import Buying USD" if card.currency == "USD" else "Standard Buying",
            payment_terms=card.terms,
            language=language if language in ("nl", "de") else "en",
            tax_id=f"{code}{books.rng.randrange(10**8, 10**9)}B01",
            is_transporter=int("Transport" in card.name or "Logistiek" in card.name),
            disabled=int(card.name.startswith("Pneus")),
            on_hold=int(on_hold),
            hold_type="All" if on_hold else None,
            website=f"https://supplier-{number + 1:02d}.example",
        )
        person = _write_contact(books, "Supplier", supplier, f"{dial} {mobile}", at)
        supplier["supplier_primary_contact"] = person["name"]
        if not (supplier["disabled"] or on_hold):
            for group in parties.SUPPLIER_GROUPS[card.group]:
                by_group.setdefault(group, []).append(supplier)
    return by_group


def write_customers(books: Books, begin: datetime, first_day: datetime, end: datetime) -> None:
    """Two in three were there before the first order; the others join through the year."""
    rng = books.rng
    names = list(parties.NOTABLE_CUSTOMERS)
    taken = {name for name, _ in names}
    while len(names) < CUSTOMERS:
        name, group = _new_name(books)
        if name not in taken:
            taken.add(name)
            names.append((name, group))
    year = (end - first_day).total_seconds()
    for number, (name, group) in enumerate(names):
        at = begin + timedelta(minutes=7 * number, microseconds=rng.randrange(10**6))
        if number >= CUSTOMERS * 2 // 3:
            joined = first_day + timedelta(seconds=rng.random() * (year - 5 * 86400))
            at = joined.replace(hour=rng.randint(8, 17))
        _write_customer(books, name, group, at)
    books.documents["Customer"].sort(key=lambda customer: str(customer["creation"]))


def _new_name(books: Books) -> tuple[str, str]:
    rng = books.rng
    weights = [weight for _, weight, _ in parties.CUSTOMER_GROUPS]
    group, *_ = rng.choices(parties.CUSTOMER_GROUPS, weights)[0]
    first, last = rng.choice(parties.FIRST_NAMES), rng.choice(parties.LAST_NAMES)
    city = rng.choice(parties.CITIES)[0]
    if group == "Consumers":
        return f"{first} {last}", group
    if group == "Bike Shops":
        return f"{last[0].upper()}{last[1:]} {rng.choice(parties.SHOP_NAMES)}", group
    if group == "Rental & Tourism":
        return f"{rng.choice(parties.RENTAL_NAMES)} {first} {city}", group
    return f"{rng.choice(parties.PUBLIC_NAMES)} {city}", group


def _write_customer(books: Books, name: str, group: str, at: datetime) -> None:
    rng = books.rng
    place = rng.choices(parties.CITIES, [weight for *_, weight in parties.CITIES])[0]
    country = place[3]
    language, code, dial, mobile = parties.COUNTRIES[country]
    business = group != "Consumers"
    terms = next(terms for label, _, terms in parties.CUSTOMER_GROUPS if label == group)
    limit = {"company": masters.COMPANY, "credit_limit": float(rng.choice((5000, 15000, 40000)))}
    customer = books.write(
        "Customer",
        name,
        at,
        owner=rng.choice(masters.STAFF)[0],
        naming_series="CUST-.YYYY.-",
        customer_name=name,
        customer_type="Company" if business else "Individual",
        customer_group=group,
        territory=country,
        default_currency="EUR",
        default_price_list="Dealer Prices" if group == "Bike Shops" else "Standard Selling",
        language=language if language in ("nl", "de") else "en",
        tax_id=f"{code}{rng.randrange(10**8, 10**9)}B01" if business else None,
        payment_terms=terms,
        credit_limits=[limit] if group == "Bike Shops" and rng.random() < 0.6 else [],
        is_frozen=int(rng.random() < 0.01),
    )
    at = _write_addresses(books, customer, place, at)
    person = _write_contact(books, "Customer", customer, f"{dial} {mobile}", at)
    books.change(customer, at, customer_primary_contact=person["name"])
    customer.update(mobile_no=person["mobile_no"], email_id=person["email_id"])


def _write_addresses(
    books: Books, customer: Document, place: tuple[str, str, str, str, int], at: datetime
) -> datetime:
    """One for bills, for some businesses another for goods; returns when the last was written."""
    rng = books.rng
    city, state, postal, country, _ = place
    business = customer["customer_type"] == "Company"
    kinds = ["Billing", "Shipping"] if business and rng.random() < 0.4 else ["Billing"]
    for kind in kinds:
        number = f"{rng.randint(1, 240)}{rng.choice(('', '', 'a', '-II'))}"
        suffix = " AB" if country == "Netherlands" else ""
        at += timedelta(seconds=rng.randint(1, 300))
        address = books.write(
            "Address",
            f"{customer['name']}-{kind}",
            at,
            owner=customer["owner"],
            address_title=customer["name"],
            address_type=kind,
            address_line1=f"{rng.choice(parties.STREETS)} {number}",
            **{"city": city, "state": state or None, "country": country},
            pincode=f"{postal}{rng.randint(0, 99):02d}{suffix}",
            is_primary_address=int(kind == "Billing"),
            is_shipping_address=int(kind == kinds[-1]),
            links=[_link("Customer", customer)],
        )
        if kind == "Billing":
            customer["customer_primary_address"] = address["name"]
            lines = (address["address_line1"], address["pincode"], city, country)
            customer["primary_address"] = "<br>".join(str(line) for line in lines)
    return at


def _write_contact(
    books: Books, doctype: str, party: Document, dial: str, at: datetime
) -> Document:
    rng = books.rng
    first, last = rng.choice(parties.FIRST_NAMES), rng.choice(parties.LAST_NAMES)
    if party.get("customer_type") == "Individual":
        first, _, last = party["name"].partition(" ")
    number = len(books.documents.get("Contact", ())) + 1
    mobile = f"{dial}{number:04d}{rng.randrange(10**4):04d}"
    email = f"contact{number:03d}@{doctype.lower()}.example"
    return books.write(
        "Contact",
        f"{first} {last}-{party['name']}",
        at + timedelta(milliseconds=rng.randint(3, 60)),
        owner=party["owner"],
        **{"first_name": first, "last_name": last, "full_name": f"{first} {last}"},
        **{"email_id": email, "mobile_no": mobile, "status": "Passive"},
        company_name=party["name"],
        is_primary_contact=1,
        is_billing_contact=1,
        email_ids=[{"email_id": email, "is_primary": 1}],
        phone_nos=[{"phone": mobile, "is_primary_mobile_no": 1}],
        links=[_link(doctype, party)],
    )


def _link(doctype: str, party: Document) -> Document:
    return {"link_doctype": doctype, "link_name": party["name"], "link_title": party["name"]}
