"""The REST API, versions 1 and 2: from a request's parts to an answer's, as Frappe routes it.

Knows nothing of sockets; `server` puts it behind HTTP.
"""

import contextlib
import json
import logging
import re
from collections.abc import Callable
from dataclasses import replace
from email import message_from_bytes
from mimetypes import guess_type
from typing import Any
from urllib.parse import parse_qsl, unquote

from bascule.sandbox.core.access.access import no_access
from bascule.sandbox.core.access.permissions import GUEST
from bascule.sandbox.core.database.tables import Row
from bascule.sandbox.core.doctypes.metadata import meta
from bascule.sandbox.core.documents import attachments, deleting, saving
from bascule.sandbox.core.errors import Call, Refusal, python_error
from bascule.sandbox.core.http.answers import (
    REQUEST_LINE,
    Answer,
    Ask,
    encoded,
    line_too_long,
    refused,
)
from bascule.sandbox.core.http.authentication import cookies_after, identify
from bascule.sandbox.core.http.routes import is_v2, route
from bascule.sandbox.core.methods import (
    desk,
    desk_actions,
    document_methods,
    mapping,
    reads,
    search,
    sign_in,
    whitelist,
    writes,
)
from bascule.sandbox.core.query.query import Asked
from bascule.sandbox.core.site import Site
from bascule.sandbox.core.values import cint, sbool
from bascule.sandbox.core.versions import SIXTEEN
from bascule.sandbox.core.webhooks.webhooks import due

_log = logging.getLogger(__name__)

# What other requests change is taken back at their end.
_KEEPING = ("POST", "PUT", "DELETE", "PATCH")
# The methods are known once their modules are.
CALLABLE = (
    *(desk, desk_actions, document_methods, mapping, reads, search),
    *(sign_in, whitelist, writes),
)


_Endpoint = Callable[..., Any]


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
        if line > REQUEST_LINE:
            return line_too_long(line)
        path = unquote(ask.path)
        major = self._site.schema.major
        call = Call(GUEST, method=ask.verb, v2=is_v2(path), major=major)
        call.host = ask.headers.get("host", call.host)
        if major >= SIXTEEN and ask.verb == "GET" and re.match(r"/app(/|$)", path):
            return Answer(301, b"", "text/html; charset=utf-8", moved=f"/desk{ask.path[4:]}")
        answer = self._tried(call, path, ask)
        answer.cookies = cookies_after(self._site, call)
        return answer

    def _tried(self, call: Call, path: str, ask: Ask) -> Answer:
        keep = ask.verb in _KEEPING
        try:
            with self._site.transaction(keep=keep):
                form = _form(call, ask)
                identify(self._site, call, ask, form)
                if path.startswith(("/files/", "/private/files/")) and call.method == "GET":
                    kind = guess_type(path)[0] or "application/octet-stream"
                    return Answer(200, attachments.content_of(self._site, call, path), kind)
                body = self._answered(call, path, form)
        except Refusal as refusal:
            return refused(call, self._hidden(call, refusal), ask)
        except Exception as error:
            # Whatever goes wrong, Frappe says it with a 500, and so does this.
            _log.exception("A call of %s %s failed", ask.verb, ask.path)
            return refused(call, python_error(error, call.major), ask)
        return Answer(call.status, encoded(body, call), webhooks=due(call) if keep else [])

    def _hidden(self, call: Call, refusal: Refusal) -> Refusal:
        """Version 16 does not tell that something is not there to who may not read its kind."""
        schema, about = self._site.schema, refusal.about
        if call.major < SIXTEEN or about is None or about not in schema:
            return refusal
        doctype = schema[about]
        may = doctype.is_child or self._site.permissions.may(call.user, doctype, "read")
        return refusal if may else no_access(call, doctype)

    def _answered(self, call: Call, path: str, form: Row) -> Row:
        site = self._site
        if form.get("cmd"):  # an older way to name a method, on any path
            return _said(call, "message", whitelist.run(site, call, str(form.pop("cmd")), form))
        if not path.startswith("/api/"):
            if call.method in ("GET", "POST"):
                raise Refusal("DoesNotExistError")
            raise Refusal("NotFound", module="werkzeug.exceptions", status=404)
        found = route(call.method, path)
        if found.endpoint in ("method", "doctype_method"):
            method = found.given.pop("method")
            if found.v2 and found.given:
                method = f"{whitelist.module_of(site, found.given['doctype'])}.{method}"
            name = method if found.v2 else method.split("/")[0]
            return _said(
                call, "data" if found.v2 else "message", whitelist.run(site, call, name, form)
            )
        result = _ENDPOINTS[found.endpoint](site, call, form, **found.given)
        return _said(call, "data", result)


