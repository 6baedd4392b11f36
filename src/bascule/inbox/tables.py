"""The deliveries of all sources."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, ForeignKey, Index, LargeBinary, String, func, text
from sqlalchemy.orm import Mapped, mapped_column

from bascule.connections.tables import Connection
from bascule.store.base import Base, encrypted


class Delivery(Base):
    """One webhook that arrived.

    `state`: kept (subscribers still have to be told), done, failed (a subscriber could not take it
    for days), unreadable (its source could not tell what it is about; `error` says why).
    """

    __tablename__ = "deliveries"
    __table_args__ = (
        Index("ix_deliveries_connection_id_id", "connection_id", "id"),
        Index("ix_deliveries_kept", "connection_id", "id", postgresql_where=text("state = 'kept'")),
        Index(
            "ix_deliveries_wrong",
            "connection_id",
            postgresql_where=text("state IN ('failed', 'unreadable')"),
        ),
        # The same delivery again; null: it cannot be known.
        Index("uq_deliveries_connection_id_digest", "connection_id", "digest", unique=True),
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    connection_id: Mapped[UUID] = mapped_column(ForeignKey(Connection.id, ondelete="CASCADE"))
    source: Mapped[str]
    address: Mapped[str]  # the last part of the path that it came to
    subject_type: Mapped[str | None]  # null: unreadable
    subject: Mapped[str | None]
    event: Mapped[str] = mapped_column(server_default="")
    version: Mapped[str | None]  # of the subject, as the sender writes it
    external_id: Mapped[str | None]  # the sender's id of the delivery
    # The raw body, where the source keeps it.
    payload_encrypted: Mapped[str | None] = mapped_column(info=encrypted("payload"))
    body: Mapped[str | None]  # of one that is unreadable, for people, where it is not encrypted
    digest: Mapped[bytes | None] = mapped_column(LargeBinary)
    received_at: Mapped[datetime] = mapped_column(server_default=func.now())

    state: Mapped[str] = mapped_column(server_default="kept")
    attempts: Mapped[int] = mapped_column(server_default="0")
    pending: Mapped[list[str] | None] = mapped_column(ARRAY(String))  # subscribers; null: all
    # {subscriber: {"state": "done" | "failed", "at", "error"?, "next_step"?}}
    outcomes: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    next_try_at: Mapped[datetime] = mapped_column(server_default=func.now())
    error: Mapped[str | None]
    next_step: Mapped[str | None]
    done_at: Mapped[datetime | None]
