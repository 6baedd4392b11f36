"""What ERPNext's own set-up writes before anybody trades, beside what De Spaak made of its own.

Countries and units are Frappe's and ERPNext's lists, in the text files beside this module; ways to
pay are every site's, see `sandbox.fixtures`.
"""

from datetime import datetime, timedelta
from importlib.resources import files

from bascule.sandbox.company.books import Books

# A node of a tree: its name, its parent or "", whether it is a group.
Node = tuple[str, str, bool]

# Tree -> (root, leaves).
_GROUPS = {
    "Customer Group": (
        "All Customer Groups",
        ("Individual", "Commercial", "Non Profit", "Government"),
    ),
    "Supplier Group": (
        "All Supplier Groups",
        ("Services", "Local", "Raw Material", "Electrical", "Hardware", "Pharmaceutical",
         "Distributor"),
    ),
    "Item Group": (
        "All Item Groups",
        ("Products", "Raw Material", "Services", "Sub Assemblies", "Consumable"),
    ),
    "Territory": ("All Territories", ("Rest Of The World",)),
}  # fmt: skip


def leaves(tree: str, own: list[Node]) -> list[Node]:
    """The set-up's leaves of a tree, but for those that the company has by itself, in whatever
    case: to the site's database they are the same.
    """
    root, names = _GROUPS.get(tree, ("", ()))
    known = {name.casefold() for name, *_ in own}
    return [(name, root, False) for name in names if name.casefold() not in known]


def write_world(books: Books, at: datetime) -> None:
    """The countries and units that the company has not written itself, as of before it began."""
    moment = at - timedelta(hours=1)
    for line in _lines("countries.txt"):
        code, _, name = line.partition(" ")
        if not _is_there(books, "Country", name):
            moment += timedelta(milliseconds=1)
            books.write("Country", name, moment, country_name=name, code=code)
    for name in _lines("units.txt"):
        if not _is_there(books, "UOM", name):
            moment += timedelta(milliseconds=1)
            books.write("UOM", name, moment, uom_name=name, enabled=1)


def _lines(name: str) -> list[str]:
    return (files(__package__) / name).read_text(encoding="utf-8").splitlines()


def _is_there(books: Books, doctype: str, name: str) -> bool:
    return any(one["name"].casefold() == name.casefold() for one in books.documents[doctype])