def _said(call: Call, key: str, result: Any) -> Row:
    return {**({} if result is None else {key: result}), **call.extras}


def _form(call: Call, ask: Ask) -> Row:
    """What Frappe calls the form: the JSON body, or else the query and the form's fields."""
    content_type = ask.headers.get("content-type", "").partition(";")[0].strip().lower()
    text = ask.body.decode("utf-8", "replace")
    is_json = re.fullmatch(r"application/(json|.*\+json)", content_type)
    if text and is_json:
        try:
            values = json.loads(text)
        except ValueError as error:
            if call.major >= SIXTEEN:
                call.refuse("Invalid request body", "DataError")
            raise python_error(error) from error
        if isinstance(values, dict):
            return values
        if isinstance(values, list):
            return {"data": values}
        call.refuse("Invalid request arguments")
    form = _fields(ask.query)
    if content_type == "application/x-www-form-urlencoded":
        form |= _fields(text)
    elif content_type == "multipart/form-data":
        form |= _parts(call, ask)
    form.pop("_", None)
    if text and form.get("data") is None and not call.v2:
        # Version 1 reads a body that is JSON for a document's values, whatever it is said to be.
        with contextlib.suppress(ValueError):
            form["data"] = json.loads(text)
    return form


def _fields(text: str) -> Row:
    """Of several values for a name the first is taken."""
    return dict(reversed(parse_qsl(text, keep_blank_values=True)))


def _parts(call: Call, ask: Ask) -> Row:
    """The fields of a form in parts; a file among them is the call's upload."""
    head = f"Content-Type: {ask.headers['content-type']}\r\n\r\n".encode()
    form: Row = {}
    for part in message_from_bytes(head + ask.body).walk():
        name = part.get_param("name", header="content-disposition")
        value = part.get_payload(decode=True)
        if not isinstance(name, str) or not isinstance(value, bytes):
            continue
        if filename := part.get_filename():
            call.upload = (filename, value)
        else:
            form.setdefault(name, value.decode("utf-8", "replace"))
    return form


def _list(site: Site, call: Call, form: Row, doctype: str) -> Any:
    fields = form.get("fields")
    if fields:
        fields = whitelist.parsed(fields)
    if call.v2 and call.major >= SIXTEEN:
        return _page_of(site, call, form, doctype)
    if call.v2:
        limit: Any = form.get("limit") or 20
    else:
        limit = form.get("limit_page_length", form.get("limit") or 20)
        form |= {name: sbool(form[name]) for name in ("as_dict", "debug") if name in form}
    _only_once(form, "doctype")
    given = {**form, "doctype": doctype, "fields": fields, "limit_page_length": limit}
    return whitelist.call_function(site, call, "frappe.client.get_list", given)


def _page_of(site: Site, call: Call, form: Row, doctype: str) -> list[Any]:
    """Version 2's list of version 16, which asks the query of no older API's checks."""
    limit = cint(form.get("limit", 20))
    asked = Asked(
        doctype,
        fields=whitelist.parsed(form["fields"]) if form.get("fields") else None,
        filters=whitelist.parsed(form["filters"]) if form.get("filters") else None,
        order_by=form.get("order_by"),
        group_by=form.get("group_by"),
        start=form.get("start"),
        limit=limit + 1,
        as_dict=form.get("as_dict", True),
        debug=form.get("debug", False),
    )
    rows = site.rows(call, asked, compat=False)
    call.extras["has_next_page"] = len(rows) > limit
    return rows[:limit]


