"""That the disk is nearly full stands first on the page of whoever looks: all pulls wait for it."""

from sqlalchemy.ext.asyncio import AsyncSession

from bascule.accounts.tables import User
from bascule.attention.items import AttentionItem, finds_attention_items
from bascule.hub import Hub
from bascule.mirror.quota import disk_nearly_full


@finds_attention_items
async def full_disk(hub: Hub, session: AsyncSession, viewer: User | None) -> list[AttentionItem]:
    full = disk_nearly_full(hub.settings)
    if full is None:
        return []
    return [
        AttentionItem(
            kind="full",
            command="bascule doctor",
            name="The hub's disk",
            what=full.message,
            next_step=full.next_step,
            page="/connectors",
        )
    ]
