"""What arrived, and the ends that it arrives at."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, ForeignKey, Index, LargeBinary, String, func, text
from sqlalchemy.orm import Mapped, mapped_column

from bascule.connections.tables import Connection
from bascule.store.base import Base, encrypted


class WebhookEndpoint(Base):
    """Where one connection's webhooks arrive: what they are signed with, and which are wanted."""

    __tablename__ = "webhook_ends"

    id: Mapped[int] = mapped_column(primary_key=True)
    connection_id: Mapped[UUID] = mapped_column(
        ForeignKey(Connection.id, ondelete="CASCADE"), unique=True
    )
    token: Mapped[str] = mapped_column(unique=True)  # in the address; public
    site_url: Mapped[str | None]  # the site that has these secrets; null: none was told
    secret_encrypted: Mapped[str] = mapped_column(info=encrypted("secret", beside="site_url"))
    # While the secret is being changed: what comes late is signed with the one before.
    previous_encrypted: Mapped[str | None] = mapped_column(
        info=encrypted("secret before it", beside="site_url")
    )
    previous_until: Mapped[datetime | None]

    wanted: Mapped[dict[str, Any]] = mapped_column(server_default="{}")  # {DocType: [event, ...]}
    base_url: Mapped[str | None]  # where the site reaches the hub
    at_the_site: Mapped[bool] = mapped_column(server_default="true")  # False: made by hand there
    installed_at: Mapped[datetime | None]
    checked_at: Mapped[datetime | None]
    found: Mapped[dict[str, Any]] = mapped_column(server_default="{}")  # by the last check
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Delivery(Base):
    """One webhook that arrived.

    `state`: kept (still to be told to who listens), done, failed (a listener could not take it for
    days), unreadable (it names no document; then `body` holds what came).
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
        # The same version of a document told again in the same words; null: it can't be known.
        Index("uq_deliveries_connection_id_digest", "connection_id", "digest", unique=True),
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    connection_id: Mapped[UUID] = mapped_column(ForeignKey(Connection.id, ondelete="CASCADE"))
    what: Mapped[str]  # the last part of the address
    doctype: Mapped[str | None]
    name: Mapped[str | None]
    event: Mapped[str] = mapped_column(server_default="")
    modified: Mapped[str | None]
    body: Mapped[str | None]
    digest: Mapped[bytes | None] = mapped_column(LargeBinary)
    received_at: Mapped[datetime] = mapped_column(server_default=func.now())

    state: Mapped[str] = mapped_column(server_default="kept")
    attempts: Mapped[int] = mapped_column(server_default="0")
    owed: Mapped[list[str] | None] = mapped_column(ARRAY(String))  # listeners; null: all
    next_try_at: Mapped[datetime] = mapped_column(server_default=func.now())
    error: Mapped[str | None]
    next_step: Mapped[str | None]
    done_at: Mapped[datetime | None]
