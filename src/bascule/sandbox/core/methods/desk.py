"""The methods that ERPNext's own pages call, as far as integrations have taken to them."""

from typing import Any

from bascule.sandbox.core.database.tables import Row, quoted
from bascule.sandbox.core.doctypes.metadata import meta
from bascule.sandbox.core.errors import Call
from bascule.sandbox.core.methods.reads import get_list
from bascule.sandbox.core.methods.whitelist import parsed, whitelisted
from bascule.sandbox.core.query.query import Asked
from bascule.sandbox.core.site import Site
from bascule.sandbox.core.values import cint
from bascule.sandbox.core.versions import SIXTEEN


@whitelisted("frappe.desk.form.load.getdoctype")
def getdoctype(site: Site, call: Call, doctype: Any, with_parent: bool = False) -> None:
    """The DocType and those of its child tables, to any user who is logged in."""
    found = site.doctype(call, doctype)
    children = [entry.get("options") for entry in found.tables]
    bundle = [found, *(site.schema[str(name)] for name in dict.fromkeys(children))]
    docs = [meta(one) for one in bundle]
    if site.schema.major >= SIXTEEN:
        for one, shown in zip(bundle, docs, strict=True):
            masked = site.permissions.masked(call.user, one)
            shown["masked_fields"] = [entry["fieldname"] for entry in masked]
    call.extras |= {"docs": docs, "user_settings": "{}"}


@whitelisted("frappe.desk.reportview.get_count")
def reportview_count(
    site: Site, call: Call, doctype: Any, filters: Any = None, or_filters: Any = None, **rest: Any
) -> int:
    found = site.doctype(call, doctype)
    if site.schema.major >= SIXTEEN:
        asked = Asked(
            found.name,
            filters=parsed(filters) if filters else None,
            or_filters=parsed(or_filters) if or_filters else None,
            parent=rest.get("parent_doctype"),
            limit=None,
        )
        count = site.count(call, asked)
        return min(count, cint(rest.get("limit")) or count)
    rows = get_list(
        site,
        call,
        found.name,
        fields=[f"count({quoted(found.name)}.name) as total_count"],
        filters=filters,
        or_filters=or_filters,
        limit_page_length=None,
        parent=rest.get("parent_doctype"),
    )
    count = int(rows[0]["total_count"])
    return min(count, cint(rest.get("limit")) or count)


@whitelisted("frappe.desk.reportview.get_list")
def reportview_list(
    site: Site,
    call: Call,
    doctype: Any,
    fields: Any = None,
    filters: Any = None,
    or_filters: Any = None,
    order_by: Any = None,
    group_by: Any = None,
    start: Any = 0,
    page_length: Any = 20,
    **rest: Any,
) -> list[Any]:
    return get_list(
        site,
        call,
        doctype,
        fields=fields,
        filters=filters,
        or_filters=or_filters,
        order_by=order_by,
        group_by=group_by,
        limit_start=start,
        limit_page_length=page_length,
        parent=rest.get("parent_doctype"),
    )


@whitelisted("frappe.desk.reportview.get")
def reportview_get(site: Site, call: Call, doctype: Any, **given: Any) -> Row | list[Any]:
    """The same with the names of the columns apart from the values."""
    rows = reportview_list(site, call, doctype, **given)
    if not rows:
        return rows
    return {"keys": list(rows[0]), "values": [list(row.values()) for row in rows], "user_info": {}}
