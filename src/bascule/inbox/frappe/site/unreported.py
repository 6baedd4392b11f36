"""Documents that changed on a site and of which nothing was heard: late, or lost?

What the hub's own user changes is not told of, nor what ERPNext changes by SQL. Of the rest, what
waits in the site's queue is late. Where that queue may not be read, so is what it has not come to:
it delivers in order.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bascule.frappe import Site
from bascule.frappe.side_effects import AFFECTED, MADE_BY_SQL
from bascule.hub import Hub
from bascule.inbox.frappe.site.queue import GRACE, Changed, changed_lately
from bascule.inbox.frappe.site.webhooks import EVERYTHING_AS, Found
from bascule.inbox.frappe.tables import WebhookEndpoint

TOLD_OF_CHANGES = frozenset({"on_change", "on_update"})
LONGEST = timedelta(hours=1)  # that anything is waited for
STILL_COMING = timedelta(minutes=10)  # since the last delivery

_SEEN = """
SELECT max(version), max(received_at),
       max(received_at AT TIME ZONE 'UTC' + %(ahead)s - version::timestamp)
           FILTER (WHERE received_at > now() - interval '1 day')
  FROM bascule.deliveries
 WHERE connection_id = %(connection)s AND version ~ '^\\d{4}-\\d\\d-\\d\\d \\d\\d:\\d\\d:\\d\\d'"""


@dataclass(frozen=True, slots=True)
class Seen:
    """What deliveries told of the site's queue. `reached`: the newest version that one was about,
    in the site's time; `patience`: how long one may take.
    """

    now: datetime  # the site's time
    reached: str
    coming: bool
    patience: timedelta

    def may_come(self, changed: Changed) -> bool:
        if changed.modified <= self.reached:
            return False  # it delivers in order, and has passed this one
        waited = self.now - datetime.fromisoformat(changed.modified)
        return waited < (LONGEST if self.coming else self.patience)


async def unheard(
    hub: Hub, site: Site, end: WebhookEndpoint, found: Found, since: str, user: str
) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """By DocType the documents of which nothing came: those that are lost, and those that are late.

    A single one may have changed in a way that no webhook tells of; the newest ones all together
    have not. Where the site says that it could not deliver, one is enough.
    """
    lost: dict[str, list[str]] = {}
    late: dict[str, list[str]] = {}
    now = await site.clock()
    seen = await _seen(hub, end, now)
    for doctype, events in end.wanted.items():
        if not TOLD_OF_CHANGES & set(events) or doctype in found.limited:
            continue
        left_out = user if user != EVERYTHING_AS else None
        changed = await changed_lately(site, doctype, since, now - GRACE, left_out)
        missed = await _missed(hub, end, doctype, changed)
        due = [one for one in missed if _was_due(doctype, one, found)]
        gone = [one for one in due if not _is_late(doctype, one, found, seen)]
        if waiting := [one.name for one in due if one not in gone]:
            late[doctype] = waiting
        enough = bool(found.failures) or len(gone) > 1
        if gone and len(missed) == len(changed) and len(gone) == len(due) and enough:
            lost[doctype] = [one.name for one in gone]
    return lost, late


async def _missed(
    hub: Hub, end: WebhookEndpoint, doctype: str, changed: list[Changed]
) -> list[Changed]:
    async with hub.db.connection() as conn:
        heard = await conn.execute(
            "SELECT subject, max(version) FROM bascule.deliveries"
            " WHERE connection_id = %s AND subject_type = %s AND subject = ANY(%s)"
            " GROUP BY subject",
            [end.connection_id, doctype, [one.name for one in changed]],
        )
        last = {str(name): modified for name, modified in await heard.fetchall()}
    # Both are the site's own writing of its own time, which sorts as text.
    return [one for one in changed if (last.get(one.name) or "") < one.modified]


def _was_due(doctype: str, changed: Changed, found: Found) -> bool:
    """Whether somebody had to be told. That a document is made, an event tells; of one that
    changed nobody knows whether it was saved or moved by SQL, where ERPNext does that.
    """
    if changed.made:
        return doctype not in MADE_BY_SQL
    return doctype not in AFFECTED and (found.queue is None or bool(found.failures))


def _is_late(doctype: str, changed: Changed, found: Found, seen: Seen) -> bool:
    if found.queue is not None:
        return found.queue.full or [doctype, changed.name] in found.queue.documents
    return seen.may_come(changed)


async def _seen(hub: Hub, end: WebhookEndpoint, now: datetime) -> Seen:
    here = datetime.now(UTC)
    ahead = now - here.replace(tzinfo=None)
    async with hub.db.connection() as conn:
        found = await conn.execute(_SEEN, {"ahead": ahead, "connection": end.connection_id})
        row = await found.fetchone()
    reached, last, longest = row or (None, None, None)
    patience = min(LONGEST, 2 * longest) if longest is not None else GRACE
    coming = last is not None and here - last < STILL_COMING
    return Seen(now, reached or "", coming, max(GRACE, patience))
