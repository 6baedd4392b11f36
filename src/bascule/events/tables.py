"""Live events, kept for an hour. Rows outlive the people and connections that they are about."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, func
from sqlalchemy.orm import Mapped, mapped_column

from bascule.store.base import Base


class Event(Base):
    """`private_to`: only this user may see it; 0 is nobody, null everybody.

    `xact` and `oldest_xact` tell what was still uncommitted when this was written; see `live`.
    """

    __tablename__ = "events"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    kind: Mapped[str]  # run, stream, connection, user, audit
    connection_id: Mapped[UUID | None]
    private_to: Mapped[int | None]
    data: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    xact: Mapped[int] = mapped_column(BigInteger)
    oldest_xact: Mapped[int] = mapped_column(BigInteger)
