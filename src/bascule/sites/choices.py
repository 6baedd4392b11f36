"""What a form offers to choose from: the site's warehouses and DocTypes; and its user's name."""

from bascule.frappe import FrappeError, Site

MOST_FOUND = 5_000


async def full_name_of(site: Site, user: str) -> str | None:
    """None where it cannot be read, or says no more than the user's name does."""
    try:
        rows = await site.list("User", ["full_name"], filters=[["name", "=", user]], limit=1)
    except FrappeError:
        return None
    name = str(rows[0]["full_name"] or "") if rows else ""
    return name if name != user else None


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
