"""A DocType's definition, custom fields and changed properties included, by the first route that
this site and this user have.

API v2 from version 15 on and the desk's own call in all versions are open to every desk user; the
DocType documents themselves only to a System Manager. Only the desk's call says which fields are
masked for the user, so it is made where some may be.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from bascule.frappe._http.models import Operation, Response
from bascule.frappe._http.response import document, member, unexpected_shape
from bascule.frappe._lists.rows import fetch_rows
from bascule.frappe._versions import may_have_api_v2
from bascule.frappe.doctype import DocType, doctype_from
from bascule.frappe.errors import FrappeError, Invalid, NoPermission, NotAFrappeSite, NotFound

if TYPE_CHECKING:
    from bascule.frappe._client import Client

_CUSTOM_FIELDS = (
    "fieldname", "fieldtype", "label", "options", "reqd", "unique", "permlevel", "length",
    "read_only", "hidden", "is_virtual", "default",
)  # fmt: skip
_NUMBERS = {"reqd", "unique", "permlevel", "length", "read_only", "hidden", "is_virtual", "mask"}


async def fetch_meta(client: "Client", doctype: str) -> DocType:
    """NotFound when the site has no such DocType; NoPermission when no route is open."""
    routes = [_by_desk, _by_documents]
    if may_have_api_v2(client.major):
        routes.insert(0, _by_v2)
    refused: FrappeError | None = None
    for route in routes:
        try:
            found = await route(client, doctype)
            return await _as_the_desk_says(client, found) if route is _by_v2 else found
        except (NotFound, NoPermission, Invalid, NotAFrappeSite) as error:
            # What is not found may be the route: the last refusal knows best, unless it is vaguer.
            if refused is None or not isinstance(error, NotFound) or route is _by_documents:
                refused = error
    if isinstance(refused, NoPermission):
        raise NoPermission(
            f"The user may not read what the DocType {doctype} is made of.",
            next_step="Give the user a desk role, such as one that may read the documents; "
            "System Manager reads every DocType.",
            doctype=doctype,
            status=refused.status,
            roles=("System Manager",),
        )
    assert refused is not None  # noqa: S101 - there is always a route
    raise refused


async def _by_v2(client: "Client", doctype: str) -> DocType:
    operation = Operation("read", doctype)
    path = f"/api/v2/doctype/{quote(doctype, safe='')}/meta"

    def take(response: Response) -> DocType:
        return _doctype(response, operation, member(response, operation, "data"))

    return await client.session.read("GET", path, operation, take)


async def _as_the_desk_says(client: "Client", found: DocType) -> DocType:
    """The same with the fields masked that are masked for this user. Who may not ask the desk has
    every field taken from him that may be masked.
    """
    if not found.masked_for_user:
        return found
    try:
        return await _by_desk(client, found.name)
    except (NotFound, NoPermission, Invalid, NotAFrappeSite):
        return found


async def _by_desk(client: "Client", doctype: str) -> DocType:
    """frappe.desk.form.load.getdoctype answers the DocType with those of its child tables."""
    operation = Operation("read", doctype)
    path = f"/api/method/frappe.desk.form.load.getdoctype?doctype={quote(doctype, safe='')}"

    def take(response: Response) -> DocType:
        bundle = member(response, operation, "docs")
        found = bundle if isinstance(bundle, list) else []
        known = [d for d in found if isinstance(d, dict)]
        wanted = [d for d in known if str(d.get("name")).casefold() == doctype.casefold()]
        return _doctype(response, operation, wanted[0] if wanted else None)

    return await client.session.read("GET", path, operation, take)


async def _by_documents(client: "Client", doctype: str) -> DocType:
    """The DocType as it was shipped, with what was customised since laid over it."""
    operation = Operation("read", doctype)
    path = f"/api/resource/DocType/{quote(doctype, safe='')}"

    def take(response: Response) -> dict[str, Any]:
        shipped = document(response, operation)
        _doctype(response, operation, shipped)
        return shipped

    definition = await client.session.read("GET", path, operation, take)
    added = await fetch_rows(
        client,
        Operation("read", "Custom Field"),
        _CUSTOM_FIELDS,
        filters=[["dt", "=", doctype]],
        order_by="idx asc",
        limit=0,
    )
    changed = await fetch_rows(
        client,
        Operation("read", "Property Setter"),
        ("field_name", "property", "value"),
        filters=[["doc_type", "=", doctype], ["doctype_or_field", "=", "DocField"]],
        limit=0,
    )
    fields = [dict(row) for row in definition["fields"]]
    fields += [{**row, "is_custom_field": 1} for row in added]
    by_name = {row.get("fieldname"): row for row in fields}
    for setter in changed:
        if (row := by_name.get(setter["field_name"])) is not None:
            name, value = setter["property"], setter["value"]
            row[name] = int(value or 0) if name in _NUMBERS else value
    return doctype_from({**definition, "fields": fields})


def _doctype(response: Response, operation: Operation, definition: Any) -> DocType:
    try:
        found = doctype_from(definition) if isinstance(definition, Mapping) else None
    except (KeyError, TypeError, ValueError):
        found = None
    if found is None:
        raise unexpected_shape(response, operation)
    return found
