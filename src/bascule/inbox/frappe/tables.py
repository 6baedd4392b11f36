"""The webhooks of a site: where they arrive, what they are signed with, which are wanted."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, func
from sqlalchemy.orm import Mapped, mapped_column

from bascule.connections.tables import Connection
from bascule.store.base import Base, encrypted


class WebhookEndpoint(Base):
    """Where one connection's webhooks arrive."""

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
