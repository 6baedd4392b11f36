"""The ERPNext sites this hub knows."""

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import ForeignKey, func
from sqlalchemy.orm import Mapped, mapped_column

from bascule.accounts.tables import User
from bascule.store.base import Base, encrypted


class Connection(Base):
    """One site and the user that the hub is there. `slug` also names the mirror's schema."""

    __tablename__ = "connections"
    told = (
        "name",
        "group",
        "shared",
        "api_url",
        "api_key_encrypted",
        "api_secret_encrypted",
        "allow_http",
        "ca_bundle",
        "max_concurrency",
        "schedule",
        "sync_inventory",
        "sync_orders",
        "sync_suppliers",
        "lookback_days",
        "proof_days",
        "warehouse_filter",
        "include_disabled",
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    slug: Mapped[str] = mapped_column(unique=True)  # [a-z][a-z0-9_]*, at most 40 characters
    name: Mapped[str]
    group: Mapped[str] = mapped_column(server_default="")  # a word of people's own; "": none
    kind: Mapped[str] = mapped_column(server_default="erpnext")
    owner_id: Mapped[int | None] = mapped_column(ForeignKey(User.id))  # None: the machine made it
    shared: Mapped[bool] = mapped_column(server_default="true")  # False: its owner's alone

    api_url: Mapped[str]
    api_key_encrypted: Mapped[str] = mapped_column(info=encrypted("API key", beside="api_url"))
    api_key_ends_with: Mapped[str] = mapped_column(server_default="")  # to tell it by
    api_secret_encrypted: Mapped[str] = mapped_column(
        info=encrypted("API secret", beside="api_url")
    )
    allow_http: Mapped[bool] = mapped_column(server_default="false")
    ca_bundle: Mapped[str | None]  # path of a PEM file
    max_concurrency: Mapped[int] = mapped_column(server_default="4")

    schedule: Mapped[str] = mapped_column(server_default="daily")  # see connections.schedules
    next_sync_at: Mapped[datetime | None]
    next_verify_at: Mapped[datetime | None]

    sync_inventory: Mapped[bool] = mapped_column(server_default="true")
    sync_orders: Mapped[bool] = mapped_column(server_default="true")
    sync_suppliers: Mapped[bool] = mapped_column(server_default="true")
    lookback_days: Mapped[int] = mapped_column(server_default="90")
    proof_days: Mapped[int] = mapped_column(server_default="7")  # for every row by value
    warehouse_filter: Mapped[list[str]] = mapped_column(server_default="[]")
    include_disabled: Mapped[bool] = mapped_column(server_default="false")
    left_off: Mapped[list[str]] = mapped_column(server_default="[]")  # DocTypes; `mirror.left_off`

    # What the site said when it was last asked.
    health: Mapped[str] = mapped_column(server_default="unknown")  # unknown, ok, refused, down
    health_detail: Mapped[str | None]
    checked_at: Mapped[datetime | None]
    site_user: Mapped[str | None]
    time_zone: Mapped[str | None]
    versions: Mapped[dict[str, Any]] = mapped_column(server_default="{}")  # {"frappe": "15.44.2"}

    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now())


class Circuit(Base):
    """A site that nobody gets through to is left alone until `open_until`; then one tries it, and
    has until `trying_until`. `way_in`: what it was asked with; others are tried at once.
    """

    __tablename__ = "circuits"

    connection_id: Mapped[UUID] = mapped_column(
        ForeignKey(Connection.id, ondelete="CASCADE"), primary_key=True
    )
    failures: Mapped[int] = mapped_column(server_default="0")
    open_until: Mapped[datetime]
    trying_until: Mapped[datetime | None]
    way_in: Mapped[str]
    kind: Mapped[str] = mapped_column(server_default="down")  # down, refused
    why: Mapped[str]
    next_step: Mapped[str]


class SiteCleanup(Base):
    """What a connection that was deleted has left on its site, and the credentials to remove it.

    `remains`: [{"kind", "what", "data"}], see `on_site`. `next_try_at` is null once `until` has
    passed; then the credentials are gone too, and a person removes the rest by hand.
    """

    __tablename__ = "site_cleanups"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]  # the connection's
    owner_id: Mapped[int | None] = mapped_column(ForeignKey(User.id))
    shared: Mapped[bool]

    api_url: Mapped[str]
    api_key_encrypted: Mapped[str | None] = mapped_column(
        info=encrypted("API key", beside="api_url")
    )
    api_secret_encrypted: Mapped[str | None] = mapped_column(
        info=encrypted("API secret", beside="api_url")
    )
    allow_http: Mapped[bool]
    ca_bundle: Mapped[str | None]

    remains: Mapped[list[Any]]
    attempts: Mapped[int] = mapped_column(server_default="0")
    next_try_at: Mapped[datetime | None]
    until: Mapped[datetime]
    error: Mapped[str | None]
    next_step: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
