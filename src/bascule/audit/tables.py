"""The audit log, kept for 400 days.

Rows outlive the people and connections that they are about, so nothing refers to those.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Index, func
from sqlalchemy.orm import Mapped, mapped_column

from bascule.store.base import Base


class Audit(Base):
    """Who did what, when, from where. `private_to` as for events."""

    __tablename__ = "audit"
    __table_args__ = (
        Index("ix_audit_at", "at"),
        Index("ix_audit_user_id_id", "user_id", "id"),
        Index("ix_audit_connection_id_id", "connection_id", "id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    user_id: Mapped[int | None]  # null: the machine, or nobody who could be told
    username: Mapped[str] = mapped_column(server_default="")
    action: Mapped[str]
    via: Mapped[str] = mapped_column(server_default="")  # session, jwt, token, cli
    address: Mapped[str] = mapped_column(server_default="")
    connection_id: Mapped[UUID | None]
    private_to: Mapped[int | None]
    object: Mapped[str] = mapped_column(server_default="")
    detail: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
