"""What is kept the same: records, their links to documents, what waits to be sent, what happened.

`bascule.records` is the hub's own data and outlives the connection that it was linked over.
"""

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import BigInteger, ForeignKey, Index, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from bascule.connections.tables import Connection
from bascule.store.base import Base


class TwoWay(Base):
    """One record type of one connection, and how it is kept the same.

    `status`: off (nothing is read or written), matching (the two sides are being paired; nothing
    is written), on. Only a person turns it on: then, and only then, the hub writes to the site.
    """

    __tablename__ = "two_ways"
    told = (
        "status",
        "company",
        "defaults",
        "mapping",
        "policy",
        "field_policies",
        "on_delete",
        "poll_minutes",
    )
    __table_args__ = (UniqueConstraint("connection_id", "record_type"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    connection_id: Mapped[UUID] = mapped_column(ForeignKey(Connection.id, ondelete="CASCADE"))
    record_type: Mapped[str]  # see sync/record_types.py
    status: Mapped[str] = mapped_column(server_default="off")

    company: Mapped[str | None]  # whose credit limits are meant
    owned_field: Mapped[str | None]  # the hub's own unique field there, if it could add one
    defaults: Mapped[dict[str, Any]] = mapped_column(server_default="{}")  # local field -> value
    # For defaults of the type that the site does not have, what it has; see `site_defaults`.
    site_defaults: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    mapping: Mapped[list[Any]] = mapped_column(server_default="[]")  # what people added or changed
    cannot_hold: Mapped[dict[str, Any]] = mapped_column(server_default="{}")  # field -> why
    policy: Mapped[str] = mapped_column(server_default="ask")  # ask, erpnext, hub, newest
    field_policies: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    on_delete: Mapped[str] = mapped_column(server_default="disable")  # disable, delete, keep

    poll_minutes: Mapped[int] = mapped_column(server_default="15")
    next_poll_at: Mapped[datetime | None]
    cursor: Mapped[dict[str, Any]] = mapped_column(server_default="{}")  # see sync/receive/pull.py
    last_poll_at: Mapped[datetime | None]  # the last that went well
    last_summary: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    last_error: Mapped[str | None]
    last_error_step: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Record(Base):
    """One customer (or whatever `record_type` says), as the hub has it.

    `key`: what its document bears in the hub's own field, so that whatever happens to the link, one
    record makes one document, and that is known as its. `edited`: of each field that was changed
    here and not yet agreed on, {"at", "by"}.
    `private_to`: whose it is alone once its connection is gone; see `events.tables`.
    """

    __tablename__ = "records"
    __table_args__ = (
        Index("ix_records_record_type_title_id", "record_type", "title", "id"),
        Index("ix_records_connection_id", "connection_id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    record_type: Mapped[str]
    key: Mapped[str] = mapped_column(unique=True, default=lambda: uuid4().hex)
    connection_id: Mapped[UUID | None] = mapped_column(
        ForeignKey(Connection.id, ondelete="SET NULL")
    )
    private_to: Mapped[int | None]
    values: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    edited: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    title: Mapped[str]
    search: Mapped[str] = mapped_column(server_default="")  # what it is found by, lower-cased
    version: Mapped[int] = mapped_column(server_default="1")
    deleted_at: Mapped[datetime | None]  # deleted here
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now())
    updated_by: Mapped[str] = mapped_column(server_default="")


class Link(Base):
    """What joins a record to a document, and how that stands.

    `base`: the value of each field that both sides last agreed on. `modified` and `parts`: of the
    documents behind it ({"main", "address", "contact"}), their times and names. `withheld`: the
    names of those that the document has and the site does not give, because the hub's user may not
    read them. `moved`: those that the site itself saved since, by a write of ours to another of
    them: of these the time is a lower bound. `seen_at`: when the newest answer of the site that
    went in here had arrived (the database's clock).
    """

    __tablename__ = "links"
    __table_args__ = (
        UniqueConstraint("two_way_id", "document"),
        Index("ix_links_state", "two_way_id", "state"),
        Index("ix_links_retry_at", "retry_at", postgresql_where=text("retry_at IS NOT NULL")),
    )

    record_id: Mapped[int] = mapped_column(
        ForeignKey(Record.id, ondelete="CASCADE"), primary_key=True
    )
    two_way_id: Mapped[int] = mapped_column(ForeignKey(TwoWay.id, ondelete="CASCADE"))
    document: Mapped[str | None]  # None: not there yet
    creation: Mapped[str | None]  # as the site writes it: what it is known by after a rename
    base: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    modified: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    parts: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    withheld: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    moved: Mapped[list[str]] = mapped_column(JSONB, server_default="[]")
    seen_at: Mapped[datetime | None]

    state: Mapped[str] = mapped_column(server_default="in_sync")  # see sync/send/failures.py
    why: Mapped[str | None]
    next_step: Mapped[str | None]
    remedy: Mapped[str | None]  # the kind of trouble; see sync/send/failures.py
    wrong: Mapped[dict[str, Any]] = mapped_column(server_default="{}")  # field -> the site's words
    retry_at: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(server_default="0")
    failing_since: Mapped[datetime | None]
    gone_at: Mapped[datetime | None]  # deleted there

    # A create that was begun: what it is found by if its answer never came.
    create_begun_at: Mapped[datetime | None]
    create_title: Mapped[str | None]  # as it was sent
    create_seen_from: Mapped[str | None]  # the site's clock then
    # The same of an Address or a Contact: {"contact": when it was begun}.
    parts_begun: Mapped[dict[str, Any]] = mapped_column(server_default="{}")

    def ever_agreed(self, field: str) -> bool:
        """Whether both sides had the same in this field before, so that it can be that again. A
        pair that was put together with different values never had.
        """
        return field in self.base


class Outbox(Base):
    """An edit that has to reach the site. Sent or given up, its row is gone."""

    __tablename__ = "outbox"
    __table_args__ = (Index("ix_outbox_record_id_id", "record_id", "id"),)

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    record_id: Mapped[int] = mapped_column(ForeignKey(Record.id, ondelete="CASCADE"))
    two_way_id: Mapped[int] = mapped_column(ForeignKey(TwoWay.id, ondelete="CASCADE"))
    operation: Mapped[str]  # save, delete, withdraw: see sync/send/send_edit.py
    version: Mapped[int]
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    by: Mapped[str] = mapped_column(server_default="")


class Change(Base):
    """One step of a record's history: {field: [before, after]}. Nothing that was ever a value of
    it, here or there as far as the hub saw it, is missing.
    """

    __tablename__ = "record_changes"
    __table_args__ = (Index("ix_record_changes_record_id_id", "record_id", "id"),)

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    record_id: Mapped[int] = mapped_column(ForeignKey(Record.id, ondelete="CASCADE"))
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    origin: Mapped[str]  # here, erpnext, settled, overruled, linked, deleted, ...: see history.py
    by: Mapped[str] = mapped_column(server_default="")
    version: Mapped[int]
    changes: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    note: Mapped[str] = mapped_column(server_default="")


class Conflict(Base):
    """A field that both sides changed to different values; at most one is open for a field."""

    __tablename__ = "conflicts"
    __table_args__ = (
        Index(
            "uq_conflicts_open",
            "record_id",
            "field",
            unique=True,
            postgresql_where=text("settled_at IS NULL"),
        ),
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    record_id: Mapped[int] = mapped_column(ForeignKey(Record.id, ondelete="CASCADE"))
    field: Mapped[str]
    base: Mapped[Any] = mapped_column(JSONB)
    here: Mapped[Any] = mapped_column(JSONB)
    there: Mapped[Any] = mapped_column(JSONB)
    here_by: Mapped[str] = mapped_column(server_default="")
    here_at: Mapped[datetime | None]
    there_by: Mapped[str] = mapped_column(server_default="")
    there_at: Mapped[datetime | None]
    restored: Mapped[bool] = mapped_column(server_default="false")  # see sync/receive
    opened_at: Mapped[datetime] = mapped_column(server_default=func.now())
    settled_at: Mapped[datetime | None]
    settled_by: Mapped[str | None]
    choice: Mapped[str | None]  # here, there, base, value, agreed
    value: Mapped[Any] = mapped_column(JSONB, nullable=True)


class Exchange(Base):
    """One attempt to speak with a site about a record, in or out, without credentials.

    A row without `finished_at` was cut off: whether the site did it is looked up before a repeat.
    """

    __tablename__ = "exchanges"
    __table_args__ = (
        Index("ix_exchanges_record_id_id", "record_id", "id"),
        Index("ix_exchanges_two_way_id_id", "two_way_id", "id"),
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    two_way_id: Mapped[int] = mapped_column(ForeignKey(TwoWay.id, ondelete="CASCADE"))
    record_id: Mapped[int | None] = mapped_column(ForeignKey(Record.id, ondelete="CASCADE"))
    direction: Mapped[str]  # out, in
    what: Mapped[str]  # create, update, delete, find, refetch, ...
    document: Mapped[str] = mapped_column(server_default="")  # "Customer Acme"
    request: Mapped[Any] = mapped_column(JSONB, nullable=True)
    answer: Mapped[Any] = mapped_column(JSONB, nullable=True)
    status: Mapped[int | None]
    error: Mapped[str | None]
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    finished_at: Mapped[datetime | None]
    ms: Mapped[float | None]


class Match(Base):
    """One row of the preview before two-way sync begins: what would become of a record or a
    document. `decision`: pair, bring (make a record), send (make a document), leave.
    """

    __tablename__ = "matches"
    __table_args__ = (Index("ix_matches_two_way_id_id", "two_way_id", "id"),)

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    two_way_id: Mapped[int] = mapped_column(ForeignKey(TwoWay.id, ondelete="CASCADE"))
    record_id: Mapped[int | None] = mapped_column(ForeignKey(Record.id, ondelete="CASCADE"))
    document: Mapped[str | None]
    matched_by: Mapped[str | None]  # tax_id, email, name
    ambiguous: Mapped[bool] = mapped_column(server_default="false")
    there: Mapped[dict[str, Any]] = mapped_column(server_default="{}")  # values of the document
    decision: Mapped[str]
