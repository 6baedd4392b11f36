"""Webhooks: their checks, the documents that they are due for, and the request of each."""

import ast
import base64
import hashlib
import hmac
import json
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse

import jinja2
from jinja2.sandbox import SandboxedEnvironment

from bascule.sandbox.core.database.tables import Row
from bascule.sandbox.core.documents.document import Document
from bascule.sandbox.core.documents.events import on
from bascule.sandbox.core.documents.virtual_fields import virtual
from bascule.sandbox.core.errors import Call
from bascule.sandbox.core.values import cint, cstr, flt

if TYPE_CHECKING:
    from bascule.sandbox.core.site import Site

SIGNATURE = "X-Frappe-Webhook-Signature"
_TEMPLATES = SandboxedEnvironment(autoescape=False)
_UTILS = {
    **{"cint": cint, "cstr": cstr, "flt": flt},
    "get_datetime": lambda value: datetime.fromisoformat(cstr(value)),
    "getdate": lambda value: date.fromisoformat(cstr(value)[:10]),
}
_OF_SUBMITTABLE = ("on_submit", "on_cancel", "on_update_after_submit")
_EVENTS = ("on_update", "after_insert", "on_submit", "on_cancel", "on_trash")
_NOT_WHILE_INSERTED = ("on_change", "before_update_after_submit")


@dataclass
class Due:
    """A webhook that is due, as it was then, for a document as it stood at the end of the call."""

    webhook: Row
    document: Document
    user: str


def due(call: Call) -> list[Due]:
    """One per webhook and document, with the document's last state, in the order of the last."""
    last: dict[tuple[str, str], Due] = {}
    for one in reversed(call.webhooks):
        last.setdefault((one.webhook["name"], one.document.name), one)
    return list(reversed(last.values()))


def _collect(event: str) -> None:
    """The webhooks that wait for that event of a document become due at the end of the call."""

    @on("*", event)
    def collect(site: "Site", call: Call, document: Document) -> None:
        if "Webhook" not in site.schema or (event in _NOT_WHILE_INSERTED and document.in_insert):
            return
        about = {"webhook_doctype": document.doctype.name, "webhook_docevent": event}
        for row in site.tables.rows("Webhook", "`modified` DESC", enabled=1, **about):
            if meets(row["condition"], document):
                call.webhooks.append(Due(row, document, call.user))


for _event in (*_EVENTS, *_NOT_WHILE_INSERTED):
    _collect(_event)


@on("Webhook", "validate")
def _check(site: "Site", call: Call, webhook: Document) -> None:
    about = webhook["webhook_doctype"]
    event = webhook["webhook_docevent"]
    submittable = about not in site.schema or site.schema[str(about)].is_submittable
    if event in _OF_SUBMITTABLE and not submittable:
        call.refuse("DocType must be Submittable for the selected Doc Event")
    _check_condition(call, webhook["condition"])
    if not urlparse(cstr(webhook["request_url"])).netloc:
        call.refuse("Check Request URL")
    if webhook["request_structure"] == "Form URL-Encoded":
        webhook["webhook_json"] = None
    elif webhook["request_structure"] == "JSON":
        _check_template(call, webhook["webhook_json"])
        webhook.rows["webhook_data"] = []
    fields = [row["fieldname"] for row in webhook.rows["webhook_data"]]
    if len(fields) != len(set(fields)):
        call.refuse("Same Field is entered more than once")
    if cint(webhook["enable_security"]) and not secret(site, webhook):
        call.refuse("Invalid Webhook Secret")
    webhook["preview_document"] = None


def _check_condition(call: Call, condition: Any) -> None:
    try:
        if condition:
            ast.parse(cstr(condition).strip(), mode="eval")
    except SyntaxError as error:
        call.refuse(f"Invalid Condition: {error}")


def _check_template(call: Call, template: Any) -> None:
    try:
        _TEMPLATES.parse(cstr(template))
    except jinja2.TemplateSyntaxError as error:
        call.refuse(f"Syntax error in template as line {error.lineno}: {error}")


@virtual("Webhook", "meets_condition")
def _meets_condition(webhook: Document) -> str:
    return "Select a document to check if it meets conditions." if webhook["condition"] else "Yes"


@virtual("Webhook", "preview_request_body")
def _preview(webhook: Document) -> str:
    return "Select a document to preview request data"


def secret(site: "Site", webhook: Document) -> str:
    value = cstr(webhook["webhook_secret"])
    if value.strip("*"):
        return value
    return site.tables.password("Webhook", webhook.name, "webhook_secret") or ""


def meets(condition: str | None, document: Document) -> bool:
    """A Python expression over `doc` and `utils`, in Jinja's sandbox."""
    if not condition:
        return True
    try:
        expression = _TEMPLATES.compile_expression(condition)
        return bool(expression(doc=_Live(document), utils=_UTILS))
    except jinja2.TemplateError:
        return False


class _Doc(dict[str, Any]):
    """A document to a template: `doc.name`, and nothing where there is no such field."""

    def __getattr__(self, name: str) -> Any:
        return self.get(name)


class _Live(_Doc):
    """A document to a condition, which is asked while it is worked on."""

    def __init__(self, document: Document) -> None:
        super().__init__(_shown(document))
        self._document = document

    @property
    def flags(self) -> _Doc:
        return _Doc(in_insert=self._document.in_insert, in_delete=self._document.in_delete)

    def get_doc_before_save(self) -> _Doc | None:
        before = self._document.before
        return _shown(before) if before is not None else None


def _shown(document: Document) -> _Doc:
    shown = _Doc(document.shown(nulls=True))
    for field, rows in document.rows.items():
        shown[field] = [_Doc(row.shown(nulls=True)) for row in rows]
    return shown


def request_of(site: "Site", webhook: Document, document: Document) -> tuple[Row, bytes, Any]:
    """Headers, body and what the body holds; ValueError when the template makes no JSON."""
    shown = _shown(document)
    content: Any = {}
    if webhook.rows["webhook_data"]:
        content = {row["key"]: shown.get(row["fieldname"]) for row in webhook.rows["webhook_data"]}
    elif webhook["webhook_json"]:
        content = json.loads(_TEMPLATES.from_string(webhook["webhook_json"]).render(doc=shown))
    body = json.dumps(content).encode()
    headers: Row = {}
    if cint(webhook["enable_security"]):
        digest = hmac.new(secret(site, webhook).encode(), body, hashlib.sha256).digest()
        headers[SIGNATURE] = base64.b64encode(digest).decode()
    for row in webhook.rows["webhook_headers"]:
        if row["key"] and row["value"]:
            headers[row["key"]] = row["value"]
    return headers, body, content


def url_of(webhook: Document, document: Document) -> str:
    url = cstr(webhook["request_url"])
    if cint(webhook["is_dynamic_url"]):
        return _TEMPLATES.from_string(url).render(doc=_shown(document))
    return url
