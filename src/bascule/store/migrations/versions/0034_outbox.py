"""Documents on their way to ERPNext, and the requests that were made for them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0034"
down_revision = "0033"

SCHEMA = "bascule"
MOMENT = sa.DateTime(timezone=True)
UNFINISHED = "state IN ('waiting', 'sending', 'in_doubt')"


def upgrade() -> None:
    _writes()
    op.create_table(
        "outbox_attempts",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("write_id", sa.BigInteger(), nullable=False),
        sa.Column("what", sa.String(), nullable=False),
        sa.Column("request", JSONB()),
        sa.Column("answer", JSONB()),
        sa.Column("status", sa.Integer()),
        sa.Column("error", sa.String()),
        sa.Column("at", MOMENT, server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("finished_at", MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_outbox_attempts"),
        sa.ForeignKeyConstraint(
            ["write_id"],
            ["bascule.outbox_writes.id"],
            name="fk_outbox_attempts_write_id",
            ondelete="CASCADE",
        ),
        schema=SCHEMA,
    )
    op.create_index(
        "ix_outbox_attempts_write_id_id", "outbox_attempts", ["write_id", "id"], schema=SCHEMA
    )
    op.create_table(
        "outbox_key_fields",
        sa.Column("connection_id", sa.Uuid(), nullable=False),
        sa.Column("doctype", sa.String(), nullable=False),
        sa.Column("field", sa.String()),
        sa.Column("added", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("checked_at", MOMENT, server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("connection_id", "doctype", name="pk_outbox_key_fields"),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["bascule.connections.id"],
            name="fk_outbox_key_fields_connection_id",
            ondelete="CASCADE",
        ),
        schema=SCHEMA,
    )


def _writes() -> None:
    none, empty = sa.text("'{}'"), sa.text("0")
    op.create_table(
        "outbox_writes",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("connection_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("mark", sa.String(), nullable=False),
        sa.Column("origin_kind", sa.String(), nullable=False),
        sa.Column("origin_id", sa.String(), nullable=False),
        sa.Column("operation", sa.String(), nullable=False),
        sa.Column("doctype", sa.String(), nullable=False),
        sa.Column("name", sa.String()),
        sa.Column("values", JSONB(), server_default=none, nullable=False),
        sa.Column("based_on", sa.String()),
        sa.Column("found_by", sa.ARRAY(sa.Text()), server_default=none, nullable=False),
        sa.Column("unique_by", sa.String()),
        sa.Column("repeatable", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("lock_name", sa.String()),
        sa.Column("depends_on", sa.ARRAY(sa.Text()), server_default=none, nullable=False),
        sa.Column("undoes", sa.BigInteger()),
        sa.Column("by", sa.String(), server_default="", nullable=False),
        sa.Column("lane", sa.SmallInteger(), nullable=False),
        sa.Column("state", sa.String(), server_default="waiting", nullable=False),
        sa.Column("failure", sa.String()),
        sa.Column("why", sa.String()),
        sa.Column("next_step", sa.String()),
        sa.Column("wrong", JSONB(), server_default=none, nullable=False),
        sa.Column("attempts", sa.Integer(), server_default=empty, nullable=False),
        sa.Column("retry_at", MOMENT),
        sa.Column("begun_at", MOMENT),
        sa.Column("sent_key_field", sa.String()),
        sa.Column("seen_from", sa.String()),
        sa.Column("document_modified", sa.String()),
        sa.Column("document_creation", sa.String()),
        sa.Column("docstatus", sa.SmallInteger()),
        sa.Column("before", JSONB()),
        sa.Column("not_kept", JSONB()),
        sa.Column("answer", JSONB()),
        sa.Column("created_at", MOMENT, server_default=sa.text("now()"), nullable=False),
        sa.Column("written_at", MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_outbox_writes"),
        sa.UniqueConstraint("connection_id", "key", name="uq_outbox_writes_connection_id"),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["bascule.connections.id"],
            name="fk_outbox_writes_connection_id",
            ondelete="CASCADE",
        ),
        schema=SCHEMA,
    )
    for name, columns, where in (
        ("lane", ["connection_id", "lane", "id"], UNFINISHED),
        (
            "origin",
            ["connection_id", "origin_kind", "origin_id", "id"],
            "state NOT IN ('written', 'given_up')",
        ),
        ("document", ["connection_id", "doctype", "name"], None),
        ("state", ["state", "id"], None),
    ):
        op.create_index(
            f"ix_outbox_writes_{name}",
            "outbox_writes",
            columns,
            schema=SCHEMA,
            postgresql_where=where and sa.text(where),
        )
    op.create_index(
        "ix_outbox_writes_depends_on",
        "outbox_writes",
        ["depends_on"],
        schema=SCHEMA,
        postgresql_using="gin",
    )
