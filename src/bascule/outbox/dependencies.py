"""What routes about the outbox ask for."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncSession

from bascule.accounts.access import require
from bascule.accounts.tables import User
from bascule.audit.entries import entry_of
from bascule.connections.tables import Connection
from bascule.hub import Hub
from bascule.outbox import queries
from bascule.outbox.permissions import OUTBOX_MANAGE
from bascule.outbox.tables import OutboxWrite

MayManageOutbox = Annotated[User, Depends(require(OUTBOX_MANAGE))]


@asynccontextmanager
async def write_to_decide(
    request: Request, hub: Hub, user: User, number: int
) -> AsyncIterator[tuple[AsyncSession, OutboxWrite, Connection]]:
    """A write that this person sees, locked until the transaction ends; the audit log names it."""
    async with hub.db.session() as session:
        write, connection = await queries.find_write(session, user, number, lock=True)
        entry_of(request).object = write.key
        yield session, write, connection
