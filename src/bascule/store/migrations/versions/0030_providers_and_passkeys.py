"""Sign-in by an OpenID Connect provider, and passkeys: whose they are, and how somebody came in.

What a browser was asked and has not answered yet is kept for minutes.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0030"
down_revision = "0029"

SCHEMA = "bascule"
NOW = sa.text("now()")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "identities",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("issuer", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("called", sa.String(), server_default="", nullable=False),
        sa.Column("bound_at", MOMENT, server_default=NOW, nullable=False),
        sa.Column("last_at", MOMENT),
        _of_a_user("identities"),
        sa.PrimaryKeyConstraint("id", name="pk_identities"),
        sa.UniqueConstraint("issuer", "subject", name="uq_identities_issuer"),
        sa.UniqueConstraint("user_id", "issuer", name="uq_identities_user_id"),
        schema=SCHEMA,
    )
    op.create_table(
        "passkeys",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("credential_id", sa.String(), nullable=False),
        sa.Column("public_key", sa.String(), nullable=False),
        sa.Column("user_handle", sa.String(), nullable=False),
        sa.Column("sign_count", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("transports", JSONB(), nullable=False),
        sa.Column("synced", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("made_at", MOMENT, server_default=NOW, nullable=False),
        sa.Column("last_used_at", MOMENT),
        _of_a_user("passkeys"),
        sa.PrimaryKeyConstraint("id", name="pk_passkeys"),
        sa.UniqueConstraint("credential_id", name="uq_passkeys_credential_id"),
        schema=SCHEMA,
    )
    op.create_index("ix_passkeys_user_id", "passkeys", ["user_id"], schema=SCHEMA)
    op.create_table(
        "challenges",
        sa.Column("value_hash", sa.String(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("bound_hash", sa.String(), nullable=False),
        sa.Column("user_id", sa.Integer()),
        sa.Column("next", sa.String(), server_default="/", nullable=False),
        sa.Column("network", sa.String(), server_default="", nullable=False),
        sa.Column("asked_at", MOMENT, server_default=NOW, nullable=False),
        _of_a_user("challenges"),
        sa.PrimaryKeyConstraint("value_hash", name="pk_challenges"),
        schema=SCHEMA,
    )
    op.create_index("ix_challenges_network", "challenges", ["network", "asked_at"], schema=SCHEMA)
    op.create_index("ix_challenges_user_id", "challenges", ["user_id"], schema=SCHEMA)
    for table in ("sessions", "half_sign_ins"):
        op.add_column(
            table,
            sa.Column("way", sa.String(), server_default="password", nullable=False),
            schema=SCHEMA,
        )
    op.add_column(
        "sessions",
        sa.Column("factor_told", sa.Boolean(), server_default="false", nullable=False),
        schema=SCHEMA,
    )


def _of_a_user(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["user_id"], ["bascule.users.id"], name=f"fk_{table}_user_id", ondelete="CASCADE"
    )
