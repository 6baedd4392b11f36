"""The webhooks as they are on the site: made, compared with what is wanted, mended, removed.

Only the explicit acts of a person write here. A webhook is ours when our token is in its address.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from bascule.errors import Invalid
from bascule.frappe import DocType, NotFound, Site
from bascule.frappe.side_effects import WITHOUT_EVENTS
from bascule.inbox.frappe.addresses import RENAMES, get_webhook_address
from bascule.inbox.frappe.site.conditions import (
    combined,
    holds,
    of_renames,
    own_user_left_out,
    theirs_in,
)
from bascule.inbox.frappe.site.queue import Failure, Queue, failures, waiting

HookState = Literal["fine", "missing", "disabled", "altered", "touched"]

# on_change is told at every save, submit, cancel and db_set, but not while a document is made.
EVENTS = {"insert": ("after_insert",), "update": ("on_change",), "delete": ("on_trash",)}
# What webhooks of an older form listened for, each with the event that tells of it now.
OLDER = {
    "on_update": "on_change",
    "on_submit": "on_change",
    "on_cancel": "on_change",
    "on_update_after_submit": "on_change",
}
# No event tells of a rename. The Comment that Frappe writes about it does.
COMMENT, RENAMED = "Comment", "after_rename"
EVERYTHING_AS = "Administrator"  # a site's own jobs run as this user
DOCTYPES = ("Customer", "Address", "Contact")
SECONDS = 5  # that the site waits for the hub's answer
MOST = 200  # webhooks of one connection

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


@dataclass
class Found:
    """What a look at the site told. `extra`: webhooks of ours that are not wanted, or are there
    twice. `limited`: DocTypes of which somebody there wants less to be told. `failures` is None
    where the site's log may not be read, `queue` where its queue may not.
    """

    hooks: list[Hook] = field(default_factory=list)
    extra: list[str] = field(default_factory=list)
    limited: list[str] = field(default_factory=list)
    failures: list[Failure] | None = None
    queue: Queue | None = None

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
    """What webhooks of one connection are made of. `user`: whose writes are not told of."""

    base_url: str
    token: str
    wanted: Mapping[str, list[str]]  # DocType -> Frappe's events
    user: str | None = None

    def name_of(self, doctype: str, event: str) -> str:
        return f"Bascule {doctype} {event} {self.token[:8]}"

    def webhook(self, doctype: str, event: str) -> dict[str, Any]:
        """As Frappe's Webhook DocType has it. `tojson` writes a name with a quote in it whole."""
        about, name, slug = "doctype", "name", doctype
        if event == RENAMED:
            about, name, slug = "reference_doctype", "reference_name", RENAMES
        template = (
            f'{{"event":"{event}","doctype":{{{{ doc.{about} | tojson }}}},'
            f'"name":{{{{ doc.{name} | tojson }}}},'
            '"modified":{{ doc.modified | string | tojson }}}'
        )
        return {
            "webhook_doctype": doctype,
            "webhook_docevent": "after_insert" if event == RENAMED else event,
            "request_url": get_webhook_address(self.base_url, self.token, slug),
            "request_method": "POST",
            "request_structure": "JSON",
            "webhook_json": template,
            "condition": self.condition(event),
            "is_dynamic_url": 0,
            "timeout": SECONDS,
            "enable_security": 1,
            "enabled": 1,
        }

    def condition(self, event: str) -> str:
        """What has to hold for the site to tell; more is up to the people there."""
        left_out = self.user if self.user != EVERYTHING_AS else None
        if event == RENAMED:
            return of_renames(doctypes_in(self.wanted), left_out)
        return own_user_left_out(event, left_out) if left_out else ""

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
        if instead := WITHOUT_EVENTS.get(doctype):
            raise _never_told(doctype, instead)
        try:
            meta: DocType = await site.meta(doctype)
        except NotFound:
            raise _not_for_webhooks(doctype, "the site has no such DocType") from None
        if meta.child or meta.virtual:
            raise _not_for_webhooks(doctype, "its rows are parts of other documents")
        wanted[meta.name] = list(chosen)
    return wanted


def with_renames(wanted: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """Also told of renames, where changes are."""
    if not any("on_change" in events for events in wanted.values()):
        return dict(wanted)
    return {**wanted, COMMENT: [*wanted.get(COMMENT, []), RENAMED]}


def renewed(wanted: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """The same in the present form."""
    found: dict[str, list[str]] = {}
    for doctype, events in wanted.items():
        about = WITHOUT_EVENTS.get(doctype, doctype)
        now = [OLDER.get(event, event) for event in events if event != RENAMED]
        if now:
            found[about] = list(dict.fromkeys([*found.get(about, []), *now]))
    return with_renames(found)


def doctypes_in(wanted: Mapping[str, list[str]]) -> list[str]:
    """The DocTypes that somebody asked for."""
    return [doctype for doctype, events in wanted.items() if events != [RENAMED]]


def _never_told(doctype: str, instead: str) -> Invalid:
    return Invalid(
        f"ERPNext changes {doctype} without telling anybody, so a webhook for it would never come.",
        next_step=f"Name {instead} in its place: what it tells of brings {doctype} too.",
        fields={"doctypes": f"holds {doctype}, of which ERPNext tells nobody"},
    )


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
    for name, event, webhook in target.each():
        webhook["condition"] = _kept(target, event, webhook, there)
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


def _kept(
    target: Target, event: str, webhook: Mapping[str, Any], there: Mapping[str, Mapping[str, Any]]
) -> str:
    """Ours, with what somebody there added to it, or to what told of the same before."""
    ours = str(webhook["condition"])
    about = str(webhook["webhook_doctype"])
    names = [target.name_of(about, event)]
    names += [target.name_of(about, old) for old, now in OLDER.items() if now == event]
    rows = [there[name] for name in names if name in there]
    added = dict.fromkeys(theirs_in(str(row.get("condition") or ""), ours) for row in rows)
    if "" in added:  # one of them told of all
        return ours
    return combined(" or ".join(added if len(added) == 1 else [f"({a})" for a in added]), ours)


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
        if theirs_in(str(row["condition"] or ""), str(webhook["condition"])):
            found.limited.append(doctype)
    found.extra = sorted(there.keys() - {hook.name for hook in found.hooks})
    found.failures = await failures(site, list(there), since)
    found.queue = await waiting(site, set(there))
    return found


def _differences(webhook: Mapping[str, Any], row: Mapping[str, Any]) -> list[str]:
    """What is otherwise there; a condition may ask for more than ours."""
    told = str(row.get("condition") or "")
    differs = [name for name in _COMPARED if (row.get(name) or "") != (webhook[name] or "")]
    if "condition" in differs and webhook["condition"] and holds(told, webhook["condition"]):
        differs.remove("condition")
    return differs
