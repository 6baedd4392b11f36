"""The webhooks as they are on the site: made, compared with what is wanted, mended, removed.

Only the explicit acts of a person write here. A webhook is ours when our token is in its address.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from bascule.errors import Invalid
from bascule.frappe import DocType, NoPermission, NotFound, Site
from bascule.inbox.addresses import get_webhook_address

HookState = Literal["fine", "missing", "disabled", "altered", "touched"]

EVENTS = {"insert": ("after_insert",), "update": ("on_update",), "delete": ("on_trash",)}
# A submitted document changes by these, and on_update does not speak of all of them.
OF_SUBMITTABLE = ("on_submit", "on_cancel", "on_update_after_submit")
DOCTYPES = ("Customer", "Address", "Contact")
SECONDS = 5  # that the site waits for the hub's answer
MOST = 200  # webhooks of one connection
MOST_SHOWN = 5  # failures, documents
LONGEST_ERROR = 300  # characters
GRACE = timedelta(seconds=30)  # that a delivery may take on its way

# What is compared; the secret cannot be read back.
_COMPARED = (
    "webhook_doctype",
    "webhook_docevent",
    "request_url",
    "request_method",
    "request_structure",
    "webhook_json",
    "condition",
    "is_dynamic_url",
    "enable_security",
    "enabled",
)


@dataclass(frozen=True, slots=True)
class Hook:
    """One webhook that is wanted. `differs`: the fields of it that are otherwise there.

    `touched`: somebody saved it there since, so its secret may be another one.
    """

    doctype: str
    event: str
    name: str
    state: HookState = "missing"
    differs: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Failure:
    """A delivery that the site gave up, or tried again: one row of its Webhook Request Log."""

    at: str  # the site's local time
    webhook: str
    document: str
    error: str


@dataclass
class Found:
    """What a look at the site told. `extra`: webhooks of ours that are not wanted, or are there
    twice. `failures` is None where the site's log may not be read.
    """

    hooks: list[Hook] = field(default_factory=list)
    extra: list[str] = field(default_factory=list)
    failures: list[Failure] | None = None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Brought:
    """What was done at the site: names of webhooks."""

    made: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    stamps: dict[str, str] = field(default_factory=dict)  # each one's `modified` afterwards


@dataclass(frozen=True, slots=True)
class Target:
    """What webhooks of one connection are made of."""

    base_url: str
    token: str
    wanted: Mapping[str, list[str]]  # DocType -> Frappe's events

    def name_of(self, doctype: str, event: str) -> str:
        return f"Bascule {doctype} {event} {self.token[:8]}"

    def webhook(self, doctype: str, event: str) -> dict[str, Any]:
        """As Frappe's Webhook DocType has it. `tojson` writes a name with a quote in it whole."""
        template = (
            f'{{"event":"{event}","doctype":{{{{ doc.doctype | tojson }}}},'
            '"name":{{ doc.name | tojson }},"modified":{{ doc.modified | string | tojson }}}'
        )
        return {
            "webhook_doctype": doctype,
            "webhook_docevent": event,
            "request_url": get_webhook_address(self.base_url, self.token, doctype),
            "request_method": "POST",
            "request_structure": "JSON",
            "webhook_json": template,
            "condition": "",
            "is_dynamic_url": 0,
            "timeout": SECONDS,
            "enable_security": 1,
            "enabled": 1,
        }

    def each(self) -> Iterable[tuple[str, str, dict[str, Any]]]:
        """Name, what it is, and how it should be."""
        for doctype, events in self.wanted.items():
            for event in events:
                yield self.name_of(doctype, event), event, self.webhook(doctype, event)


async def events_at(site: Site, doctypes: Iterable[str], kinds: Iterable[str]) -> dict[str, Any]:
    """Frappe's events for these DocTypes; `kinds`: insert, update, delete. Invalid where the site
    has none of that name, or one whose documents are not saved by themselves.
    """
    chosen = [event for kind, events in EVENTS.items() if kind in kinds for event in events]
    wanted: dict[str, Any] = {}
    for doctype in dict.fromkeys(doctypes):
        try:
            meta: DocType = await site.meta(doctype)
        except NotFound:
            raise _not_for_webhooks(doctype, "the site has no such DocType") from None
        if meta.child or meta.virtual:
            raise _not_for_webhooks(doctype, "its rows are parts of other documents")
        more = OF_SUBMITTABLE if meta.submittable and "update" in kinds else ()
        wanted[meta.name] = [*chosen, *more]
    return wanted


