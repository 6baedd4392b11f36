"""The REST API, versions 1 and 2: from a request's parts to an answer's, as Frappe routes it.

Knows nothing of sockets; `server` puts it behind HTTP.
"""

import base64
import binascii
import json
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import parse_qsl, unquote

import msgspec

from bascule.sandbox import deleting, desk, desk_actions, methods, saving, writes
from bascule.sandbox.errors import Call, Refusal, python_error
from bascule.sandbox.events import Due, due
from bascule.sandbox.metadata import meta
from bascule.sandbox.permissions import GUEST
from bascule.sandbox.site import Site
from bascule.sandbox.tables import Row
from bascule.sandbox.values import sbool

_log = logging.getLogger(__name__)
_REQUEST_LINE = 4094
# The methods are known once their modules are.
CALLABLE = (desk, desk_actions, methods, writes)
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


_Route = Callable[..., Any]


class Api:
    def __init__(self, site: Site) -> None:
        self._site = site

    def answer(self, ask: Ask) -> Answer:
        if ask.verb == "OPTIONS":
            return Answer(200, b"", "text/plain; charset=utf-8")
        if ask.verb == "HEAD":  # a GET whose body stays behind
            ask = replace(ask, verb="GET")
        target = f"{ask.path}?{ask.query}" if ask.query else ask.path
        line = len(f"{ask.verb} {target} HTTP/1.1")
        if line > _REQUEST_LINE:
            return _line_too_long(line)
        parts = [part for part in unquote(ask.path).split("/") if part]
        v2 = parts[:2] == ["api", "v2"]
        call = Call(GUEST, method=ask.verb, v2=v2)
        try:
            with self._site.transaction():
                form = _form(call, ask)
                call.user = self._user(ask)
                body = self._routed(call, parts, form, ask)
        except Refusal as refusal:
            return _refused(call, refusal, ask)
        except Exception as error:
            # Whatever goes wrong, Frappe says it with a 500, and so does this.
            _log.exception("A call of %s %s failed", ask.verb, ask.path)
            return _refused(call, python_error(error), ask)
        return Answer(call.status, _encoded(body, call), webhooks=due(call))

    def _user(self, ask: Ask) -> str:
        """The user of the Authorization header; Guest without one; 401 when it is no good."""
        parts = ask.headers.get("authorization", "").split(" ")
        if len(parts) != 2:
            return GUEST
        scheme, token = parts[0].lower(), parts[1]
        if scheme == "basic":
            try:
                token = base64.b64decode(token).decode("utf-8", "replace")
            except binascii.Error as error:
                told = "Failed to decode token, please provide a valid base64-encoded token."
                raise Refusal("InvalidAuthorizationToken", told) from error
        key, colon, secret = token.partition(":")
        known = scheme in ("basic", "token") and colon and ":" not in secret
        user = self._site.permissions.authenticated(key, secret) if known else None
        if user is None:
            raise Refusal("AuthenticationError")
        return user

    def _routed(self, call: Call, parts: list[str], form: Row, ask: Ask) -> Row:
        route = _ROUTES_V2 if call.v2 else _ROUTES_V1
        rest = parts[2:] if parts[1:2] in (["v1"], ["v2"]) else parts[1:]
        if parts[:1] != ["api"] or not rest:
            raise Refusal("DoesNotExistError")
        kind, names = rest[0], rest[1:]
        if kind == "method" and names:
            name = names[0] if not call.v2 else _method_of(names)
            result = methods.run(self._site, call, name, form)
            shown = {} if result is None else {"data" if call.v2 else "message": result}
            return {**shown, **call.extras}
        shape = min(len(names), 2)
        function = route.get((kind, ask.verb, shape))
        if kind == "doctype" and call.v2 and len(names) == 2:
            kind, names, shape = f"doctype/{names[1]}", names[:1], 1
            function = route.get((kind, ask.verb, shape))
        if kind == "document" and len(names) > 3 and names[-2] == "method":
            about = (names[0], "/".join(names[1:-2]))
            return {"data": _document_method(self._site, call, about, names[-1])}
        if function is None:
            # With a path of any length for a name, routes of other methods do not count as known.
            if shape == 1 and any(key[0] == kind and key[2] == 1 for key in route):
                raise Refusal("MethodNotAllowed", module="werkzeug.exceptions", status=405)
            raise Refusal("DoesNotExistError")
        arguments = [names[0], "/".join(names[1:])][:shape]
        result = function(self._site, call, *arguments, form=form)
        return {} if result is None else {"data": result}


