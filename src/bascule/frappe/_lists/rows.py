"""Lists as objects, for people and for small look-ups; pages of the mirror are `page_fetch`'s."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bascule.frappe._http.body import MAX_LIST
from bascule.frappe._http.models import Operation, Response
from bascule.frappe._http.response import check_rows, member, unexpected_shape
from bascule.frappe._versions import fields_for, has_functions, major_of
from bascule.frappe.errors import Invalid

if TYPE_CHECKING:
    from bascule.frappe._client import Client

PATH = "/api/method/frappe.client.get_list"


async def fetch_rows(
    client: "Client",
    operation: Operation,
    fields: Sequence[str],
    *,
    limit: int,
    parent: str | None = None,
    **query: Any,
) -> list[dict[str, Any]]:
    """Documents as objects, functions in `fields` in the form that this version takes."""
    body: dict[str, Any] = {
        "doctype": operation.target,
        "limit_page_length": limit,
        **({"parent": parent} if parent else {}),
        **{name: value for name, value in query.items() if value},
    }
    if not has_functions(fields):
        return await _objects(client, operation, {**body, "fields": fields})
    tried = client.major
    refused = None
    try:
        return await _objects(client, operation, {**body, "fields": fields_for(tried, fields)})
    except Invalid as error:
        refused = error
    if not client.major_was_told:  # the site may be another one than it was when it told
        await fetch_versions(client)
    if fields_for(client.major, fields) == fields_for(tried, fields):
        raise refused
    return await _objects(client, operation, {**body, "fields": fields_for(client.major, fields)})


async def _objects(
    client: "Client", operation: Operation, body: dict[str, Any]
) -> list[dict[str, Any]]:
    def rows(response: Response) -> list[dict[str, Any]]:
        found = member(response, operation, "message")
        if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
            raise unexpected_shape(response, operation)
        check_rows(len(found), body["limit_page_length"], operation)
        return found

    return await client.session.read("POST", PATH, operation, rows, json=body, most=MAX_LIST)


async def fetch_versions(client: "Client") -> dict[str, str]:
    """The version of each installed app; Frappe's major version is remembered."""
    apps = await client.get("frappe.utils.change_log.get_versions")
    found = {
        app: str(about["version"])
        for app, about in (apps.items() if isinstance(apps, dict) else ())
        if isinstance(about, dict) and about.get("version")
    }
    client.major = major_of(found) or client.major
    client.major_was_told = True
    return found
