"""What the hub knows about its mirrors: streams, their runs, and what the runs said."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, Index, UniqueConstraint, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from bascule.connections.tables import Connection
from bascule.mirror.proof.labels import proof_text
from bascule.store.base import Base

# Of the runs that are looked for among very many; each is what its query asks, in SQL's words.
QUIET = "kind = 'sync' AND outcome = 'done' AND rows_changed = 0 AND rows_deleted = 0"
CHANGING = "rows_changed > 0 OR rows_deleted > 0 OR outcome = 'failed'"
PROOFS = "kind IN ('verify', 'repair') AND outcome = 'done'"
FULL = "kind = 'full' AND outcome = 'done'"
OVER = frozenset({"done", "failed", "cancelled"})  # outcomes of runs that have ended
NAMED = 3  # of the fields that are withheld, where room is short


class Stream(Base):
    """One DocType of one connection, its child tables included.

    `cursor` is the mirror's own (see mirror/pull/cursor.py); `fence` grows with every run, and a
    page commits only under the fence of the newest one, so a run that was given away cannot write
    any more.
    """

    __tablename__ = "streams"
    told = (
        "enabled",
        "filters",
        "omit",
        "rename",
    )
    __table_args__ = (UniqueConstraint("connection_id", "doctype"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    connection_id: Mapped[UUID] = mapped_column(ForeignKey(Connection.id, ondelete="CASCADE"))
    doctype: Mapped[str]
    preset: Mapped[str | None]  # see mirror/streams/presets.py; None: asked for by name
    table_name: Mapped[str]
    enabled: Mapped[bool] = mapped_column(server_default="true")

    filters: Mapped[list[Any]] = mapped_column(server_default="[]")  # [[field, operator, value]]
    omit: Mapped[list[str]] = mapped_column(server_default="[]")  # fields that are not mirrored
    rename: Mapped[dict[str, Any]] = mapped_column(server_default="{}")  # field -> column

    cursor: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    fence: Mapped[int] = mapped_column(BigInteger, server_default="0")

    rows: Mapped[int] = mapped_column(
        BigInteger, server_default="0"
    )  # live rows after the last run
    last_success_at: Mapped[datetime | None]
    last_verified_at: Mapped[datetime | None]
    verified_equal: Mapped[bool | None]
    proven: Mapped[int | None] = mapped_column(BigInteger)  # documents, by value
    compared_at: Mapped[datetime | None]  # at the last sync, and how
    compared_by: Mapped[str | None]
    last_error: Mapped[str | None]
    last_error_step: Mapped[str | None]  # what the person can do about it
    # Of the last error: `kind` site or rights, and the `roles` that would help; {}: another.
    trouble: Mapped[dict[str, Any]] = mapped_column(server_default="{}")
    failures: Mapped[int] = mapped_column(server_default="0")  # one after another, of one kind
    retry_at: Mapped[datetime | None]  # when the schedule asks again; see mirror/pull/patience.py
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())

    @property
    def told_as(self) -> str:
        return self.doctype

    @property
    def proof(self) -> str:
        words = proof_text(self.verified_equal, self.proven, self.rows, self.last_verified_at)
        if not self.withheld:
            return words
        names = [one["field"] for one in self.withheld]
        more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
        return f"{words}; withheld: {', '.join(names[:NAMED])}{more}"

    @property
    def withheld(self) -> list[dict[str, str]]:
        """The fields that the site does not give to its user, and what they need, in words."""
        return [
            {"doctype": doctype, "field": field, "needs": needs}
            for doctype, fields in self.cursor.get("withheld", {}).items()
            for field, needs in fields.items()
        ]


class Definition(Base):
    """What a stream's DocType is made of, so that it need not be asked for until it changes.

    `changes` is what tells that it did (see mirror/schema/table_schemas.py), and `looked_at` when
    that was last asked; `asked_as` who asked, and for what. Equal shapes have one `digest`.
    """

    __tablename__ = "definitions"

    stream_id: Mapped[int] = mapped_column(
        ForeignKey(Stream.id, ondelete="CASCADE"), primary_key=True
    )
    asked_as: Mapped[str]
    asked_at: Mapped[datetime]
    looked_at: Mapped[datetime]
    changes: Mapped[str]
    digest: Mapped[str]
    shape: Mapped[dict[str, Any]]


class Run(Base):
    """One attempt at one stream: a pull (full or incremental) or a verify."""

    __tablename__ = "runs"
    __table_args__ = (
        Index("ix_runs_stream_id_id", "stream_id", "id"),
        Index("ix_runs_connection_id_id", "connection_id", "id"),
        Index(
            "ix_runs_open",
            "connection_id",
            "queued_at",
            postgresql_where=text("outcome IN ('queued', 'running')"),
        ),
        Index("ix_runs_quiet", "finished_at", postgresql_where=text(QUIET)),
        Index("ix_runs_changing", "stream_id", "id", postgresql_where=text(CHANGING)),
        Index("ix_runs_proofs", "stream_id", "id", postgresql_where=text(PROOFS)),
        Index("ix_runs_full", "connection_id", "id", postgresql_where=text(FULL)),
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    connection_id: Mapped[UUID] = mapped_column(ForeignKey(Connection.id, ondelete="CASCADE"))
    stream_id: Mapped[int] = mapped_column(ForeignKey(Stream.id, ondelete="CASCADE"))
    kind: Mapped[str]  # sync (full where nothing is there yet), full, verify, repair
    trigger: Mapped[str]  # schedule, cli, api, page, webhook, demo
    asked_by: Mapped[str | None]  # a person's name; None: nobody, or the machine's owner
    # queued, running, done, failed, cancelled
    outcome: Mapped[str] = mapped_column(server_default="queued")
    fence: Mapped[int | None] = mapped_column(BigInteger)
    attempts: Mapped[int] = mapped_column(server_default="0")
    debug: Mapped[bool] = mapped_column(server_default="false")  # its log tells the site's SQL

    queued_at: Mapped[datetime] = mapped_column(server_default=func.now())
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    seconds: Mapped[float | None]

    expected_rows: Mapped[int | None] = mapped_column(BigInteger)  # as counted, with children
    rows_read: Mapped[int] = mapped_column(BigInteger, server_default="0")
    rows_changed: Mapped[int] = mapped_column(BigInteger, server_default="0")
    rows_deleted: Mapped[int] = mapped_column(BigInteger, server_default="0")
    pages: Mapped[int] = mapped_column(server_default="0")
    bytes: Mapped[int] = mapped_column(BigInteger, server_default="0")

    report: Mapped[dict[str, Any]] = mapped_column(server_default="{}")  # verify: what it found
    error: Mapped[str | None]
    next_step: Mapped[str | None]


class QuietRuns(Base):
    """How many runs of a stream changed nothing on a day (UTC), once they are no rows any more."""

    __tablename__ = "quiet_runs"

    stream_id: Mapped[int] = mapped_column(
        ForeignKey(Stream.id, ondelete="CASCADE"), primary_key=True
    )
    day: Mapped[date] = mapped_column(primary_key=True)
    runs: Mapped[int]


class RunLog(Base):
    __tablename__ = "run_logs"
    __table_args__ = (Index("ix_run_logs_run_id_id", "run_id", "id"),)

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey(Run.id, ondelete="CASCADE"))
    at: Mapped[datetime] = mapped_column(server_default=func.now())
    level: Mapped[str]  # info, warning, error
    message: Mapped[str]


class ChosenColumns(Base):
    """What a person chose to see of a view or a table, of whichever connection."""

    __tablename__ = "chosen_columns"

    user_id: Mapped[int] = mapped_column(
        ForeignKey("bascule.users.id", ondelete="CASCADE"), primary_key=True
    )
    relation: Mapped[str] = mapped_column(primary_key=True)
    columns: Mapped[list[str]] = mapped_column(JSONB, server_default="[]")
    sort: Mapped[str] = mapped_column(server_default="")
