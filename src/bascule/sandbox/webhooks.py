"""Webhooks: their checks, and their delivery after a call as Frappe's worker does it.

One after another, so that one that fails holds up the others. Three tries; then the event is gone
but for its rows in Webhook Request Log.
"""

import ast
import asyncio
import base64
import hashlib
import hmac
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse

import aiohttp
import jinja2
from jinja2.sandbox import SandboxedEnvironment

from bascule.sandbox.document import Document
from bascule.sandbox.errors import Call
from bascule.sandbox.events import Due, on, virtual
from bascule.sandbox.naming import random_name
from bascule.sandbox.tables import Row
from bascule.sandbox.values import cint, cstr

if TYPE_CHECKING:
    from bascule.sandbox.site import Site

SIGNATURE = "X-Frappe-Webhook-Signature"
_HEADERS = {
    "User-Agent": "python-requests/2.32.5",
    "Accept-Encoding": "gzip, deflate, br",
    "Accept": "*/*",
    "Connection": "keep-alive",
}
_TRACEBACK = "Traceback (most recent call last):\n"
_TEMPLATES = SandboxedEnvironment(autoescape=False)
_OF_SUBMITTABLE = ("on_submit", "on_cancel", "on_update_after_submit")


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
    """A Python expression over `doc`, in Jinja's sandbox."""
    if not condition:
        return True
    try:
        expression = _TEMPLATES.compile_expression(condition)
        return bool(expression(doc=_shown(document)))
    except jinja2.TemplateError:
        return False


class _Doc(dict[str, Any]):
    """A document to a template: `doc.name`, and nothing where there is no such field."""

    def __getattr__(self, name: str) -> Any:
        return self.get(name)


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


class Deliveries:
    """The worker. Between tries it waits a second, then four, then seven, times `patience`."""

    def __init__(self, site: "Site", patience: float = 1.0) -> None:
        self._site = site
        self._patience = patience
        self._queue: asyncio.Queue[Due] = asyncio.Queue()

    def add(self, due: list[Due]) -> None:
        for one in due:
            self._queue.put_nowait(one)

    async def idle(self) -> None:
        """Returns when everything that is due was sent or given up."""
        await self._queue.join()

    async def run(self) -> None:
        """Sends until it is cancelled."""
        timeout = aiohttp.ClientTimeout(total=None)
        async with aiohttp.ClientSession(
            timeout=timeout, skip_auto_headers=["Content-Type"]
        ) as http:
            while True:
                one = await self._queue.get()
                try:
                    await self._deliver(http, one)
                finally:
                    self._queue.task_done()

    async def _deliver(self, http: aiohttp.ClientSession, one: Due) -> None:
        webhook = self._site.load("Webhook", one.webhook)
        if webhook is None:
            return
        url = cstr(webhook["request_url"])
        try:
            if cint(webhook["is_dynamic_url"]):
                url = _TEMPLATES.from_string(url).render(doc=_shown(one.document))
            headers, body, content = request_of(self._site, webhook, one.document)
        except (ValueError, TypeError, jinja2.TemplateError) as error:
            self._log(one, url, None, None, None, f"{_TRACEBACK}{type(error).__name__}: {error}")
            return
        for attempt in range(3):
            answer, error_text = await self._send(http, webhook, url, headers, body)
            self._log(one, url, headers, content, answer, error_text)
            if not error_text or error_text.endswith("ReadTimeout"):
                if not error_text:
                    return
                continue
            await asyncio.sleep((3 * attempt + 1) * self._patience)

    async def _send(
        self, http: aiohttp.ClientSession, webhook: Document, url: str, headers: Row, body: bytes
    ) -> tuple[str | None, str]:
        """The answer's text, if any, and what went wrong, if anything."""
        limit = aiohttp.ClientTimeout(total=cint(webhook["timeout"]) or 5)
        method = cstr(webhook["request_method"]) or "POST"
        try:
            async with http.request(
                method, url, data=body, headers=_HEADERS | headers, timeout=limit
            ) as answer:
                text = await answer.text()
                if answer.status < 400:
                    return text, ""
                told = f"{answer.status} Error: {answer.reason} for url: {url}"
                return text, f"{_TRACEBACK}requests.exceptions.HTTPError: {told}"
        except TimeoutError:
            return None, f"{_TRACEBACK}requests.exceptions.ReadTimeout"
        except (aiohttp.ClientError, ValueError, OSError) as error:
            return None, f"{_TRACEBACK}requests.exceptions.ConnectionError: {error}"

    def _log(
        self, one: Due, url: str, headers: Row | None, content: Any, answer: str | None, error: str
    ) -> None:
        """A row of Webhook Request Log. Frappe writes the signature as the list of its bytes."""
        shown = {
            key: list(value.encode()) if key == SIGNATURE else value
            for key, value in (headers or {}).items()
        }
        now = self._site.now()
        row = {
            **{"name": random_name(), "owner": one.user, "modified_by": one.user},
            **{"creation": now, "modified": now, "user": one.user, "webhook": one.webhook},
            **{"reference_document": one.document.name, "url": url, "response": answer},
            "headers": json.dumps(shown, indent=1) if shown else None,
            "data": json.dumps(content, indent=1, sort_keys=True) if content else None,
            "error": error,
        }
        with self._site.transaction():
            self._site.tables.insert(self._site.schema["Webhook Request Log"], row)