def _method_of(names: list[str]) -> str:
    return ".".join(names)


def _form(call: Call, ask: Ask) -> Row:
    """What Frappe calls the form: the JSON body, or else the query and the form's fields."""
    content_type = ask.headers.get("content-type", "").partition(";")[0].strip().lower()
    if ask.body and (content_type == "application/json" or content_type.endswith("+json")):
        try:
            values = json.loads(ask.body)
        except ValueError as error:
            raise python_error(error) from error
        if isinstance(values, dict):
            return values
        if isinstance(values, list):
            return {"data": values}
        call.refuse("Invalid request arguments")
    form = dict(parse_qsl(ask.query, keep_blank_values=True))
    if content_type == "application/x-www-form-urlencoded":
        form |= dict(parse_qsl(ask.body.decode("utf-8", "replace"), keep_blank_values=True))
    form.pop("_", None)
    if ask.body and "data" not in form and not content_type.startswith("application/x-www"):
        try:
            read = json.loads(ask.body)
        except ValueError:
            return form
        return {**form, "data": read} if isinstance(read, dict) else form
    return form


def _list(site: Site, call: Call, doctype: str, *, form: Row) -> Any:
    fields = form.get("fields")
    if fields:
        fields = methods.parsed(fields)
    if call.v2:
        limit: Any = form.get("limit") or 20
    else:
        limit = form.get("limit_page_length", form.get("limit") or 20)
        form |= {name: sbool(form[name]) for name in ("as_dict", "debug") if name in form}
    given = {**form, "doctype": doctype, "fields": fields, "limit_page_length": limit}
    return methods.call_function(site, call, "frappe.client.get_list", given)


def _read(site: Site, call: Call, doctype: str, name: str, *, form: Row) -> Any:
    if not call.v2 and "run_method" in form:
        return _run_on_document(site, call, doctype, name, form=form)
    document = site.document(call, doctype, name)
    if call.v2:
        site.check(call, document, "read")
    elif not site.may(call, document, "read"):
        raise Refusal("PermissionError")
    return site.shown(call, document)


def _count(site: Site, call: Call, doctype: str, *, form: Row) -> int:
    given = {**form, "doctype": doctype}
    return int(methods.call_function(site, call, "frappe.desk.reportview.get_count", given))


def _meta(site: Site, call: Call, doctype: str, *, form: Row) -> Row:
    if call.user == GUEST:
        raise Refusal("PermissionError", "Not permitted")
    return meta(site.doctype(call, doctype))


def _create(site: Site, call: Call, doctype: str, *, form: Row) -> Row:
    document = saving.new(site, call, doctype, _values(call, form, "doctype"))
    return site.shown(call, saving.insert(site, call, document))


def _update(site: Site, call: Call, doctype: str, name: str, *, form: Row) -> Row:
    values = _values(call, form, "flags")
    document = site.document(call, doctype, name)
    document.update(site.schema, values)
    return site.shown(call, saving.save(site, call, document))


def _values(call: Call, form: Row, *without: str) -> Row:
    """Version 1 takes the values from `data`, if that is JSON; version 2 as they are."""
    values = form
    if not call.v2 and form.get("data") is not None:
        try:
            values = methods.parsed(form["data"])
        except Refusal:
            values = form
        if isinstance(values, list):
            told = "pop expected at most 1 argument, got 2"
            raise Refusal("TypeError", told, module="", status=500)
        if not isinstance(values, dict):
            told = f"'{type(values).__name__}' object has no attribute 'pop'"
            raise Refusal("AttributeError", told, module="", status=500)
    return {key: value for key, value in values.items() if key not in without}


def _delete(site: Site, call: Call, doctype: str, name: str, *, form: Row) -> str:
    if call.v2:
        writes.delete_document(site, call, doctype, name)
    else:
        deleting.delete(site, call, doctype, name)
    call.status = 202
    return "ok"


