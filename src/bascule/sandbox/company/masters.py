"""The demo company before it trades: itself, accounts, warehouses, groups, price lists, staff."""

from datetime import date, datetime, timedelta
from typing import Any

from bascule.sandbox.company import catalog, parties, setup
from bascule.sandbox.company.books import Books
from bascule.sandbox.company.setup import Node
from bascule.sandbox.company.vouchers import TERMS, instalments

COMPANY, ABBR = "De Spaak Rijwielen B.V.", "DSR"
CENTRAL = f"Central Warehouse Utrecht - {ABBR}"
CITY_SHOP = f"Shop Oudegracht - {ABBR}"
NORTH_SHOP = f"Shop Groningen - {ABBR}"
WORKSHOP = f"Workshop - {ABBR}"
TRANSIT = f"Goods in Transit - {ABBR}"
COST_CENTER = f"Main - {ABBR}"
VAT_ACCOUNT = f"VAT 21% - {ABBR}"
STAFF = (
    ("sanne@despaak.example", "Sanne", "de Vries"),
    ("bram@despaak.example", "Bram", "Ketting"),
    ("fatima@despaak.example", "Fatima", "El Amrani"),
    ("jurgen@despaak.example", "Jürgen", "Müller"),
)

_STORY = (
    "<p>Founded in 1987 in a canal cellar in Utrecht with one truing stand and a borrowed pump. "
    "De Spaak builds the city bike <b>Gracht</b>, sells it in two shops of its own, and supplies "
    "bike shops from Groningen to Gent.</p>"
)
# Account, parent, root type, account type ("group" for a heading).
_ACCOUNTS = (
    ("Application of Funds (Assets)", "", "Asset", "group"),
    ("Main Bank", "Application of Funds (Assets)", "Asset", "Bank"),
    ("Cash", "Application of Funds (Assets)", "Asset", "Cash"),
    ("Debtors", "Application of Funds (Assets)", "Asset", "Receivable"),
    ("Stock In Hand", "Application of Funds (Assets)", "Asset", "Stock"),
    ("Source of Funds (Liabilities)", "", "Liability", "group"),
    ("Creditors", "Source of Funds (Liabilities)", "Liability", "Payable"),
    ("VAT 21%", "Source of Funds (Liabilities)", "Liability", "Tax"),
    (
        "Stock Received But Not Billed",
        "Source of Funds (Liabilities)",
        "Liability",
        "Stock Received But Not Billed",
    ),
    ("Income", "", "Income", "group"),
    ("Sales", "Income", "Income", "Income Account"),
    ("Expenses", "", "Expense", "group"),
    ("Cost of Goods Sold", "Expenses", "Expense", "Cost of Goods Sold"),
    ("Stock Adjustment", "Expenses", "Expense", "Stock Adjustment"),
    ("Round Off", "Expenses", "Expense", "Round Off"),
)


