"""What is on its way to ERPNext, what became of it, and every request that was made for it."""

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import (
    BigInteger,
    ForeignKey,
    Index,
    SmallInteger,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from bascule.connections.tables import Connection
from bascule.store.base import Base

UNFINISHED = ("waiting", "sending", "in_doubt")
_UNFINISHED = "state IN ('waiting', 'sending', 'in_doubt')"


class OutboxWrite(Base):
    """One change of one document.

    States: waiting, sending (a request is under way, or was when its worker died), in_doubt (its
    answer was lost), written, failed (somebody has to do something), given_up.
    """

    __tablename__ = "outbox_writes"
    __table_args__ = (
        UniqueConstraint("connection_id", "key"),
        Index("ix_outbox_writes_lane", "connection_id", "lane", "id",
              postgresql_where=text(_UNFINISHED)),
        Index("ix_outbox_writes_origin", "connection_id", "origin_kind", "origin_id", "id",
              postgresql_where=text("state NOT IN ('written', 'given_up')")),
        Index("ix_outbox_writes_document", "connection_id", "doctype", "name"),
        Index("ix_outbox_writes_state", "state", "id"),
        Index("ix_outbox_writes_depends_on", "depends_on", postgresql_using="gin"),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    connection_id: Mapped[UUID] = mapped_column(ForeignKey(Connection.id, ondelete="CASCADE"))
    key: Mapped[str]
    # What the document bears in the hub's own field. The key is unique in this hub alone.
    mark: Mapped[str] = mapped_column(default=lambda: uuid4().hex)
    origin_kind: Mapped[str]  # the room that put it
    origin_id: Mapped[str]
    operation: Mapped[str]  # create, update, submit, cancel, delete, call
    doctype: Mapped[str]  # of a call: the method
    name: Mapped[str | None]
    values: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    based_on: Mapped[str | None]  # the document's `modified` that the change was made upon
    found_by: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    unique_by: Mapped[str | None]  # a field that the DocType itself has unique
    repeatable: Mapped[bool] = mapped_column(server_default="false")  # of a call
    lock_name: Mapped[str | None]
    depends_on: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")  # keys
    undoes: Mapped[int | None] = mapped_column(BigInteger)
    by: Mapped[str] = mapped_column(server_default="")
    lane: Mapped[int] = mapped_column(SmallInteger)  # see lanes.py

    state: Mapped[str] = mapped_column(server_default="waiting")
    failure: Mapped[str | None]  # the kind; see failures.py
    why: Mapped[str | None]
    next_step: Mapped[str | None]
    wrong: Mapped[dict[str, Any]] = mapped_column(server_default="{}")  # field -> ERPNext's words
    attempts: Mapped[int] = mapped_column(server_default="0")
    retry_at: Mapped[datetime | None]
    # When the request was begun whose fate is not known.
    begun_at: Mapped[datetime | None]
    sent_key_field: Mapped[str | None]  # the hub's own field, if that request had it
    seen_from: Mapped[str | None]  # the site's clock before that request, where it had not

    # What ERPNext said.
    document_modified: Mapped[str | None]
    document_creation: Mapped[str | None]
    docstatus: Mapped[int | None] = mapped_column(SmallInteger)
    before: Mapped[dict[str, Any] | None]  # of an update: what the fields were
    # field -> {"sent", "stored"}; None: nobody could compare
    not_kept: Mapped[dict[str, Any] | None]
    answer: Mapped[Any] = mapped_column(JSONB, nullable=True)  # of a call
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    written_at: Mapped[datetime | None]


class OutboxAttempt(Base):
    """One request that was made for a write, without credentials. A row without `finished_at` was
    cut off.
    """

    __tablename__ = "outbox_attempts"
    __table_args__ = (Index("ix_outbox_attempts_write_id_id", "write_id", "id"),)

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    write_id: Mapped[int] = mapped_column(ForeignKey(OutboxWrite.id, ondelete="CASCADE"))
    what: Mapped[str]  # create, create in a batch of 200, find, update, ...
    request: Mapped[Any] = mapped_column(JSONB, nullable=True)
    answer: Mapped[Any] = mapped_column(JSONB, nullable=True)
    status: Mapped[int | None]
    error: Mapped[str | None]
    at: Mapped[datetime] = mapped_column(server_default=func.clock_timestamp())
    finished_at: Mapped[datetime | None]


class OutboxKeyField(Base):
    """Whether a DocType of a site has the hub's own unique field; no `field`: it has not."""

    __tablename__ = "outbox_key_fields"

    connection_id: Mapped[UUID] = mapped_column(
        ForeignKey(Connection.id, ondelete="CASCADE"), primary_key=True
    )
    doctype: Mapped[str] = mapped_column(primary_key=True)
    field: Mapped[str | None]
    added: Mapped[bool] = mapped_column(server_default="false")  # by this room
    checked_at: Mapped[datetime] = mapped_column(server_default=func.now())
