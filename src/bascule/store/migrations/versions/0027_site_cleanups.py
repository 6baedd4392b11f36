"""What is still to be removed from the sites of connections that were deleted."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0027"
down_revision = "0026"

SCHEMA = "bascule"
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "site_cleanups",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("owner_id", sa.Integer()),
        sa.Column("shared", sa.Boolean(), nullable=False),
        sa.Column("api_url", sa.String(), nullable=False),
        sa.Column("api_key_encrypted", sa.String()),
        sa.Column("api_secret_encrypted", sa.String()),
        sa.Column("allow_http", sa.Boolean(), nullable=False),
        sa.Column("ca_bundle", sa.String()),
        sa.Column("remains", JSONB(), nullable=False),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("next_try_at", MOMENT),
        sa.Column("until", MOMENT, nullable=False),
        sa.Column("error", sa.String()),
        sa.Column("next_step", sa.String()),
        sa.Column("created_at", MOMENT, server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_site_cleanups"),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["bascule.users.id"], name="fk_site_cleanups_owner_id"
        ),
        schema=SCHEMA,
    )
