"""What the API answers: a result or a refusal, as Frappe's two versions of it write them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from bascule.sandbox.core.access.permissions import GUEST
from bascule.sandbox.core.database.tables import Row
from bascule.sandbox.core.errors import Call, Refusal
from bascule.sandbox.core.versions import SIXTEEN
from bascule.sandbox.core.webhooks.webhooks import Due

REQUEST_LINE = 4094
_TRACEBACK = "Traceback (most recent call last):\n"


@dataclass
class Ask:
    """A request: `path` as it came, percent signs and all; `headers` by lower-case name."""

    verb: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Answer:
    status: int
    body: bytes
    content_type: str = "application/json"
    webhooks: list[Due] = field(default_factory=list)
    moved: str = ""  # to another path
    cookies: list[str] = field(default_factory=list)  # Set-Cookie headers


def encoded(body: Row, call: Call) -> bytes:
    if call.v2:
        if call.messages:
            body["messages"] = call.messages
        if call.debug:
            body["debug"] = [{"message": text} for text in call.debug]
    else:
        body |= _told(call)
    return msgspec.json.encode(body)


def _told(call: Call) -> Row:
    told: Row = {}
    if call.messages:
        told["_server_messages"] = json.dumps([json.dumps(one) for one in call.messages])
    if call.debug:
        told["_debug_messages"] = json.dumps(call.debug)
    if call.error_message:
        told["_error_message"] = call.error_message
    return told


def refused(call: Call, refusal: Refusal, ask: Ask) -> Answer:
    if refusal.module == "werkzeug.exceptions":
        title, text = _WERKZEUG.get(refusal.kind, ("Not Found", refusal.text))
        page = _WERKZEUG_PAGE.format(status=refusal.status, title=title, text=text)
        return Answer(refusal.status, page.encode(), "text/html; charset=utf-8")
    accept = ask.headers.get("accept", "")
    for_people = accept.startswith("text") or not ask.path.startswith("/api/")
    by_script = accept and ask.headers.get("x-requested-with") == "XMLHttpRequest"
    if for_people and not by_script and "application/json" not in accept:
        return _page(refusal.status)
    traced = _traced(call, refusal)
    if refusal.debug:
        call.debug.append(refusal.debug)
    if not traced and call.major >= SIXTEEN:
        call.debug.clear()
    traceback = f"{_TRACEBACK}{refusal.line(call.major)}\n"
    if call.v2:
        error: Row = {"type": refusal.kind}
        if traced:
            error["exception"] = traceback
        for message in call.messages:
            if message.get("__frappe_exc_id") == refusal.exc_id:  # none is like none
                call.messages.remove(message)
                message.pop("__frappe_exc_id", None)
                message.pop("raise_exception", None)
                error |= message
                break
        return Answer(refusal.status, encoded({"errors": [error]}, call))
    body: Row = dict(call.extras)
    if traced:
        body["exception"] = refusal.line(call.major)
    body["exc_type"] = refusal.kind
    if refusal.source and traced:
        body["_exc_source"] = refusal.source
    if traced:
        body["exc"] = json.dumps([traceback])
    return Answer(refusal.status, encoded(body, call))


def _traced(call: Call, refusal: Refusal) -> bool:
    """Whether the answer holds the traceback: by version 16 not for a guest."""
    if refusal.kind == "CSRFTokenError":
        return False
    if call.major >= SIXTEEN and (call.user == GUEST or refusal.untraced):
        return False
    return refusal.status != 404


_WERKZEUG_PAGE = (
    "<!doctype html>\n<html lang=en>\n<title>{status} {title}</title>\n"
    "<h1>{title}</h1>\n<p>{text}</p>\n"
)
_WERKZEUG = {
    "Forbidden": ("Forbidden", "You don't have permission to access this file"),
    "MethodNotAllowed": ("Method Not Allowed", "The method is not allowed for the requested URL."),
}
_TITLES = {401: "Session Expired", 403: "Not Permitted", 404: "Not Found"}


def _page(status: int) -> Answer:
    title = _TITLES.get(status, "Server Error")
    text = (
        "<!DOCTYPE html>\n<!-- Built on Frappe. https://frappeframework.com/ -->\n"
        '<html lang="en">\n<head>\n\t<meta charset="utf-8">\n\t'
        f"<title>{title}</title>\n</head>\n<body>\n\t<h1>{title}</h1>\n</body>\n</html>\n"
    )
    return Answer(status, text.encode(), "text/html; charset=utf-8")


def line_too_long(length: int) -> Answer:
    """What the web server in front of Frappe says of itself."""
    text = (
        "<html>\n  <head>\n    <title>Bad Request</title>\n  </head>\n  <body>\n"
        "    <h1><p>Bad Request</p></h1>\n"
        f"    Request Line is too large ({length} &gt; {REQUEST_LINE})\n  </body>\n</html>\n"
    )
    return Answer(400, text.encode(), "text/html")
