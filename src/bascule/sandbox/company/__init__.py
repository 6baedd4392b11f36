"""De Spaak Rijwielen B.V., the demo company: a year of a bicycle trader's life, as a site holds it.

`demo_company` makes it from a seed; the parts of the story are in the modules beside. The sandbox
that serves it is elsewhere.
"""

import random
import secrets
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from bascule.sandbox.apps import builtin
from bascule.sandbox.company import masters
from bascule.sandbox.company.agenda import Agenda
from bascule.sandbox.company.books import Books, Document
from bascule.sandbox.company.buying import Buying
from bascule.sandbox.company.incidents import Incidents
from bascule.sandbox.company.items import Range
from bascule.sandbox.company.ledger import Ledger
from bascule.sandbox.company.people import write_customers, write_suppliers
from bascule.sandbox.company.selling import Selling
from bascule.sandbox.company.storekeeping import Storekeeping
from bascule.sandbox.core.snapshot import Snapshot
from bascule.sandbox.core.versions import FIFTEEN, SIXTEEN
from bascule.sandbox.upgrade import upgraded

TIME_ZONE = "Europe/Amsterdam"
HUB_ROLES = (
    *("System Manager", "Sales Manager", "Sales Master Manager", "Stock Manager", "Item Manager"),
    *("Purchase Manager", "Purchase Master Manager", "Accounts Manager", "Projects Manager"),
    "Manufacturing Manager",
)
READER_ROLE = "Hub Reader"
READABLE = ("Item", "Bin", "Sales Order", "Supplier")
USERS = {
    "admin": ("Administrator", ("Administrator",)),
    "hub": ("hub@example.com", HUB_ROLES),
    "readonly": ("readonly@example.com", (READER_ROLE,)),
}


def demo_company(
    seed: int = 1,
    today: date | None = None,
    credentials: Mapping[str, tuple[str, str]] | None = None,
    major: int = FIFTEEN,
) -> Snapshot:
    """The company as it stands in the first seconds of `today` (default: now, in its time zone).

    The documents depend on (seed, today) alone. `credentials` gives users of `USERS` their
    (api key, api secret); whoever is not in it gets random ones, and passwords are always random.
    `major`: Frappe's version.
    """
    day = today or datetime.now(ZoneInfo(TIME_ZONE)).date()
    snapshot = Snapshot(
        doctypes=builtin(),
        documents=_live_through(seed, day),
        users=_users(credentials or {}),
        time_zone=TIME_ZONE,
        role_permissions={READER_ROLE: {doctype: ["read"] for doctype in READABLE}},
    )
    return upgraded(snapshot) if major >= SIXTEEN else snapshot


def _live_through(seed: int, today: date) -> dict[str, list[Document]]:
    books = Books(random.Random(f"{seed}/{today.isoformat()}"))  # noqa: S311 - a story, not a secret
    first = today - timedelta(days=365)
    opening = datetime.combine(first - timedelta(days=30), datetime.min.time()) + timedelta(hours=9)
    midnight = datetime.combine(today, datetime.min.time())
    masters.Masters(books, opening).write_all(today)
    suppliers = write_suppliers(books, opening + timedelta(days=1))
    range_ = Range(books, suppliers, opening + timedelta(days=4))
    write_customers(
        books, opening + timedelta(days=8), datetime.combine(first, datetime.min.time()), midnight
    )
    ledger = Ledger(books, masters.COMPANY)
    ledger.units = {code: item["stock_uom"] for code, item in range_.items.items()}
    agenda = Agenda(end=midnight + timedelta(seconds=5))
    incidents = Incidents(books, range_, agenda)
    incidents.open_projects(opening + timedelta(days=15))
    incidents.open_for(first, today)
    Storekeeping(books, ledger, range_, agenda).open_for(first, today)
    Buying(books, ledger, range_, agenda).open_for(first)
    Selling(books, ledger, range_, agenda).open_for(first, today)
    agenda.run()
    ledger.write_bins()
    return books.close()


def _users(credentials: Mapping[str, tuple[str, str]]) -> dict[str, dict[str, Any]]:
    users: dict[str, dict[str, Any]] = {}
    for label, (name, roles) in USERS.items():
        key, secret = credentials.get(label) or (secrets.token_hex(8), secrets.token_hex(8))
        users[label] = {"name": name, "api_key": key, "api_secret": secret, "roles": list(roles)}
        users[label]["password"] = secrets.token_hex(8)
    return users