def _document_method(site: Site, call: Call, names: tuple[str, str], method: str) -> Any:
    """`submit` and `cancel`, the methods that every document has and that callers may call."""
    document = site.document(call, *names)
    if method in _OF_DOCUMENTS:
        methods.not_whitelisted(call, f"frappe.model.document.{method}")
    if method not in ("submit", "cancel"):
        told = f"Method {method} not found"
        raise Refusal("NotFound", told, module="werkzeug.exceptions", status=404)
    right = "read" if call.method == "GET" else "write"
    if call.v2:
        site.check(call, document, right)
    elif not site.may(call, document, right):
        call.refuse("Not permitted", "PermissionError")
    document["docstatus"] = 1 if method == "submit" else 2
    return site.shown(call, saving.save(site, call, document))


def _run_on_document(site: Site, call: Call, doctype: str, name: str, *, form: Row) -> Any:
    try:
        method = str(form["run_method"])
    except KeyError as error:
        raise python_error(error) from error
    return _document_method(site, call, (doctype, name), method)


# Every document has these, and no caller may call them.
_OF_DOCUMENTS = {
    *("append", "as_dict", "as_json", "check_permission", "clear_cache", "db_get", "db_insert"),
    *("db_set", "db_update", "delete", "extend", "get", "get_all_children", "get_formatted"),
    *("get_password", "get_title", "get_url", "get_value", "has_permission", "insert", "is_new"),
    *("load_from_db", "lock", "notify_update", "reload", "remove", "run_method", "save", "set"),
    *("set_new_name", "unlock", "update", "validate_value"),
}


_ROUTES_V1: dict[tuple[str, str, int], _Route] = {
    ("resource", "GET", 1): _list,
    ("resource", "GET", 2): _read,
    ("resource", "POST", 1): _create,
    ("resource", "PUT", 2): _update,
    ("resource", "DELETE", 2): _delete,
    ("resource", "POST", 2): _run_on_document,
}
_ROUTES_V2: dict[tuple[str, str, int], _Route] = {
    ("document", "GET", 1): _list,
    ("document", "GET", 2): _read,
    ("document", "POST", 1): _create,
    ("document", "PUT", 2): _update,
    ("document", "PATCH", 2): _update,
    ("document", "DELETE", 2): _delete,
    ("doctype/count", "GET", 1): _count,
    ("doctype/meta", "GET", 1): _meta,
}


def _encoded(body: Row, call: Call) -> bytes:
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


def _refused(call: Call, refusal: Refusal, ask: Ask) -> Answer:
    if refusal.module == "werkzeug.exceptions":
        title, text = _WERKZEUG.get(refusal.kind, ("Not Found", refusal.text))
        page = _WERKZEUG_PAGE.format(status=refusal.status, title=title, text=text)
        return Answer(refusal.status, page.encode(), "text/html; charset=utf-8")
    accept = ask.headers.get("accept", "")
    for_people = accept.startswith("text") or not ask.path.startswith("/api/")
    if for_people and "application/json" not in accept:
        return _page(refusal.status)
    if refusal.debug:
        call.debug.append(refusal.debug)
    traceback = f"{_TRACEBACK}{refusal.line}\n"
    if call.v2:
        error: Row = {"type": refusal.kind}
        if refusal.status != 404:
            error["exception"] = traceback
        for message in call.messages:
            if message.get("__frappe_exc_id") == refusal.exc_id:  # none is like none
                call.messages.remove(message)
                message.pop("__frappe_exc_id", None)
                message.pop("raise_exception", None)
                error |= message
                break
        return Answer(refusal.status, _encoded({"errors": [error]}, call))
    body: Row = {}
    if refusal.status != 404:
        body["exception"] = refusal.line
    body["exc_type"] = refusal.kind
    if refusal.source:
        body["_exc_source"] = refusal.source
    if refusal.status != 404:
        body["exc"] = json.dumps([traceback])
    return Answer(refusal.status, _encoded(body, call))


_WERKZEUG_PAGE = (
    "<!doctype html>\n<html lang=en>\n<title>{status} {title}</title>\n"
    "<h1>{title}</h1>\n<p>{text}</p>\n"
)
_WERKZEUG = {
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


def _line_too_long(length: int) -> Answer:
    """What the web server in front of Frappe says of itself."""
    text = (
        "<html>\n  <head>\n    <title>Bad Request</title>\n  </head>\n  <body>\n"
        "    <h1><p>Bad Request</p></h1>\n"
        f"    Request Line is too large ({length} &gt; {_REQUEST_LINE})\n  </body>\n</html>\n"
    )
    return Answer(400, text.encode(), "text/html")
