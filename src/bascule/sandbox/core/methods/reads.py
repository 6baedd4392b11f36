"""The whitelisted methods that read: frappe.client's."""

from typing import Any

from bascule.sandbox.core.access.permissions import ADMINISTRATOR, RIGHTS
from bascule.sandbox.core.database.tables import Row, stored
from bascule.sandbox.core.doctypes.schema import NUMBERS, kind_of
from bascule.sandbox.core.errors import Call, Refusal, bold
from bascule.sandbox.core.methods.whitelist import call_function, parsed, whitelisted
from bascule.sandbox.core.query.query import Asked
from bascule.sandbox.core.site import Site
from bascule.sandbox.core.values import sbool
from bascule.sandbox.core.versions import SIXTEEN
from bascule.sandbox.core.webhooks.queue import RQ_JOB, jobs_of


@whitelisted("frappe.client.get_list")
def get_list(
    site: Site,
    call: Call,
    doctype: Any,
    fields: Any = None,
    filters: Any = None,
    group_by: Any = None,
    order_by: Any = None,
    limit_start: Any = None,
    limit_page_length: Any = 20,
    parent: Any = None,
    debug: bool = False,
    as_dict: bool = True,
    or_filters: Any = None,
) -> list[Any]:
    if doctype == RQ_JOB:
        given = parsed(filters) if filters else None
        listed: list[Any] = jobs_of(site, call, given, order_by, limit_start, limit_page_length)
        return listed
    known = site.schema.find(str(doctype))
    if known is not None and site.schema[known].is_child and site.schema.major < SIXTEEN:
        site.access.check_parent(call, site.schema[known], parent)
    if fields == "*":
        fields = ["*"]
    asked = Asked(
        doctype,
        filters=parsed(filters) if filters else None,
        or_filters=parsed(or_filters) if or_filters else None,
        fields=parsed(fields) if fields else None,
        order_by=order_by,
        group_by=group_by,
        start=limit_start,
        limit=limit_page_length,
        parent=parent,
        as_dict=as_dict,
        debug=debug,
    )
    return site.rows(call, asked)


@whitelisted("frappe.client.get_count")
def get_count(
    site: Site,
    call: Call,
    doctype: Any,
    filters: Any = None,
    debug: bool = False,
    cache: bool = False,
) -> int:
    """How many there are: for anybody by version 15, which looks at no permission here."""
    given = _safe_filters(filters) if filters else []
    if isinstance(given, str):
        given = {"name": given}
    return site.count(call, Asked(str(doctype), filters=given, limit=None, debug=sbool(debug)))


@whitelisted("frappe.client.get")
def get(
    site: Site, call: Call, doctype: Any, name: Any = None, filters: Any = None, parent: Any = None
) -> Row:
    found = site.controller(call, doctype)
    if found.is_child:
        site.access.check_parent(call, found, parent)
    if not name and filters is not None:
        # Whoever asks: whether that one may read it is looked at when it was found.
        asked = Asked(found.name, filters=parsed(filters), limit=1, parent=parent)
        rows = site.rows(Call(ADMINISTRATOR), asked)
        if not rows:
            call.refuse(f"{found.name} {parsed(filters)} not found", "DoesNotExistError")
        name = rows[0]["name"]
    document = site.document(call, found.name, str(name or found.name))
    site.check(call, document, "read")
    return site.shown(call, document, nulls=True)


@whitelisted("frappe.client.get_value")
def get_value(
    site: Site,
    call: Call,
    doctype: Any,
    fieldname: Any,
    filters: Any = None,
    as_dict: Any = True,
    debug: Any = False,
    parent: Any = None,
) -> Any:
    found = site.doctype(call, doctype)
    if found.is_child:
        site.access.check_parent(call, found, parent)
    elif not site.access.may_list(call.user, found):
        call.refuse(f"No permission for {found.name}", "PermissionError")
    try:
        fields = parsed(fieldname)
    except Refusal:
        fields = [fieldname]
    if not isinstance(fields, list):
        fields = [fieldname]
    filters = _safe_filters(filters)
    if isinstance(filters, str):
        filters = {"name": filters}
    if found.is_single:
        return _of_single(site, found.name, fields, filters or None, as_dict=bool(as_dict))
    given = {
        **{"doctype": found.name, "fields": fields, "filters": filters or None, "parent": parent},
        **{"limit_page_length": 1, "as_dict": as_dict, "debug": debug},
    }
    rows = call_function(site, call, "frappe.client.get_list", given)
    if as_dict:  # a text too, whatever it says
        return rows[0] if rows else {}
    if not rows:
        return None
    return rows[0] if len(fields) > 1 else rows[0][0]


