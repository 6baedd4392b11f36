"""What pages say about records: how one stands and what mends it, its history, its attempts."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from bascule.sync.fields import Field
from bascule.sync.mapping import Mapped
from bascule.sync.queries import LinkedRecord
from bascule.sync.send.plan import unsent
from bascule.sync.tables import Change, Exchange
from bascule.ui.filters import cell, exact

FEW = 6  # changes that a step shows without being unfolded
# What a look at the site brought, in the order in which it is told.
BROUGHT = {
    "created": "new",
    "updated": "changed",
    "renamed": "renamed",
    "deleted": "deleted there",
    "conflicts": "changed on both sides",
}
REMEDIES = {
    "down": "The site does not answer",
    "busy": "The site is busy with the same document",
    "credentials": "The site refuses the hub's credentials",
    "permission": "The hub's user may not do this there",
    "invalid": "ERPNext does not take what is in a field",
    "duplicate": "There is one like it in ERPNext already",
    "linked": "Other documents of ERPNext need it",
    "deleted_there": "Deleted in ERPNext while an edit waited here",
    "lost_there": "Gone from ERPNext, and nothing tells why",
    "changed_there": "Changed in ERPNext since it was deleted here",
    "not_kept": "ERPNext did not keep a value",
}
POLICIES = {
    "ask": "Ask somebody",
    "erpnext": "ERPNext wins",
    "hub": "Bascule wins",
    "newest": "The newest wins",
}
ON_DELETE = {
    "disable": "Disable it there",
    "delete": "Delete it there",
    "keep": "Leave it there as it is",
}


@dataclass(frozen=True)
class RecordAction:
    """A button that decides about a record; see `conflicts.act`. `confirm`: asked first."""

    name: str
    label: str
    sign: str
    primary: bool = False
    confirm: str = ""
    consequence: str = ""


@dataclass(frozen=True)
class RecordStatus:
    """`state`: for the macro of that name. `edit`: whether editing it is what mends it."""

    state: str
    says: str
    why: str = ""
    next_step: str = ""
    acts: Sequence[RecordAction] = ()
    edit: bool = False


def shown(one: Field | None, value: Any) -> str:
    """A value as people read it; nothing for nothing."""
    if one is not None and one.kind == "flag":
        return "yes" if value else "no"
    if isinstance(value, float | int) and not isinstance(value, bool):
        return exact(value)
    return cell(value)


def state_of(whole: LinkedRecord) -> str:
    if whole.is_paused and whole.state in ("in_sync", "sending", "waiting"):
        return "paused"
    if whole.record.deleted_at is not None:
        return "deleted" if whole.state in ("local", "in_sync") else _named(whole.state)
    if whole.link is not None and whole.link.gone_at is not None and whole.state == "in_sync":
        return "gone"
    return _named(whole.state)


def _named(state: str) -> str:
    return "retrying" if state == "waiting" else state


def record_status(whole: LinkedRecord, conflicts: int = 0) -> RecordStatus:
    """How a record stands, in sentences, and what there is to do."""
    state, link, kind = state_of(whole), whole.link, whole.fields.type
    site = whole.connection.name if whole.connection else "ERPNext"
    if link is None:
        says = "It is in Bascule alone, and no site is told of it."
        return RecordStatus(
            state, says if state == "local" else "It is deleted here; nothing else had it."
        )
    if state == "paused":
        return _paused(whole, site)
    if state == "sending":
        return RecordStatus("sending", f"On its way to {site}.")
    if state == "retrying":
        acts = (RecordAction("retry", "Retry now", "refresh", primary=True), _give_up(whole))
        return RecordStatus(
            state, f"Not in {site} yet.", link.why or "", link.next_step or "", acts
        )
    if state == "attention":
        return _attention(whole, site)
    if state == "conflict":
        fields = "A field is" if conflicts == 1 else f"{conflicts} fields are"
        return RecordStatus(
            state,
            f"{fields} different here and in {site}.",
            next_step="Choose below what stays. The rest of it is the same on both sides.",
        )
    if link.gone_at is not None:
        again = RecordAction("recreate", "Create it there again", "plus")
        says = f"It was deleted in {site}, so it is inactive here."
        if state == "deleted":
            says = f"It is deleted here and in {site}."
        elif link.why:  # it was merged into another
            says = f"{link.why} This one is inactive here."
        return RecordStatus(state, says, next_step="Nothing has to be done.", acts=(again,))
    if state == "deleted":
        if link.document is None:
            return RecordStatus(state, f"It is deleted here, and was not made in {site}.")
        there = "inactive" if whole.record.values.get("active") is False else "as it was"
        return RecordStatus(state, f"It is deleted here; in {site} it is {there}.")
    says = f"The same here and in {site}, the {kind.doctype} {link.document}"
    if not link.withheld:
        return RecordStatus(state, f"{says}.")
    names = " and ".join(map(str, link.withheld.values()))
    return RecordStatus(
        state,
        f"{says}, but for what is not read: {names}.",
        next_step="Check, on the connection's page of two-way sync, tells which role may read it.",
    )


def _paused(whole: LinkedRecord, site: str) -> RecordStatus:
    """Two-way sync is off, or is only about to be turned on."""
    link = whole.link
    assert link is not None  # noqa: S101
    says = f"Two-way sync with {site} is off: nothing of it is read or written."
    step = "When it is turned on again, both sides are compared."
    if link.state in ("sending", "waiting"):
        says = f"An edit waits: two-way sync with {site} is off."
        step = "It goes there when two-way sync is turned on again."
    return RecordStatus("paused", says, link.why or "", step)


def _attention(whole: LinkedRecord, site: str) -> RecordStatus:
    link = whole.link
    assert link is not None  # noqa: S101
    title = whole.record.title
    retry, give_up = RecordAction("retry", "Retry now", "refresh"), _give_up(whole)
    recreate = RecordAction("recreate", "Create it there again", "plus", primary=True)
    disable = RecordAction("disable_instead", "Disable it instead", "power", primary=True)
    accept = RecordAction("accept", "Keep it here alone", "check", primary=True)
    anyway = RecordAction(
        "delete_anyway",
        "Delete it there all the same",
        "trash",
        confirm=f"Delete {title} in {site} with what was changed there since?",
        consequence="What it was there is in its history here. ERPNext itself keeps what was "
        "deleted under Deleted Document.",
    )
    acts: dict[str, tuple[RecordAction, ...]] = {
        "deleted_there": (recreate, give_up),
        "lost_there": (recreate, give_up),
        "changed_there": (anyway, disable, give_up),
        "linked": (disable, retry, give_up),
        "not_kept": (accept, retry),
        "permission": (RecordAction("retry", "Retry now", "refresh", primary=True), give_up),
    }
    remedy = link.remedy or ""
    return RecordStatus(
        "attention",
        f"{REMEDIES.get(remedy, 'It could not be sent')}.",
        link.why or "",
        link.next_step or "",
        acts.get(remedy, (retry, give_up)),
        edit=remedy in ("invalid", "duplicate"),
    )


def _give_up(whole: LinkedRecord) -> RecordAction:
    """With what it means for this very record."""
    link, record = whole.link, whole.record
    assert link is not None  # noqa: S101
    if link.document is None and link.create_begun_at is None:
        means = "It was never in ERPNext. It stays here, and is not sent any more."
    elif link.document is None:
        means = (
            "It stays here, and is not sent any more. Should ERPNext have made it in spite of what "
            "it answered, both go on together."
        )
    elif link.remedy == "lost_there":
        means = "It is taken as deleted there, and becomes inactive here."
    else:
        fields = whole.fields.by_name
        back = [
            f"{fields[name].label} {shown(fields[name], here) or 'nothing'} → "
            f"{shown(fields[name], agreed) or 'nothing'}"
            for name, (here, agreed) in unsent(whole.fields, record, link).items()
        ]
        means = "It is left as it is in ERPNext."
        if back:
            kept = "What is given up stays in its history."
            means = f"It becomes what ERPNext has: {'; '.join(back)}. {kept}"
    return RecordAction(
        "give_up", "Give up", "x", confirm=f"Give up the edit of {record.title}?", consequence=means
    )


def site_url(whole: LinkedRecord) -> str:
    """Of its document, in ERPNext's desk; empty where there is none."""
    link, connection = whole.link, whole.connection
    if link is None or connection is None or link.document is None or link.gone_at is not None:
        return ""
    doctype = whole.fields.type.doctype.lower().replace(" ", "-")
    return f"{connection.api_url}/app/{doctype}/{quote(link.document, safe='')}"


