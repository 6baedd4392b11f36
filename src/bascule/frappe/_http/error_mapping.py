"""From an answer that is no success to the error that it amounts to.

By Frappe's exception class first, by HTTP status where there is none. Nothing of the request but
what was asked for goes into an error.
"""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from bascule.frappe._http import messages
from bascule.frappe._http.models import Operation, Response
from bascule.frappe._http.web_server_errors import (
    FEWER_REQUESTS,
    LATER,
    MANY_REQUESTS,
    NEW_KEYS,
    UNKNOWN_KEY,
    web_server_error,
)
from bascule.frappe.doctype import DocType
from bascule.frappe.errors import (
    ChangedMeanwhile,
    Duplicate,
    FrappeError,
    Invalid,
    Linked,
    NoPermission,
    NotFound,
    RateLimited,
    SiteDown,
    Unavailable,
    WrongCredentials,
)

# A Python or SQL error of the site's own, which the same request brings up again.
_BROKEN = (
    "Check the fields, filters and order that were asked for; ERPNext's Error Log has the rest."
)
# ERPNext makes names of documents out of other texts, so it may be these that are too long.
_UNFIT = (
    "Shorten what is named, or what ERPNext makes it of: a Contact or an Address is named after "
    "its Customer or Supplier."
)

_TYPES: dict[str, type[FrappeError]] = {
    "AuthenticationError": WrongCredentials,
    "SessionExpired": WrongCredentials,
    "InvalidKeyError": WrongCredentials,
    "InvalidAuthorizationHeader": WrongCredentials,
    "InvalidAuthorizationPrefix": WrongCredentials,
    "InvalidAuthorizationToken": WrongCredentials,
    "PermissionError": NoPermission,
    "DoesNotExistError": NotFound,
    "PageDoesNotExistError": NotFound,
    "TimestampMismatchError": ChangedMeanwhile,
    "DuplicateEntryError": Duplicate,
    "UniqueValidationError": Duplicate,
    "LinkExistsError": Linked,
    "TooManyRequestsError": RateLimited,
    "RateLimitExceededError": RateLimited,
    "DocumentLockedError": Unavailable,
    # What the site's own database, cache or host did to it. The same request may succeed later.
    "SessionStopped": SiteDown,
    "InReadOnlyMode": SiteDown,
    "QueryTimeoutError": SiteDown,
    "QueryDeadlockError": SiteDown,
    "InterfaceError": SiteDown,
    "InternalError": SiteDown,
    "ConnectionError": SiteDown,
    "ConnectionRefusedError": SiteDown,
    "ConnectionResetError": SiteDown,
    "BrokenPipeError": SiteDown,
    "BusyLoadingError": SiteDown,
    "TimeoutError": SiteDown,
    "MemoryError": SiteDown,
}
_STATUSES: dict[int, type[FrappeError]] = {
    401: WrongCredentials,
    403: NoPermission,
    404: NotFound,
    429: RateLimited,
    500: SiteDown,
    502: SiteDown,
    503: SiteDown,
    504: SiteDown,
}
# One of these is in every refusal that Frappe writes.
_FRAPPES_OWN = {"exc_type", "exception", "exc", "_server_messages", "_error_message", "errors"}
# MariaDB's codes for a statement that it cannot take; any other OperationalError is its own state.
_BAD_STATEMENT = re.compile(r"\((?:1052|1054|1064|1146|1264|1292|1366|1406),")
_NO_METHOD = re.compile(r"^Failed to get method for command |^No module named ")

MOST_ROLES = 3  # named to a person, who gives one of them

_STEPS: dict[type[FrappeError], str] = {
    WrongCredentials: NEW_KEYS,
    NotFound: "Check the name; what is asked for may have been renamed or deleted.",
    ChangedMeanwhile: "Read the document again and repeat the change on what is there now.",
    Duplicate: "Use the document that is there, or choose another name.",
    Linked: "Delete or unlink the documents that it names first, or disable this one instead.",
    Invalid: "Correct what the site names and send it again.",
    RateLimited: FEWER_REQUESTS,
    SiteDown: LATER,
    Unavailable: "Try again in a few minutes.",
}


