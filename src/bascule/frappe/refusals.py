"""From an answer that is no success to the error that it amounts to.

By Frappe's exception class first, by HTTP status where there is none. Nothing of the request but
what was asked for goes into an error.
"""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from bascule.frappe import said
from bascule.frappe.answer import Answer, Asked
from bascule.frappe.errors import (
    ChangedMeanwhile,
    Duplicate,
    FrappeError,
    Invalid,
    Linked,
    NoPermission,
    NotAFrappeSite,
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

_STEPS: dict[type[FrappeError], str] = {
    WrongCredentials: "Generate new keys for the user in ERPNext (User, Settings, API Access) and "
    "give Bascule both the API key and the API secret.",
    NotFound: "Check the name; what is asked for may have been renamed or deleted.",
    ChangedMeanwhile: "Read the document again and repeat the change on what is there now.",
    Duplicate: "Use the document that is there, or choose another name.",
    Linked: "Delete or unlink the documents that it names first, or disable this one instead.",
    Invalid: "Correct what the site names and send it again.",
    RateLimited: "Wait a little, then try again with fewer requests at a time.",
    SiteDown: "Try again in a few minutes; if it stays, look at the site itself and its logs.",
    Unavailable: "Try again in a few minutes.",
}


def refusal(answer: Answer, asked: Asked) -> FrappeError:
    """The error of an answer that is not 2xx."""
    body = _object(answer.body)
    if body is None or not _FRAPPES_OWN & set(body):
        return _from_the_web_server(answer, asked)
    told = said.messages(body)
    kind = _kind(answer, body, told)
    text = said.sentences(told)
    if kind is NoPermission:
        return _no_permission(answer, asked, text)
    if kind is WrongCredentials and "User Guest " in text:
        return taken_for_guest(answer.status)
    about: dict[str, Any] = {
        "next_step": _STEPS[kind],
        "doctype": asked.doctype,
        "status": answer.status,
    }
    if kind is Invalid and answer.status >= 500:
        text = f"The site could not {asked} ({said.exc_type(body)}). {text}".strip()
        about["next_step"] = _BROKEN
    if issubclass(kind, Invalid):
        about["fields"] = said.fields(body, told, asked.meta)
    if issubclass(kind, Unavailable):
        about["retry_after"] = answer.retry_after
    return kind(text or _unsaid(kind, answer, asked), **about)


def _kind(answer: Answer, body: Mapping[str, Any], told: list[str]) -> type[FrappeError]:
    name = said.exc_type(body)
    if any("User Guest " in text for text in told):
        return WrongCredentials  # credentials were sent, and got lost on the way
    if name == "OperationalError" and not _BAD_STATEMENT.search(said.exception(body)):
        return SiteDown
    if name == "ValidationError" and _NO_METHOD.search(said.without_class(said.exception(body))):
        return NotFound
    return _TYPES.get(name) or (Invalid if name else _STATUSES.get(answer.status, Invalid))


def _unsaid(kind: type[FrappeError], answer: Answer, asked: Asked) -> str:
    if kind is WrongCredentials:
        return "The site does not know this API key with this secret."
    if kind is NotFound:
        quoted = f" '{asked.name}'" if asked.name else ""
        return f"The site has no {asked.of}{quoted}."
    if kind is RateLimited:
        return "The site got more requests than it allows."
    return f"The site refused to {asked} with status {answer.status} and gave no reason."


def _no_permission(answer: Answer, asked: Asked, text: str) -> NoPermission:
    return NoPermission(
        f"The user may not {asked}." + (f" {text}" if text else ""),
        next_step="Give the user a role that may do this (in ERPNext: User, Roles).",
        doctype=asked.doctype,
        status=answer.status,
    )


def taken_for_guest(status: int | None) -> WrongCredentials:
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
        next_step=f"Give the user one of these roles in ERPNext: {', '.join(roles)}.",
        doctype=error.doctype,
        status=error.status,
        roles=roles,
    )


def _from_the_web_server(answer: Answer, asked: Asked) -> FrappeError:
    """The error of an answer that is no JSON object: Frappe did not write it for a client."""
    status = answer.status
    about: dict[str, Any] = {"doctype": asked.doctype, "status": status}
    if 300 <= status < 400:
        return _redirected(answer, about)
    if status in (401, 429):
        kind = _STATUSES[status]
        if kind is RateLimited:
            about["retry_after"] = answer.retry_after
        return kind(_unsaid(kind, answer, asked), next_step=_STEPS[kind], **about)
    if status >= 500:
        return SiteDown(
            f"The site is down or overloaded: its web server answered {status}.",
            next_step=_STEPS[SiteDown],
            retry_after=answer.retry_after,
            **about,
        )
    if status in (400, 413, 414, 431):
        return Invalid(
            f"The site's web server refused the request with status {status}: it is too large "
            "for it, or malformed.",
            next_step="Send less at once; what a URL cannot hold goes by POST.",
            **about,
        )
    return NotAFrappeSite(
        f"What answers at this address answered {status}, and not as a Frappe site does.",
        next_step="Check the site's address; a firewall or proxy before it must let /api through.",
        **about,
    )


def _redirected(answer: Answer, about: dict[str, Any]) -> FrappeError:
    to = answer.headers.get("Location", "").partition("?")[0].partition("#")[0]
    address = to.partition("/api/")[0] if "://" in to and "@" not in to else None
    if address:
        step = f"Use {address} as the site's address."
    else:
        step = "Check the site's address: it leads to a page for people, perhaps a login."
    return NotAFrappeSite(
        f"The address redirects{f' to {address}' if address else ''}, and credentials are not "
        "sent on to where a redirect leads.",
        next_step=step,
        **about,
    )


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return found if isinstance(found, dict) else None
