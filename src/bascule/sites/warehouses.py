"""Finds chosen warehouses that hold no stock, because the site lacks them or they are groups."""

from collections.abc import Sequence

from bascule.frappe import FrappeError, Site

MOST_FOUND = 5_000
MOST_NAMED = 5


async def without_stock(site: Site, named: Sequence[str]) -> list[tuple[str, str]]:
    """What is wrong and the next step, for each that the site has not, or that is a group. One
    request; nothing is known, and so nothing said, where the user may not read Warehouse.
    """
    if not named:
        return []
    fields = ["name", "warehouse_name", "is_group", "parent_warehouse"]
    try:
        rows = await site.list("Warehouse", fields, order_by="name asc", limit=MOST_FOUND)
    except FrappeError:
        return []
    if not rows or len(rows) == MOST_FOUND:
        return []
    there = {_plain(row["name"]): row for row in rows}
    told = []
    for name in named:
        row = there.get(_plain(name))
        if row is None:
            alike = [r["name"] for r in rows if _plain(r["warehouse_name"]) == _plain(name)]
            told.append(
                (f"The site has no warehouse '{name}', so its stock is missing.", _step(alike))
            )
        elif row["is_group"]:
            inside = [r["name"] for r in rows if r["parent_warehouse"] == row["name"]]
            told.append(
                (f"The warehouse '{name}' is a group, which holds no stock itself.", _step(inside))
            )
    return told


def _plain(name: object) -> str:
    """As the site's database compares names."""
    return str(name or "").strip().casefold()


def _step(names: list[str]) -> str:
    if not names:
        return "Name warehouses as ERPNext's list of them does, the company's letters included."
    more = " and the like" if len(names) > MOST_NAMED else ""
    return f"Name {', '.join(names[:MOST_NAMED])}{more} instead."
