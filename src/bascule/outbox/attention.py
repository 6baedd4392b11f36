"""What of the outbox needs somebody, for the first page."""

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.accounts.tables import User
from bascule.attention.items import Action, AttentionItem, finds_attention_items
from bascule.connections.sharing import seen_by
from bascule.connections.tables import Connection
from bascule.hub import Hub
from bascule.outbox.permissions import OUTBOX_MANAGE
from bascule.outbox.tables import OutboxWrite


@finds_attention_items
async def needs(hub: Hub, session: AsyncSession, viewer: User | None) -> list[AttentionItem]:
    """Writes that failed, by connection."""
    query = (
        select(Connection.name, Connection.slug, func.count())
        .join(OutboxWrite, OutboxWrite.connection_id == Connection.id)
        .where(OutboxWrite.state == "failed", seen_by(viewer))
        .group_by(Connection.name, Connection.slug)
        .order_by(Connection.name)
    )
    found = []
    for name, slug, many in (await session.execute(query)).all():
        page = f"/outbox?state=failed&connector={slug}"
        found.append(
            AttentionItem(
                kind="failed",
                name=name,
                what=f"{many:,} {'write' if many == 1 else 'writes'} to ERPNext failed.",
                next_step="The outbox says why; send them again, or give them up.",
                page=page,
                mend=Action("Look at them", page, permission=OUTBOX_MANAGE),
                command="bascule outbox --state failed",
            )
        )
    return found
