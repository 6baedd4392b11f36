"""Browsers that somebody signed in with; attempts to sign in wait, and nobody is blocked."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"

SCHEMA = "bascule"


def upgrade() -> None:
    op.create_table(
        "known_devices",
        sa.Column("id_hash", sa.String(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column(
            "last_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["bascule.users.id"], name="fk_known_devices_user_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id_hash", "user_id", name="pk_known_devices"),
        schema=SCHEMA,
    )
    # Counted for an hour, under other keys from now on.
    op.execute("DELETE FROM bascule.sign_in_attempts")
    op.drop_column("sign_in_attempts", "blocked_until", schema=SCHEMA)
