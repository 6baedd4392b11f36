"""What happened: the last hour's live events, and the journal of who did what."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0002"
down_revision = "0001"

SCHEMA = "bascule"
NOW = sa.func.now()


def upgrade() -> None:
    op.create_table(
        "events",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False, server_default=NOW),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("connection_id", sa.Uuid()),
        sa.Column("private_to", sa.Integer()),
        sa.Column("data", JSONB(), nullable=False, server_default="{}"),
        sa.Column("xact", sa.BigInteger(), nullable=False),
        sa.Column("oldest_xact", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_events"),
        schema=SCHEMA,
    )
    op.create_table(
        "audit",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False, server_default=NOW),
        sa.Column("user_id", sa.Integer()),
        sa.Column("username", sa.String(), nullable=False, server_default=""),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("via", sa.String(), nullable=False, server_default=""),
        sa.Column("address", sa.String(), nullable=False, server_default=""),
        sa.Column("connection_id", sa.Uuid()),
        sa.Column("private_to", sa.Integer()),
        sa.Column("object", sa.String(), nullable=False, server_default=""),
        sa.Column("detail", JSONB(), nullable=False, server_default="{}"),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
        schema=SCHEMA,
    )
    op.create_index("ix_audit_at", "audit", ["at"], schema=SCHEMA)
    op.create_index("ix_audit_user_id_id", "audit", ["user_id", "id"], schema=SCHEMA)
    op.create_index("ix_audit_connection_id_id", "audit", ["connection_id", "id"], schema=SCHEMA)
