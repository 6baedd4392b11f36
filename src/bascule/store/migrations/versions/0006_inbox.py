"""Webhooks that arrive: their ends, and the deliveries."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "0006"
down_revision = "0005"

SCHEMA = "bascule"
NOW = sa.func.now()
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "webhook_ends",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("connection_id", sa.Uuid(), nullable=False),
        sa.Column("token", sa.String(), nullable=False),
        sa.Column("secret_encrypted", sa.String(), nullable=False),
        sa.Column("previous_encrypted", sa.String()),
        sa.Column("previous_until", TIME),
        sa.Column("wanted", JSONB(), nullable=False, server_default="{}"),
        sa.Column("base_url", sa.String()),
        sa.Column("at_the_site", sa.Boolean(), nullable=False, server_default="true"),
        sa.Column("installed_at", TIME),
        sa.Column("checked_at", TIME),
        sa.Column("found", JSONB(), nullable=False, server_default="{}"),
        sa.Column("created_at", TIME, nullable=False, server_default=NOW),
        sa.PrimaryKeyConstraint("id", name="pk_webhook_ends"),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["bascule.connections.id"],
            name="fk_webhook_ends_connection_id",
            ondelete="CASCADE",
        ),
        sa.UniqueConstraint("connection_id", name="uq_webhook_ends_connection_id"),
        sa.UniqueConstraint("token", name="uq_webhook_ends_token"),
        schema=SCHEMA,
    )
    op.create_table(
        "deliveries",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("connection_id", sa.Uuid(), nullable=False),
        sa.Column("what", sa.String(), nullable=False),
        sa.Column("doctype", sa.String()),
        sa.Column("name", sa.String()),
        sa.Column("event", sa.String(), nullable=False, server_default=""),
        sa.Column("modified", sa.String()),
        sa.Column("body", sa.String()),
        sa.Column("digest", sa.LargeBinary()),
        sa.Column("received_at", TIME, nullable=False, server_default=NOW),
        sa.Column("state", sa.String(), nullable=False, server_default="kept"),
        sa.Column("attempts", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("owed", ARRAY(sa.String())),
        sa.Column("next_try_at", TIME, nullable=False, server_default=NOW),
        sa.Column("error", sa.String()),
        sa.Column("next_step", sa.String()),
        sa.Column("done_at", TIME),
        sa.PrimaryKeyConstraint("id", name="pk_deliveries"),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["bascule.connections.id"],
            name="fk_deliveries_connection_id",
            ondelete="CASCADE",
        ),
        schema=SCHEMA,
    )
    _indexes()


def _indexes() -> None:
    of_connection = ["connection_id", "id"]
    op.create_index("ix_deliveries_connection_id_id", "deliveries", of_connection, schema=SCHEMA)
    op.create_index(
        "ix_deliveries_kept",
        "deliveries",
        of_connection,
        schema=SCHEMA,
        postgresql_where=sa.text("state = 'kept'"),
    )
    op.create_index(
        "uq_deliveries_connection_id_digest",
        "deliveries",
        ["connection_id", "digest"],
        unique=True,
        schema=SCHEMA,
    )