# Its history


@dataclass(frozen=True)
class TimelineEntry:
    """A step of a history. `changes`: (label, before, after); `versus`: what is here against what
    is there, rather than before and after.
    """

    step: Change
    sign: str
    title: str
    changes: list[tuple[str, str, str]] = field(default_factory=list)
    note: str = ""
    versus: bool = False

    @property
    def few(self) -> list[tuple[str, str, str]]:
        return self.changes if len(self.changes) <= FEW else self.changes[: FEW - 1]

    @property
    def rest(self) -> list[tuple[str, str, str]]:
        return self.changes[len(self.few) :]


_TITLES = {
    "here": ("edit", "Changed in Bascule"),
    "erpnext": ("download", "Changed in ERPNext"),
    "overruled": ("scale", "Changed on both sides, and decided by a rule"),
    "seen": ("eye", "Changed in ERPNext again, while it was undecided"),
    "conflict": ("scale", "Changed on both sides"),
    "settled": ("check", "Decided"),
    "linked": ("link", "Joined to a document of ERPNext"),
    "created": ("send", "Made in ERPNext"),
    "renamed": ("edit", "Renamed in ERPNext"),
    "merged": ("link", "Merged into another in ERPNext"),
    "gone": ("unlink", "Deleted in ERPNext"),
    "deleted_there": ("unlink", "Deleted in ERPNext by Bascule"),
    "lost": ("unlink", "Gone from ERPNext without a trace"),
    "back": ("arrow-back-up", "There again in ERPNext"),
    "deleted": ("trash", "Deleted in Bascule"),
    "restored": ("arrow-back-up", "Restored"),
    "gave_up": ("x", "An edit was given up"),
}
_SOURCES = {
    "poll": "Found when ERPNext was asked what changed.",
    "webhook": "ERPNext told of it at once.",
    "send": "Found while an edit was sent.",
    "match": "Found when both sides were paired.",
}