def _read(site: Site, call: Call, form: Row, doctype: str, name: str) -> Any:
    if not call.v2 and "run_method" in form:
        return _run(site, call, form, doctype, name)
    document = site.document(call, doctype, name)
    if call.v2 or call.major >= SIXTEEN:
        site.check(call, document, "read")
    elif not site.may(call, document, "read"):
        raise Refusal("PermissionError")
    return site.shown(call, document, nulls=_whole(call))


def _whole(call: Call) -> bool:
    """Whether a document is shown with what is empty."""
    return call.v2 and call.major >= SIXTEEN


def _only_once(form: Row, name: str) -> None:
    """What the path says is not said again."""
    if name in form:
        told = f"get_list() got multiple values for argument '{name}'"
        raise Refusal("TypeError", told, module="", status=500)


def _count(site: Site, call: Call, form: Row, doctype: str) -> int:
    given = {**form, "doctype": doctype}
    return int(whitelist.call_function(site, call, "frappe.desk.reportview.get_count", given))


def _meta(site: Site, call: Call, form: Row, doctype: str) -> Row:
    if call.user == GUEST:
        raise Refusal("PermissionError", "Not permitted")
    return meta(site.doctype(call, doctype))


def _create(site: Site, call: Call, form: Row, doctype: str) -> Row:
    document = saving.new(site, call, doctype, _values(call, form, "doctype"))
    made = saving.insert(site, call, document)
    return site.shown(call, made, nulls=_whole(call))


def _update(site: Site, call: Call, form: Row, doctype: str, name: str) -> Row:
    values = _values(call, form, "flags")
    document = site.document(call, doctype, name)
    document.update(site.schema, values)
    saving.save(site, call, document)
    if document["parenttype"]:  # a child row: its parent is stored as well
        parent = site.document(call, str(document["parenttype"]), str(document["parent"]))
        saving.save(site, call, parent)
    return site.shown(call, document, nulls=_whole(call))


def _values(call: Call, form: Row, *without: str) -> Row:
    """Version 1 takes the values from `data`, if that is JSON; version 2 as they are."""
    values = form
    if not call.v2 and form.get("data") is not None:
        try:
            values = whitelist.parsed(form["data"])
        except Refusal:
            values = form
        if isinstance(values, list) and call.major >= SIXTEEN and call.method == "PUT":
            told = "'list' object has no attribute 'items'"
            raise Refusal("AttributeError", told, module="", status=500)
        if isinstance(values, list):
            told = "pop expected at most 1 argument, got 2"
            raise Refusal("TypeError", told, module="", status=500)
        if not isinstance(values, dict):
            told = f"'{type(values).__name__}' object has no attribute 'pop'"
            raise Refusal("AttributeError", told, module="", status=500)
    return {key: value for key, value in values.items() if key not in without}


def _delete(site: Site, call: Call, form: Row, doctype: str, name: str) -> str:
    if call.v2:
        writes.delete_document(site, call, doctype, name)
    else:
        deleting.delete(site, call, doctype, name)
    call.status = 202
    return "ok"


def _run(site: Site, call: Call, form: Row, doctype: str, name: str, method: str = "") -> Any:
    """A method of the document itself, one of those that callers may call."""
    if not method:
        try:
            method = str(form.pop("run_method"))
        except KeyError as error:
            raise python_error(error) from error
    document = site.document(call, doctype, name)
    document_methods.check_callable(call, method)
    right = "read" if call.method == "GET" else "write"
    if call.v2 or call.major >= SIXTEEN:
        site.check(call, document, right)
    elif not site.may(call, document, right):
        call.refuse("Not permitted", "PermissionError")
    return document_methods.run(site, call, document, method, form)


def _run_doc_method(site: Site, call: Call, form: Row) -> Any:
    return whitelist.call_function(site, call, "frappe.api.v2.run_doc_method", form)


_ENDPOINTS: dict[str, _Endpoint] = {
    **{"list": _list, "read": _read, "create": _create, "update": _update, "delete": _delete},
    **{"run": _run, "meta": _meta, "count": _count, "run_doc_method": _run_doc_method},
}