def error_of_refusal(response: Response, operation: Operation, site: str) -> FrappeError:
    """The error of an answer that is not 2xx. `site`: the address that was asked."""
    body = _object(response.body)
    if body is None or not _FRAPPES_OWN & set(body):
        return web_server_error(response, operation, site)
    told = messages.messages(body)
    kind = _kind(response, body, told)
    text = messages.sentences(told)
    if kind is NoPermission:
        return _no_permission(response, operation, text)
    if kind is WrongCredentials and "User Guest " in text:
        return seen_as_guest(response.status)
    about: dict[str, Any] = {
        "next_step": _STEPS[kind],
        "doctype": operation.doctype,
        "status": response.status,
    }
    if kind is Invalid and response.status >= 500:
        text = f"The site could not {operation} ({messages.exc_type(body)}). {text}".strip()
        about["next_step"] = _BROKEN
        if unfit := messages.unfit_column(body):
            text = f"The site could not {operation}: its database has no room for {unfit[0]}."
            about["next_step"] = _UNFIT
    if issubclass(kind, Invalid):
        about["fields"] = messages.fields(body, told, operation.meta)
    if issubclass(kind, Unavailable):
        about["retry_after"] = response.retry_after
    return kind(text or _unsaid(kind, response, operation), **about)


def _kind(response: Response, body: Mapping[str, Any], told: list[str]) -> type[FrappeError]:
    name = messages.exc_type(body)
    if any("User Guest " in text for text in told):
        return WrongCredentials  # credentials were sent, and got lost on the way
    if name == "OperationalError" and not _BAD_STATEMENT.search(messages.exception(body)):
        return SiteDown
    if name == "ValidationError" and _NO_METHOD.search(
        messages.without_class(messages.exception(body))
    ):
        return NotFound
    return _TYPES.get(name) or (Invalid if name else _STATUSES.get(response.status, Invalid))


def _unsaid(kind: type[FrappeError], response: Response, operation: Operation) -> str:
    if kind is WrongCredentials:
        return UNKNOWN_KEY
    if kind is NotFound:
        quoted = f" '{operation.name}'" if operation.name else ""
        return f"The site has no {operation.target}{quoted}."
    if kind is RateLimited:
        return MANY_REQUESTS
    return f"The site refused to {operation} with status {response.status} and gave no reason."


def _no_permission(response: Response, operation: Operation, text: str) -> NoPermission:
    return NoPermission(
        f"The user may not {operation}." + (f" {text}" if text else ""),
        next_step="Give the user a role that may do this (in ERPNext: User, Roles).",
        doctype=messages.doctype_refused(text) or operation.doctype,
        status=response.status,
        field=messages.field_refused(text),
    )


def seen_as_guest(status: int | None) -> WrongCredentials:
    return WrongCredentials(
        "The site took us for a guest: the credentials did not reach it.",
        next_step="Let the proxy before the site pass the Authorization header on.",
        status=status,
    )


def with_roles(error: NoPermission, roles: tuple[str, ...]) -> NoPermission:
    """The same refusal, now that the roles that would help are known."""
    if not roles:
        return error
    return NoPermission(
        str(error),
        next_step=f"Give the user one of these roles in ERPNext: {', '.join(roles[:MOST_ROLES])}.",
        doctype=error.doctype,
        status=error.status,
        roles=roles,
    )


def field_above_level(error: NoPermission, meta: DocType | None, name: str) -> NoPermission:
    """The same refusal, of a field: roles that read the DocType do not help at its level."""
    field = meta.field(name) if meta else None
    level = field.permlevel if field else 0
    roles = meta.roles_that_may("read", level) if meta and level else ()
    such = f", such as {', '.join(roles[:MOST_ROLES])}" if roles else ""
    at = f" at permission level {level}" if level else ""
    return NoPermission(
        str(error),
        next_step=f"Give the user a role that may read the field {name}{at}{such} (in ERPNext: "
        "Role Permissions Manager), or leave the field out of what is asked for.",
        doctype=error.doctype,
        status=error.status,
        roles=roles,
        field=error.field,
    )


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return found if isinstance(found, dict) else None