def timeline(steps: Sequence[Change], fields: Mapped) -> list[TimelineEntry]:
    return [_told(step, fields) for step in steps]


def is_first(step: Change, fields: Mapped) -> bool:
    """Whether the record began with it."""
    named = step.changes.get(fields.type.title)
    return step.version == 1 and named is not None and named[0] is None


def _told(step: Change, fields: Mapped) -> TimelineEntry:
    sign, title = _TITLES.get(step.origin, ("edit", step.origin.capitalize()))
    first = is_first(step, fields)
    if first and step.origin == "here":
        sign, title = "plus", "Made in Bascule"
    elif first and step.origin == "erpnext":
        sign, title = "plus", "Came from ERPNext"
    changes = []
    order = list(fields.by_name)
    for name in sorted(step.changes, key=lambda name: order.index(name) if name in order else -1):
        before, after = step.changes[name]
        one = fields.by_name.get(name)
        if first and after in (None, ""):
            continue
        old = "" if first else shown(one, before)
        changes.append((one.label if one else name, old, shown(one, after)))
    note = _SOURCES.get(step.note, step.note)
    return TimelineEntry(step, sign, title, changes, note, versus=step.origin == "conflict")


# Its attempts


@dataclass(frozen=True)
class Attempt:
    exchange: Exchange
    title: str
    request: str
    answer: str


_WHAT = {
    "create": "Create",
    "update": "Write",
    "delete": "Delete",
    "find": "Look for",
    "poll": "Heard of by a poll",
    "webhook": "Heard of by a webhook",
    "send": "Read before writing",
    "read": "Read before writing",
    "match": "Read to pair it",
}


def attempts(exchanges: Sequence[Exchange]) -> list[Attempt]:
    return [
        Attempt(
            one,
            f"{_WHAT.get(one.what, one.what.capitalize())}: {one.document}",
            _pretty(one.request),
            _pretty(one.answer),
        )
        for one in exchanges
    ]


def _pretty(value: Any) -> str:
    return "" if value is None else json.dumps(value, indent=1, ensure_ascii=False)