def _not_for_webhooks(doctype: str, why: str) -> Invalid:
    return Invalid(
        f"There can be no webhooks for {doctype}: {why}.",
        next_step="Name DocTypes as the site's own forms do, such as Customer or Sales Order.",
        fields={"doctypes": f"holds {doctype}: {why}"},
    )


async def present(site: Site, token: str) -> dict[str, dict[str, Any]]:
    """The webhooks there that lead here, by their names."""
    rows = await site.list(
        "Webhook",
        ("name", "modified", *_COMPARED),
        filters=[["request_url", "like", f"%connection={token}%"]],
        order_by="creation asc",
        limit=MOST,
    )
    return {str(row["name"]): row for row in rows}


async def bring(site: Site, target: Target, secret: str) -> Brought:
    """Makes what is missing, changes what differs, sets the secret of all, removes what is too
    much. Killed in between it goes on when it is called again.
    """
    there = await present(site, target.token)
    done = Brought()
    for name, _, webhook in target.each():
        values = {**webhook, "webhook_secret": secret}
        if name in there:
            stored = await site.update("Webhook", name, values)
            if _differences(webhook, there[name]):
                done.changed.append(name)
        else:
            stored = await _made(site, name, values)
            done.made.append(name)
        done.stamps[name] = str(stored.get("modified", ""))
    for name in there.keys() - done.stamps.keys():
        await _removed(site, name)
        done.removed.append(name)
    return done


async def _made(site: Site, name: str, values: dict[str, Any]) -> dict[str, Any]:
    """One of that name whose address somebody changed is not found by it, and is taken over."""
    if await site.list("Webhook", filters=[["name", "=", name]], limit=1):
        return await site.update("Webhook", name, values)
    return await site.insert("Webhook", {"name": name, **values})


async def remove_all(site: Site, target: Target) -> list[str]:
    """The names of those that were removed: all that lead here, and those that are ours by name."""
    names = set(await present(site, target.token))
    ours = [name for name, _, _ in target.each()]
    if ours:
        found = await site.list("Webhook", filters=[["name", "in", ours]], limit=MOST)
        names |= {str(row["name"]) for row in found}
    for name in sorted(names):
        await _removed(site, name)
    return sorted(names)


async def _removed(site: Site, name: str) -> None:
    try:
        await site.delete("Webhook", name)
    except NotFound:
        return  # somebody else did


async def look(site: Site, target: Target, stamps: Mapping[str, str], since: str | None) -> Found:
    """`stamps`: each webhook's `modified` as we left it; `since`: when that was, there."""
    there = await present(site, target.token)
    found = Found()
    for name, event, webhook in target.each():
        doctype = webhook["webhook_doctype"]
        if name not in there:
            found.hooks.append(Hook(doctype, event, name))
            continue
        row = there[name]
        differs = _differences(webhook, row)
        state: HookState = "altered" if differs else "fine"
        if differs == ["enabled"]:
            state = "disabled"
        elif not differs and name in stamps and stamps[name] != row["modified"]:
            state = "touched"
        found.hooks.append(Hook(doctype, event, name, state, differs))
    found.extra = sorted(there.keys() - {hook.name for hook in found.hooks})
    found.failures = await _failures(site, list(there), since)
    return found


def _differences(webhook: Mapping[str, Any], row: Mapping[str, Any]) -> list[str]:
    return [name for name in _COMPARED if (row.get(name) or "") != (webhook[name] or "")]


async def _failures(site: Site, names: list[str], since: str | None) -> list[Failure] | None:
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


async def changed_lately(
    site: Site, doctype: str, since: str, now: datetime
) -> list[tuple[str, str]]:
    """The newest documents that changed after `since`, as name and `modified`; but for those of
    which a delivery may still be on its way.
    """
    until = str(now - GRACE)
    rows = await site.list(
        doctype,
        ("name", "modified"),
        filters=[["modified", ">", since], ["modified", "<", until]],
        order_by="modified desc",
        limit=MOST_SHOWN,
    )
    return [(str(row["name"]), str(row["modified"])) for row in rows]
