"""How a connection's webhooks stand, in what the hub knows already: for its page and the API."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.connections.tables import Connection
from bascule.inbox.frappe.addresses import get_webhook_address
from bascule.inbox.frappe.site.webhooks import Hook, doctypes_in
from bascule.inbox.frappe.tables import WebhookEndpoint
from bascule.inbox.tables import Delivery

State = Literal["off", "waiting", "arriving", "late", "trouble"]
# Which act on the page takes the trouble away.
Mend = Literal["mend", "check", "retry", "clear", "none"]
MOST_NAMED = 3
LATE = 1  # minutes that a webhook waits in the site's queue before that is worth a word
STANDS = 30  # minutes after which that queue stands still
RUNS = "See that ERPNext's background workers run: bench doctor says so there."
MEND = "Mend them, which sets them up again; polling brings what changes meanwhile."
# Frappe's events, as people say them.
WHEN = {
    "after_insert": "made",
    "on_change": "changed",
    "on_update": "changed",
    "after_rename": "renamed",
    "on_trash": "deleted",
    "on_submit": "submitted",
    "on_cancel": "cancelled",
    "on_update_after_submit": "changed after submitting",
}
IN_WORDS = {
    "missing": ("is missing on the site", "are missing on the site"),
    "disabled": ("is switched off on the site", "are switched off on the site"),
    "altered": ("was altered on the site", "were altered on the site"),
    "touched": (
        "was saved on the site by somebody, so its secret may be another one",
        "were saved on the site by somebody, so their secret may be another one",
    ),
}


@dataclass(frozen=True, slots=True)
class Trouble:
    """`of_site`: it does not answer, which is told of the site too."""

    what: str
    next_step: str
    mend: Mend
    of_site: bool = False


@dataclass(frozen=True, slots=True)
class Arriving:
    """One webhook: as it is on the site, and what came of it."""

    hook: Hook
    last_at: datetime | None
    last_day: int  # deliveries in the last 24 hours


@dataclass
class Standing:
    """`state`: off (not set up), waiting (nothing came yet), arriving, late, trouble. `late`: what
    is on its way, and why it takes long.
    """

    state: State
    end: WebhookEndpoint | None = None
    hooks: list[Arriving] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)  # deliveries by their state
    last_at: datetime | None = None
    late: str | None = None

    @property
    def both_secrets_until(self) -> datetime | None:
        """While the secret is being changed."""
        until = self.end.previous_until if self.end else None
        return until if until and until > datetime.now(UTC) else None

    @property
    def addresses(self) -> dict[str, str]:
        """For each DocType the address that its webhooks are sent to."""
        end = self.end
        if end is None or end.base_url is None:
            return {}
        return {
            doctype: get_webhook_address(end.base_url, end.token, doctype)
            for doctype in doctypes_in(end.wanted)
        }


async def standing_of(session: AsyncSession, connection: Connection) -> Standing:
    end = await session.scalar(
        select(WebhookEndpoint).where(WebhookEndpoint.connection_id == connection.id)
    )
    counts = await _counts(session, connection.id)
    if end is None:
        return Standing("off", counts=counts)
    came = await _came(session, connection.id)
    hooks = [
        Arriving(hook, *came.get((hook.doctype, hook.event), (None, 0))) for hook in _hooks(end)
    ]
    last_at = max((last for last, _ in came.values()), default=None)
    wrong = await wrong_of(session, [connection.id])
    troubles = [*troubles_of(end, wrong[connection.id])]
    late = _late(end.found)
    state: State = "late" if late else "arriving" if last_at else "waiting"
    if troubles:
        state = "trouble"
    return Standing(state, end, hooks, troubles, counts, last_at, late)


def _late(found: Mapping[str, Any]) -> str | None:
    """That news is slow, which is nothing to mend here; None: it is not."""
    queue, late = found.get("queue") or {}, found.get("late") or {}
    count, minutes = queue.get("ours", 0), queue.get("minutes", 0)
    if LATE <= minutes < STANDS:
        return (
            f"{_webhooks_in(queue)} in the site's own queue, the first for {minutes:,} "
            f"{_one(minutes, 'minute', 'minutes')}. They come late, and are not lost."
        )
    if late and not count:
        named = _named([f"{doctype} {name}" for doctype, names in late.items() for name in names])
        return f"Not told of yet: {named}. The site delivers slowly at present; polling goes on."
    return None


def _webhooks_in(queue: Mapping[str, Any]) -> str:
    count = queue.get("ours", 0)
    some = f"{count:,} {_one(count, 'webhook waits', 'webhooks wait')}"
    return f"At least {some}" if queue.get("full") else some


def _hooks(end: WebhookEndpoint) -> list[Hook]:
    """As they were found; before the first look, as they are wanted."""
    if "hooks" in end.found:
        return [Hook(**hook) for hook in end.found["hooks"]]
    return [
        Hook(doctype, event, "", "fine")
        for doctype, events in end.wanted.items()
        for event in events
    ]


async def _came(
    session: AsyncSession, connection_id: UUID
) -> dict[tuple[str, str], tuple[datetime, int]]:
    lately = Delivery.received_at > func.now() - func.make_interval(0, 0, 0, 1)
    query = (
        select(
            Delivery.subject_type,
            Delivery.event,
            func.max(Delivery.received_at),
            func.count().filter(lately),
        )
        .where(Delivery.connection_id == connection_id, Delivery.state != "unreadable")
        .group_by(Delivery.subject_type, Delivery.event)
    )
    found = await session.execute(query)
    return {(str(doctype), event): (last, count) for doctype, event, last, count in found.all()}


async def _counts(session: AsyncSession, connection_id: UUID) -> dict[str, int]:
    query = select(Delivery.state, func.count()).where(Delivery.connection_id == connection_id)
    found = await session.execute(query.group_by(Delivery.state))
    return {str(state): int(count) for state, count in found.all()}


async def wrong_of(
    session: AsyncSession, connection_ids: Sequence[UUID]
) -> dict[UUID, dict[str, int]]:
    """Deliveries that somebody has to look at, by connection and state. Those that cannot be read
    count for a day, and no longer than until the webhooks are mended.
    """
    mended = func.coalesce(WebhookEndpoint.installed_at, WebhookEndpoint.created_at)
    since = func.greatest(mended, func.now() - func.make_interval(0, 0, 0, 1))
    query = (
        select(Delivery.connection_id, Delivery.state, func.count())
        .join(WebhookEndpoint, WebhookEndpoint.connection_id == Delivery.connection_id)
        .where(
            Delivery.connection_id.in_(connection_ids),
            Delivery.state.in_(("failed", "unreadable")),
            or_(Delivery.state == "failed", Delivery.received_at > since),
        )
        .group_by(Delivery.connection_id, Delivery.state)
    )
    found: dict[UUID, dict[str, int]] = defaultdict(dict)
    for connection_id, state, count in (await session.execute(query)).all():
        found[connection_id][state] = count
    return found


def troubles_of(end: WebhookEndpoint, wrong: Mapping[str, int]) -> Iterator[Trouble]:
    """`wrong`: deliveries by their state, see `wrong_of`."""
    found = end.found
    if found.get("error"):
        yield Trouble(
            f"The site could not be asked about its webhooks: {found['error']}",
            found.get("next_step") or "Check again.",
            "check",
            of_site=True,
        )
    elif end.at_the_site and end.installed_at is None:
        yield Trouble("The webhooks are not on the site yet.", MEND, "mend")
    if found.get("unfinished"):
        yield Trouble(
            "The new secret has not reached every webhook of the site.",
            "Mend them; until then both secrets are accepted.",
            "mend",
        )
    if found.get("older"):
        yield Trouble(
            "The webhooks are of an older form: the site also tells of what the hub itself wrote, "
            "which fills its queue, and tells of no rename.",
            "Mend them; what people there added to a condition is kept.",
            "mend",
        )
    else:
        yield from _of_hooks(found)
    yield from _of_queue(found)
    yield from _of_arrivals(end, found)
    if orphans := found.get("orphans"):
        count = f"{len(orphans):,} {_one(len(orphans), 'webhook', 'webhooks')}"
        yield Trouble(
            f"{count} on the site lead to this hub and {_one(len(orphans), 'belongs', 'belong')} "
            f"to no connection: {_named([orphan['name'] for orphan in orphans])}.",
            "Remove them: each is refused, and others wait behind it in the site's queue.",
            "clear",
        )
    if unreadable := wrong.get("unreadable"):
        yield Trouble(
            f"{unreadable:,} {_one(unreadable, 'delivery names', 'deliveries name')} no document.",
            "Look at them below: each says why. The webhook's JSON in ERPNext has to hold doctype "
            "and name, each written with | tojson.",
            "mend" if end.at_the_site else "none",
        )
    if failed := wrong.get("failed"):
        yield Trouble(
            f"{failed:,} {_one(failed, 'delivery', 'deliveries')} failed for days.",
            "See below what stood in the way, and try again.",
            "retry",
        )


def _of_hooks(found: dict[str, Any]) -> Iterator[Trouble]:
    by_state: dict[str, list[str]] = defaultdict(list)
    for hook in found.get("hooks", []):
        when = WHEN.get(hook["event"], hook["event"])
        by_state[hook["state"]].append(f"{hook['doctype']} (when one is {when})")
    for state, (one, many) in IN_WORDS.items():
        if names := by_state.get(state):
            yield Trouble(f"{_named(names)} {_one(len(names), one, many)}.", MEND, "mend")
    if extra := found.get("extra"):
        yield Trouble(
            f"{_named(extra)}: there on the site without being wanted, or a second time.",
            "Mend them; what is too much is removed.",
            "mend",
        )


def _of_queue(found: dict[str, Any]) -> Iterator[Trouble]:
    queue = found.get("queue") or {}
    if queue.get("minutes", 0) >= STANDS:
        yield Trouble(
            f"The site's own queue stands still: {_webhooks_in(queue)}, the first for "
            f"{queue['minutes']:,} minutes.",
            f"{RUNS} Polling brings the changes meanwhile.",
            "check",
        )


def _of_arrivals(end: WebhookEndpoint, found: dict[str, Any]) -> Iterator[Trouble]:
    unheard = found.get("unheard") or {}
    for doctype, names in unheard.items():
        yield Trouble(
            f"{doctype} changed on the site and no webhook told of it: {_named(names)}.",
            f"{_way_of(end)} Polling brings the changes meanwhile.",
            "mend" if end.at_the_site else "check",
        )
    failures = found.get("failures") or []
    if failures and (unheard or "401" in failures[0]["error"]):
        newest = failures[0]
        refused = "401" in newest["error"]
        yield Trouble(
            f"The site could not deliver {newest['webhook']} about {newest['document']}: "
            f"{newest['error']}",
            "Its secret is not the hub's: mend them."
            if refused
            else f"See that the site reaches {end.base_url}.",
            "mend" if refused else "check",
        )


def _way_of(end: WebhookEndpoint) -> str:
    runs = f"See that ERPNext's background workers run, and that the site reaches {end.base_url};"
    if end.at_the_site:
        return f"{runs} then mend the webhooks."
    return f"{runs} and in ERPNext, that the webhooks are enabled and have the hub's secret."


def _named(names: list[str]) -> str:
    more = len(names) - MOST_NAMED
    some = ", ".join(names[:MOST_NAMED])
    return f"{some} and {more} more" if more > 0 else some


def _one(count: int, one: str, many: str) -> str:
    return one if count == 1 else many


async def deliveries_of(
    session: AsyncSession,
    connection: Connection,
    limit: int,
    before: int | None = None,
    *,
    state: str | None = None,
    doctype: str | None = None,
) -> list[Delivery]:
    """Newest first; `before` is the id of the last one that the caller has."""
    query = select(Delivery).where(Delivery.connection_id == connection.id)
    if state:
        query = query.where(Delivery.state == state)
    if doctype:
        query = query.where(Delivery.subject_type == doctype)
    if before is not None:
        query = query.where(Delivery.id < before)
    return list((await session.scalars(query.order_by(Delivery.id.desc()).limit(limit))).all())