def _of_single(site: Site, doctype: str, fields: list[Any], filters: Any, *, as_dict: bool) -> Any:
    """What is stored of a Single, as text; all of it where filters are given and it meets them."""
    kept = site.stored_single(doctype)
    if isinstance(filters, dict):
        if any(kept.get(name) != value for name, value in filters.items()):
            return {} if as_dict else None
    else:
        kept = {name: value for name, value in kept.items() if name in fields}
    if as_dict or not kept:
        return kept if as_dict else None
    values = [kept.get(field) for field in fields]
    return values if len(fields) > 1 else values[0]


def _safe_filters(filters: Any) -> Any:
    """JSON in a text, or the text itself where it is a name."""
    try:
        read = parsed(filters)
    except Refusal:
        return filters
    return filters if isinstance(read, int | float) else read


@whitelisted("frappe.client.get_single_value")
def get_single_value(site: Site, call: Call, doctype: Any, field: Any) -> Any:
    found = site.doctype(call, doctype)
    if not site.access.may_list(call.user, found):
        call.refuse(f"No permission for {found.name}", "PermissionError")
    if not isinstance(field, str) or found.field(field) is None:
        told = f"Field {bold(field)} does not exist on {bold(found.name)}"
        call.refuse(told)
    values = site.single(found.name) if found.is_single else {}
    entry = found.by_name[field]
    kept = values.get(field)
    return stored(kind_of(entry["fieldtype"]), kept) if entry["fieldtype"] in NUMBERS else kept


@whitelisted("frappe.client.has_permission")
def has_permission(
    site: Site, call: Call, doctype: Any, docname: Any, perm_type: Any = "read"
) -> Row:
    right = str(perm_type).lower()
    if right not in RIGHTS:
        return {"has_permission": call.user == ADMINISTRATOR}
    if not docname:
        return {
            "has_permission": site.access.may_list(call.user, site.doctype(call, doctype), right)
        }
    document = site.document(call, doctype, str(docname))
    return {"has_permission": site.access.denied(call.user, document, right) is None}


@whitelisted("frappe.client.get_password")
def get_password(site: Site, call: Call, doctype: Any, name: Any, fieldname: Any) -> str:
    if "System Manager" not in site.permissions.roles(call.user):
        raise Refusal("PermissionError")
    document = site.document(call, doctype, str(name))
    password = site.tables.password(document.doctype.name, document.name, str(fieldname))
    if password is None:
        told = f"Password not found for {doctype} {name} {fieldname}"
        call.refuse(told, "AuthenticationError")
    return password


@whitelisted("frappe.client.is_document_amended")
def is_document_amended(site: Site, call: Call, doctype: Any, docname: Any) -> Any:
    """The name of the document that took its place, or false."""
    found = site.doctype(call, doctype)
    if "amended_from" not in found.kinds or not site.access.may_list(call.user, found):
        return False
    rows = site.tables.rows(found.name, amended_from=str(docname))
    return rows[0]["name"] if rows else None


@whitelisted("frappe.client.validate_link")
def validate_link(site: Site, call: Call, doctype: Any, docname: Any, fields: Any = None) -> Row:
    """The name as it is stored, and the wanted fields of the document, if it is there."""
    found = site.doctype(call, doctype)
    may = any(site.access.may_list(call.user, found, right) for right in ("select", "read"))
    if found.name != "DocType" and not may:
        told = f"You do not have Read or Select Permissions for {bold(found.name)}"
        call.refuse(told, "PermissionError")
    name = site.tables.value(found.name, str(docname), "name")
    wanted = parsed(fields)
    if name is None or not wanted:
        return {"name": name}
    values = get_value(site, call, found.name, wanted, filters={"name": name})
    return {"name": name, **values}


@whitelisted("frappe.client.get_doc_permissions")
def get_doc_permissions(site: Site, call: Call, doctype: Any, docname: Any) -> Row:
    document = site.document(call, doctype, str(docname))
    return {"permissions": site.access.told_rights(call.user, document)}
