"""Lists as objects, for people and for small look-ups; pages for the mirror are `listing`'s.

Copes with what versions of Frappe do not agree on.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bascule.frappe.answer import Answer, Asked, member, misshapen
from bascule.frappe.errors import Invalid
from bascule.frappe.filters import function_dicts, has_functions

if TYPE_CHECKING:
    from bascule.frappe.asking import Asking

PATH = "/api/method/frappe.client.get_list"
# From this version on a function in `fields` is a dict and text is refused; before, the reverse.
FUNCTION_DICTS_SINCE = 16


async def fetch_rows(
    asking: "Asking",
    asked: Asked,
    fields: Sequence[str],
    *,
    limit: int,
    parent: str | None = None,
    **query: Any,
) -> list[dict[str, Any]]:
    """Documents as objects, functions in `fields` in the form that this version takes."""
    body: dict[str, Any] = {
        "doctype": asked.of,
        "limit_page_length": limit,
        **({"parent": parent} if parent else {}),
        **{name: value for name, value in query.items() if value},
    }
    if not has_functions(fields):
        return await _objects(asking, asked, {**body, "fields": fields})
    if asking.major is None or asking.major < FUNCTION_DICTS_SINCE:
        refused = None
        try:
            return await _objects(asking, asked, {**body, "fields": fields})
        except Invalid as error:
            refused = error
        if asking.major is None:
            await fetch_versions(asking)
        if (asking.major or 0) < FUNCTION_DICTS_SINCE:
            raise refused
    return await _objects(asking, asked, {**body, "fields": function_dicts(fields)})


async def _objects(asking: "Asking", asked: Asked, body: dict[str, Any]) -> list[dict[str, Any]]:
    def rows(answer: Answer) -> list[dict[str, Any]]:
        found = member(answer, asked, "message")
        if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
            raise misshapen(answer, asked)
        return found

    return await asking.wire.read("POST", PATH, asked, rows, json=body)


async def fetch_versions(asking: "Asking") -> dict[str, str]:
    """The version of each installed app; Frappe's major version is remembered."""
    apps = await asking.get("frappe.utils.change_log.get_versions")
    found = {
        app: str(about["version"])
        for app, about in (apps.items() if isinstance(apps, dict) else ())
        if isinstance(about, dict) and about.get("version")
    }
    major = found.get("frappe", "").partition(".")[0]
    asking.major = int(major) if major.isdigit() else asking.major
    return found
