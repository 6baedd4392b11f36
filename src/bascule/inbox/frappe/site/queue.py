"""What becomes of a site's webhooks once they are due: they wait in its queue, or were given up."""

import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from bascule.frappe import FrappeError, NoPermission, NotFound, Site

MOST_SHOWN = 5  # failures, documents
LONGEST_ERROR = 300  # characters
GRACE = timedelta(seconds=30)  # that a delivery may take on its way
MOST_JOBS = 200  # asked for; each holds its document
_WAITING = [["RQ Job", "status", "in", ["queued", "started"]]]


@dataclass(frozen=True, slots=True)
class Failure:
    """A delivery that the site gave up, or tried again: one row of its Webhook Request Log."""

    at: str  # the site's local time
    webhook: str
    document: str
    error: str


@dataclass(slots=True)
class Queue:
    """What waits in the site's own queue: `jobs` in all, of them `ours`, each about one of
    `documents` ([DocType, name]). `since`: the site's local time at which the oldest of ours came
    in. `full`: there may be more.
    """

    jobs: int = 0
    ours: int = 0
    since: str | None = None
    minutes: int = 0  # that the oldest of ours has waited
    full: bool = False
    documents: list[list[str]] = field(default_factory=list)


async def waiting(site: Site, webhooks: set[str] | None) -> Queue | None:
    """`webhooks`: the names of ours; None: nobody knows them, so all count. The answer is None
    where the queue may not be read, or there is no such DocType (before version 14).
    """
    try:
        rows = await site.list(
            "RQ Job", ("name",), filters=_WAITING, order_by="creation asc", limit=MOST_JOBS
        )
    except FrappeError:
        return None
    found = Queue(jobs=len(rows), full=len(rows) >= MOST_JOBS)
    for row in rows:
        told = _arguments(row.get("arguments"))
        webhook, document = told.get("webhook"), told.get("doc")
        if not isinstance(webhook, dict):
            continue
        if webhooks is not None and webhook.get("name") not in webhooks:
            continue
        found.ours += 1
        came = _naive(row.get("creation"))
        if came is not None and (found.since is None or came < found.since):
            found.since = came
        if isinstance(document, dict):
            found.documents.append([str(document.get("doctype")), str(document.get("name"))])
    return found


def _arguments(text: Any) -> dict[str, Any]:
    try:
        told = json.loads(text or "{}").get("kwargs")
    except (ValueError, AttributeError):
        return {}
    return told if isinstance(told, dict) else {}


def _naive(moment: Any) -> str | None:
    """RQ Job alone tells the zone; everything else is the site's local time without one."""
    try:
        return str(datetime.fromisoformat(str(moment)).replace(tzinfo=None))
    except ValueError:
        return None


async def failures(site: Site, names: list[str], since: str | None) -> list[Failure] | None:
    if not names or since is None:
        return []
    try:
        rows = await site.list(
            "Webhook Request Log",
            ("creation", "webhook", "reference_document", "error"),
            filters=[["webhook", "in", names], ["error", "is", "set"], ["creation", ">", since]],
            order_by="creation desc",
            limit=MOST_SHOWN,
        )
    except (NoPermission, NotFound):  # version 13 keeps no such log
        return None
    return [
        Failure(
            str(row["creation"]),
            str(row["webhook"]),
            str(row["reference_document"] or ""),
            _last_line(str(row["error"] or "")),
        )
        for row in rows
    ]


def _last_line(error: str) -> str:
    lines = [line.strip() for line in error.splitlines() if line.strip()]
    return lines[-1][:LONGEST_ERROR] if lines else ""


@dataclass(frozen=True, slots=True)
class Changed:
    name: str
    modified: str
    made: bool  # since then too


async def changed_lately(
    site: Site, doctype: str, since: str, until: datetime, user: str | None
) -> list[Changed]:
    """The newest documents that somebody but `user` changed after `since` and before `until`."""
    filters: list[list[Any]] = [["modified", ">", since], ["modified", "<", str(until)]]
    if user is not None:
        filters.append(["modified_by", "!=", user])
    rows = await site.list(
        doctype,
        ("name", "modified", "creation"),
        filters=filters,
        order_by="modified desc",
        limit=MOST_SHOWN,
    )
    return [
        Changed(str(row["name"]), str(row["modified"]), str(row["creation"]) > since)
        for row in rows
    ]
