"""Reads the JSON of a successful response, and says what is wrong with one of another shape.

What a refusal means is for `error_mapping` to say.
"""

from typing import Any

import msgspec

from bascule.frappe._http.models import Operation, Response
from bascule.frappe.errors import FrappeError, Invalid, NotAFrappeSite, SiteDown


def member(response: Response, operation: Operation, name: str, *, needed: bool = True) -> Any:
    """What the answer holds under this name. A method that returns nothing answers {}."""
    try:
        body = msgspec.json.decode(response.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        body = None
    if not isinstance(body, dict) or (needed and name not in body):
        raise unexpected_shape(response, operation)
    return body.get(name)


def document(response: Response, operation: Operation, within: str = "data") -> dict[str, Any]:
    found = member(response, operation, within)
    if not isinstance(found, dict):
        raise unexpected_shape(response, operation)
    return found


def check_rows(count: int, limit: int, operation: Operation) -> None:
    """Invalid where a list has more rows than were asked for. `limit` 0: all there are."""
    if limit and count > limit:
        raise Invalid(
            f"The site gave {count:,} rows of {operation.target} where {limit:,} were asked for.",
            next_step="Code of the site's own may list this DocType and not heed "
            "limit_page_length: have it mended, or leave the DocType out of what is mirrored.",
            doctype=operation.doctype,
        )


def unexpected_shape(response: Response, operation: Operation) -> FrappeError:
    """The error of a 2xx whose body is not what Frappe answers."""
    about: dict[str, Any] = {"doctype": operation.doctype, "status": response.status}
    if response.is_json and response.body[:1] in (b"{", b"[") and not _is_json(response.body):
        return SiteDown(
            "The answer broke off in the middle.",
            next_step="Try again in a few minutes; if it stays, look at the proxy before the site.",
            **about,
        )
    if operation.doctype and _is_a_methods(response):
        return Invalid(
            f"The site answered '{operation}' with JSON of another shape than documents have.",
            next_step=f"Leave {operation.doctype} out: a virtual DocType, or code of the site's "
            "own, may answer so. Who looks after that code can have it give what Frappe gives.",
            **about,
        )
    what = "JSON of another shape" if response.is_json else "a page, not data"
    return NotAFrappeSite(
        f"What answers at this address is not a Frappe site: it sent {what}.",
        next_step="Check the site's address; it is the one that you open ERPNext's desk with.",
        **about,
    )


def _is_a_methods(response: Response) -> bool:
    """Whether this is how Frappe wraps what a method returned: {} where that was nothing."""
    try:
        found = msgspec.json.decode(response.body, type=dict[str, msgspec.Raw])
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return False
    return not found or "message" in found


def _is_json(body: bytes) -> bool:
    try:
        msgspec.json.decode(body, type=msgspec.Raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return True
