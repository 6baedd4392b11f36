"""The queue of a site's background jobs: its webhooks, delivered one after another by one worker.

A failing webhook gets three tries; meanwhile the others wait. Then the event is gone but for its
rows in Webhook Request Log. RQ Job, a virtual DocType, shows what waits.
"""

import asyncio
import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import aiohttp
import jinja2

from bascule.sandbox.core.access.permissions import ADMINISTRATOR
from bascule.sandbox.core.database.tables import Row
from bascule.sandbox.core.documents.document import Document
from bascule.sandbox.core.documents.naming import random_name
from bascule.sandbox.core.errors import Call, Refusal
from bascule.sandbox.core.values import cint, cstr
from bascule.sandbox.core.webhooks.webhooks import SIGNATURE, Due, request_of, url_of

if TYPE_CHECKING:
    from bascule.sandbox.core.site import Site

RQ_JOB = "RQ Job"
METHOD = "frappe.integrations.doctype.webhook.webhook.enqueue_webhook"
TIMEOUT = 300  # seconds, of the queue "default"
_KEPT = ("name", "condition", "webhook_docevent", "webhook_doctype", "background_jobs_queue")
_HEADERS = {
    "User-Agent": "python-requests/2.32.5",
    "Accept-Encoding": "gzip, deflate, br",
    "Accept": "*/*",
    "Connection": "keep-alive",
}
_TRACEBACK = "Traceback (most recent call last):\n"
_LOOK = 0.02  # seconds between two looks of a worker that is held


@dataclass
class Job:
    """One webhook on its way. `created`, `started`: the site's local time."""

    due: Due
    created: str
    started: str | None = None
    id: str = field(default_factory=lambda: f"site.localhost::{uuid4()}")

    @property
    def status(self) -> str:
        return "started" if self.started else "queued"

    def shown(self) -> Row:
        """As RQ Job shows it, whatever fields are asked for."""
        user, doctype = self.due.user, self.due.document.doctype.name
        document = {**self.due.document.shown(), "doctype": doctype}
        told = {
            **{"event": None, "is_async": True, "job_name": METHOD, "method": METHOD},
            "kwargs": {
                "doc": document,
                "webhook": {name: self.due.webhook.get(name) for name in _KEPT},
            },
            **{"site": "site.localhost", "user": user},
        }
        return {
            **{"name": self.id, "job_id": self.id, "queue": "default", "job_name": METHOD},
            **{"status": self.status, "started_at": self.started or "", "ended_at": ""},
            **{"time_taken": "", "exc_info": None, "timeout": TIMEOUT},
            "arguments": json.dumps(told, indent=1, sort_keys=True, default=str),
            **{"creation": self.created, "modified": self.started or self.created},
            **{"_comment_count": 0, "owner": user, "modified_by": user},
        }


def jobs_of(site: "Site", call: Call, filters: Any, order_by: Any, start: Any, limit: Any) -> Any:
    """What RQ Job lists. Its filters have to name it, and an order is needed: without, it fails."""
    roles = site.permissions.roles(call.user)
    if call.user != ADMINISTRATOR and "System Manager" not in roles:
        raise Refusal("PermissionError")
    if not isinstance(order_by, str):
        raise _failed("TypeError", "argument of type 'NoneType' is not iterable")
    wanted = {"queued", "started", "failed", "finished"}
    for one in filters or []:
        if len(one) < 4:
            raise _failed("IndexError", "list index out of range")
        _, name, operator, value = one
        if name == "status":
            wanted &= set(value if operator == "in" else [value])
        elif name == "queue" and "default" not in (value if operator == "in" else [value]):
            wanted = set()
    first, count = cint(start), cint(limit) or 20
    found = [job for job in site.jobs if job.status in wanted][first : first + count]
    shown = [job.shown() for job in found]
    return sorted(shown, key=lambda row: row["modified"], reverse="desc" in order_by)


def _failed(kind: str, told: str) -> Refusal:
    return Refusal(kind, told, module="", status=500)


class Deliveries:
    """The worker. Between tries it waits a second, then four, then seven, times `patience`.

    `delay`: seconds that it is busy with other things before each job. `held`: it stands still.
    """

    def __init__(self, site: "Site", patience: float = 1.0) -> None:
        self.delay = 0.0
        self.held = False
        self.done = 0  # jobs since the start
        self._site = site
        self._patience = patience
        self._queue: asyncio.Queue[Job] = asyncio.Queue()

    def add(self, due: list[Due]) -> None:
        for one in due:
            job = Job(one, self._now())
            self._site.jobs.append(job)
            self._queue.put_nowait(job)

    def _now(self) -> str:
        """With the zone, as RQ Job alone tells it."""
        now = datetime.fromisoformat(self._site.now())
        return str(now.replace(tzinfo=ZoneInfo(self._site.time_zone)))

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
                job = await self._queue.get()
                await asyncio.sleep(self.delay)
                while self.held:  # noqa: ASYNC110 - another thread lets go of it
                    await asyncio.sleep(_LOOK)
                job.started = self._now()
                try:
                    await self._deliver(http, job.due)
                finally:
                    self._site.jobs.remove(job)
                    self.done += 1
                    self._queue.task_done()

    async def _deliver(self, http: aiohttp.ClientSession, one: Due) -> None:
        webhook = self._site.load("Webhook", one.webhook["name"])
        if webhook is None:
            return
        url = cstr(webhook["request_url"])
        try:
            url = url_of(webhook, one.document)
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
            **{"creation": now, "modified": now, "user": one.user, "webhook": one.webhook["name"]},
            **{"reference_document": one.document.name, "url": url, "response": answer},
            "headers": json.dumps(shown, indent=1) if shown else None,
            "data": json.dumps(content, indent=1, sort_keys=True) if content else None,
            "error": error,
        }
        with self._site.transaction():
            self._site.tables.insert(self._site.schema["Webhook Request Log"], row)
