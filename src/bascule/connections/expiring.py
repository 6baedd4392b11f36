"""Attention items for tokens that expire and for API secrets that were not renewed for long."""

from datetime import UTC, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from bascule.accounts.permissions import ACCOUNT_OWN
from bascule.accounts.tables import User
from bascule.accounts.tokens import ending_soon
from bascule.attention.items import Action, AttentionItem, finds_attention_items
from bascule.connections.queries import list_connections
from bascule.connections.sharing import who_decides
from bascule.hub import Hub
from bascule.store import StoreError


@finds_attention_items
async def tokens_that_end(
    hub: Hub, session: AsyncSession, viewer: User | None
) -> list[AttentionItem]:
    """The viewer's own."""
    now = datetime.now(UTC)
    return [
        AttentionItem(
            kind="expiring",
            name=f"API token “{token.name}”",
            what=f"It {'ended' if ends <= now else 'ends'} on {ends:%Y-%m-%d at %H:%M} UTC.",
            next_step="Make another of the same name and give it to what uses this one; or revoke "
            "it, if nothing does.",
            page="/settings#tokens-title",
            mend=Action(
                "Make another", "/settings#tokens-title", icon="key", permission=ACCOUNT_OWN
            ),
        )
        for token in (await ending_soon(session, viewer) if viewer else [])
        if (ends := token.expires_at) is not None
    ]


@finds_attention_items
async def old_secrets(hub: Hub, session: AsyncSession, viewer: User | None) -> list[AttentionItem]:
    """Shown only to those who may renew them."""
    days = hub.settings.api_secret_days
    found = []
    for connection in await list_connections(session, viewer) if days else []:
        needed = who_decides(connection)
        if connection.health == "refused" or not (viewer is None or viewer.may(needed)):
            continue
        try:
            since = hub.vault.encrypted_at(connection.api_secret_encrypted)
        except StoreError:  # of another key, which whoever opens it is told
            continue
        if (age := datetime.now(UTC) - since) < timedelta(days=days):
            continue
        page = f"/connectors/{connection.slug}/settings"
        found.append(
            AttentionItem(
                kind="expiring",
                name=connection.name,
                what=f"The hub has used the same API secret for {age.days:,} days.",
                next_step="It goes on working. To renew it, generate keys for the hub's user in "
                "ERPNext (My Settings, API Access), and give both to the hub.",
                page=page,
                mend=Action("Renew the secret", page, icon="key", permission=needed),
                command=f"bascule change {connection.slug} --credentials",
            )
        )
    return found