class Masters:
    """Writes everything that other documents link to, from `begin` on, a few seconds apart."""

    def __init__(self, books: Books, begin: datetime) -> None:
        self.books, self.clock, self.begun = books, begin, begin

    def write_all(self, today: date) -> None:
        first_year = self.clock.year
        self.write_world()
        self.write_company()
        self.write_ledger_heads()
        for year in range(first_year, today.year + 1):
            span = {"year_start_date": f"{year}-01-01", "year_end_date": f"{year}-12-31"}
            self.write("Fiscal Year", str(year), year=str(year), **span)
        self.write_groups()
        self.write_price_lists()
        self.write_terms()
        for email, first, last in STAFF:
            full = {"first_name": first, "last_name": last, "full_name": f"{first} {last}"}
            known_as = {"email": email, "username": email.partition("@")[0]}
            self.write("User", email, **full, **known_as, enabled=1, language="nl")

    def write(self, doctype: str, name: str, **values: Any) -> None:
        rng = self.books.rng
        self.clock += timedelta(seconds=rng.randint(1, 40), microseconds=rng.randrange(10**6))
        self.books.write(doctype, name, self.clock, **values)

    def write_tree(
        self, doctype: str, nodes: list[Node], suffix: str = "", **values: dict[str, Any]
    ) -> None:
        """A tree's nodes, behind them those of ERPNext's set-up; `values` gives what each node has
        of its own, by the node's name.
        """
        parent_field = self.books.doctypes[doctype]["nsm_parent_field"]
        name_field = parent_field.replace("parent_", "") + "_name"
        more = setup.leaves(doctype, nodes)
        set_up = {name for name, *_ in more}
        for name, parent, is_group, left, right in _nested([*nodes, *more]):
            place: dict[str, Any] = {name_field: name, "is_group": int(is_group)}
            place |= {"lft": left, "rgt": right}
            if parent:
                place[parent_field] = place["old_parent"] = parent + suffix
            if name in set_up:  # chance is the company's alone, so that its story stays the same
                self.books.write(doctype, name, self.clock, **place)
                continue
            self.write(doctype, name + suffix, **place, **values.get(name, {}))

    def write_world(self) -> None:
        for code, label in (("en", "English"), ("nl", "Nederlands"), ("de", "Deutsch")):
            self.write("Language", code, language_code=code, language_name=label, enabled=1)
        for country, (code, *_) in parties.COUNTRIES.items():
            self.write("Country", country, country_name=country, code=code)
        for currency, symbol in (("EUR", "€"), ("USD", "$"), ("GBP", "£")):
            parts = {"fraction": "Cent", "fraction_units": 100, "number_format": "#,###.##"}
            named = {"currency_name": currency, "symbol": symbol, "enabled": 1}
            self.write("Currency", currency, **named, **parts)
        units = (("Nos", 1), ("Pair", 1), ("Set", 1), ("Box", 1), ("Metre", 0), ("Kg", 0))
        for unit, whole in units:
            self.write("UOM", unit, uom_name=unit, enabled=1, must_be_whole_number=whole)
        setup.write_world(self.books, self.begun)

    def write_company(self) -> None:
        accounts = (
            *(("bank", "Main Bank"), ("cash", "Cash"), ("receivable", "Debtors")),
            *(("payable", "Creditors"), ("income", "Sales"), ("expense", "Cost of Goods Sold")),
            ("inventory", "Stock In Hand"),
        )
        self.write(
            "Company",
            COMPANY,
            **{"company_name": COMPANY, "abbr": ABBR, "default_currency": "EUR"},
            **{"country": "Netherlands", "tax_id": "NL804512937B01", "domain": "Distribution"},
            date_of_establishment="1987-04-01",
            company_description=_STORY,
            **{"phone_no": "+31 30 555 0187", "email": "hallo@despaak.example"},
            website="https://despaak.example",
            **{"lft": 1, "rgt": 2, "chart_of_accounts": "Standard"},
            create_chart_of_accounts_based_on="Standard Template",
            **{f"default_{kind}_account": f"{account} - {ABBR}" for kind, account in accounts},
            **{"cost_center": COST_CENTER, "round_off_cost_center": COST_CENTER},
            round_off_account=f"Round Off - {ABBR}",
            stock_adjustment_account=f"Stock Adjustment - {ABBR}",
            stock_received_but_not_billed=f"Stock Received But Not Billed - {ABBR}",
            monthly_sales_target=40000.0,
        )

    def write_ledger_heads(self) -> None:
        suffix = f" - {ABBR}"
        ours = {"company": COMPANY}
        accounts: dict[str, dict[str, Any]] = {}
        for name, _, root, kind in _ACCOUNTS:
            sheet = root in ("Asset", "Liability")
            accounts[name] = {
                **{"root_type": root, "account_currency": "EUR", "freeze_account": "No"},
                "report_type": "Balance Sheet" if sheet else "Profit and Loss",
                "account_type": "" if kind == "group" else kind,
                "tax_rate": 21.0 if kind == "Tax" else 0.0,
                **ours,
            }
        heads = [(name, parent, kind == "group") for name, parent, _, kind in _ACCOUNTS]
        self.write_tree("Account", heads, suffix, **accounts)
        centers = _under(COMPANY, "Main", "Shops", "Workshop")
        self.write_tree("Cost Center", centers, suffix, **{name: ours for name, *_ in centers})
        leaves = (CENTRAL, CITY_SHOP, NORTH_SHOP, WORKSHOP, TRANSIT)
        places = _under("All Warehouses", *(leaf.removesuffix(suffix) for leaf in leaves))
        cities: dict[str, str | None] = {"Shop Groningen": "Groningen", "All Warehouses": None}
        at = {name: {**ours, "city": cities.get(name, "Utrecht")} for name, *_ in places}
        self.write_tree("Warehouse", places, suffix, **at)

    def write_groups(self) -> None:
        lands = ("Netherlands", "Belgium", "Germany", "Denmark", "Sweden", "Rest of the World")
        self.write_tree("Territory", _under("All Territories", *lands))
        customer_groups = (name for name, *_ in parties.CUSTOMER_GROUPS)
        self.write_tree("Customer Group", _under("All Customer Groups", *customer_groups))
        self.write_tree("Supplier Group", _under("All Supplier Groups", *parties.SUPPLIER_GROUPS))
        parents = {parent for _, parent, *_ in catalog.GROUPS} - {""}
        root = "All Item Groups"
        groups = [(name, parent or root, name in parents) for name, parent, *_ in catalog.GROUPS]
        self.write_tree("Item Group", [(root, "", True), *groups])
        for brand in sorted({product.brand for product in catalog.products()}):
            self.write("Brand", brand, brand=brand)

    def write_price_lists(self) -> None:
        for name, currency, selling in (
            ("Standard Selling", "EUR", 1),
            ("Dealer Prices", "EUR", 1),
            ("Standard Buying", "EUR", 0),
            ("Import Buying USD", "USD", 0),
        ):
            use = {"selling": selling, "buying": 1 - selling, "currency": currency}
            self.write("Price List", name, price_list_name=name, enabled=1, **use)
        for purpose in ("Material Receipt", "Material Transfer", "Material Issue", "Manufacture"):
            self.write("Stock Entry Type", purpose, purpose=purpose, is_standard=1)

    def write_terms(self) -> None:
        known: set[str] = set()
        for template in TERMS:
            rows = []
            for term, share, days in instalments(template):
                values = {
                    "invoice_portion": share,
                    "due_date_based_on": "Day(s) after invoice date",
                    "credit_days": days,
                    "discount_type": "Percentage",
                }
                rows.append({"payment_term": term, **values})
                if term not in known:
                    known.add(term)
                    self.write("Payment Term", term, payment_term_name=term, **values)
            self.write("Payment Terms Template", template, template_name=template, terms=rows)


def _under(root: str, *leaves: str) -> list[Node]:
    return [(root, "", True), *((leaf, root, False) for leaf in leaves)]


def _nested(nodes: list[Node]) -> list[tuple[str, str, bool, int, int]]:
    """Nodes (name, parent, is_group) with the left and right numbers of Frappe's nested set."""
    numbered: list[tuple[str, str, bool, int, int]] = []
    counter = 0

    def visit(node: Node) -> None:
        nonlocal counter
        counter += 1
        place, left = len(numbered), counter
        numbered.append((*node, left, 0))
        for child in nodes:
            if child[1] == node[0]:
                visit(child)
        counter += 1
        numbered[place] = (*node, left, counter)

    for node in nodes:
        if not node[1]:
            visit(node)
    return numbered
