"""Webhooks in trouble, for the first page: with the button that mends them."""

from collections import defaultdict

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.accounts.tables import User
from bascule.attention.items import Action, AttentionItem, finds_attention_items
from bascule.connections.permissions import CONNECTIONS_EDIT
from bascule.connections.sharing import seen_by
from bascule.connections.tables import Connection
from bascule.hub import Hub
from bascule.inbox.frappe import status
from bascule.inbox.frappe.status import Trouble, troubles_of, wrong_of
from bascule.inbox.frappe.tables import WebhookEndpoint

LABELS: dict[status.Mend, str] = {
    "mend": "Mend the webhooks",
    "check": "Check again",
    "retry": "Try again",
    "clear": "Remove them",
}


@finds_attention_items
async def needs(hub: Hub, session: AsyncSession, viewer: User | None) -> list[AttentionItem]:
    """One for each act that mends something. What a site does not say while it does not answer at
    all is told of the site.
    """
    query = (
        select(WebhookEndpoint, Connection)
        .join(Connection, Connection.id == WebhookEndpoint.connection_id)
        .where(seen_by(viewer))
        .order_by(Connection.name)
    )
    ends = [(row[0], row[1]) for row in (await session.execute(query)).all()]
    wrong = await wrong_of(session, [connection.id for _, connection in ends])
    found = []
    for end, connection in ends:
        away = connection.health in ("refused", "down")
        together: dict[status.Mend, list[Trouble]] = defaultdict(list)
        for trouble in troubles_of(end, wrong[connection.id]):
            if not (away and trouble.of_site):
                together[trouble.mend].append(trouble)
        found += [_need(connection, mend, troubles) for mend, troubles in together.items()]
    return found


def _need(connection: Connection, mend: status.Mend, troubles: list[Trouble]) -> AttentionItem:
    page = f"/connectors/{connection.slug}/webhooks"
    first, more = troubles[0], len(troubles) - 1
    label = LABELS.get(mend)
    what = f"{first.what} And {more} more." if more else first.what
    verb = mend if label else "check"
    return AttentionItem(
        kind="webhooks",
        command=f"bascule webhooks {verb} --connection {connection.slug}",
        name=f"Webhooks of {connection.name}",
        what=what,
        next_step=first.next_step,
        page=page,
        mend=Action(label, f"{page}/{mend}", post=True, icon="refresh", permission=CONNECTIONS_EDIT)
        if label
        else None,
        cause=what,
    )
