"""What there is on a site to choose from: its warehouses and its DocTypes."""

from bascule.frappe import FrappeError, Site

MOST_FOUND = 5_000


async def found_warehouses(site: Site) -> list[str] | None:
    """Those that hold stock, by name; None where they cannot be listed."""
    return await _names(site, "Warehouse", [["is_group", "=", 0]])


async def found_doctypes(site: Site, words: str = "") -> list[str] | None:
    """Those that have documents of their own; None where they cannot be listed."""
    filters: list[list[object]] = [["istable", "=", 0], ["issingle", "=", 0]]
    if words:
        filters.append(["name", "like", f"%{words}%"])
    return await _names(site, "DocType", filters)


async def _names(site: Site, doctype: str, filters: list[list[object]]) -> list[str] | None:
    try:
        rows = await site.list(
            doctype, ["name"], filters=filters, order_by="name asc", limit=MOST_FOUND
        )
    except FrappeError:  # a choice to offer, which can be typed as well
        return None
    return [str(row["name"]) for row in rows]
