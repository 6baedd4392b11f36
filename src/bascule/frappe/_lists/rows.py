"""Lists as objects, for people and for small look-ups; pages for the mirror are `page_fetch`'s.

Copes with what versions of Frappe do not agree on.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bascule.frappe._http.body import MAX_LIST
from bascule.frappe._http.models import Operation, Response
from bascule.frappe._http.response import check_rows, member, misshapen
from bascule.frappe._lists.filters import function_dicts, has_functions
from bascule.frappe.errors import Invalid

if TYPE_CHECKING:
    from bascule.frappe._client import Client

PATH = "/api/method/frappe.client.get_list"
# From this version on a function in `fields` is a dict and text is refused; before, the reverse.
FUNCTION_DICTS_SINCE = 16


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
        return await _objects(client, operation, {**body, "fields": _written(fields, tried)})
    except Invalid as error:
        refused = error
    if not client.major_was_told:  # the site may be another one than it was when it told
        await fetch_versions(client)
    if _written(fields, client.major) == _written(fields, tried):
        raise refused
    return await _objects(client, operation, {**body, "fields": _written(fields, client.major)})


def _written(fields: Sequence[str], major: int | None) -> Sequence[Any]:
    return fields if (major or 0) < FUNCTION_DICTS_SINCE else function_dicts(fields)


async def _objects(
    client: "Client", operation: Operation, body: dict[str, Any]
) -> list[dict[str, Any]]:
    def rows(response: Response) -> list[dict[str, Any]]:
        found = member(response, operation, "message")
        if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
            raise misshapen(response, operation)
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


def major_of(versions: Mapping[str, str] | None) -> int | None:
    """Frappe's major version, from what `fetch_versions` gave."""
    major = str((versions or {}).get("frappe") or "").partition(".")[0]
    return int(major) if major.isdigit() else None
