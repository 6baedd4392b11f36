"""Keys of the hub's own for what it hands out, apart from the secret key."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"

SCHEMA = "bascule"


def upgrade() -> None:
    op.create_table(
        "signing_keys",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("key_encrypted", sa.Text(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id", name="pk_signing_keys"),
        schema=SCHEMA,
    )
    op.add_column("refresh_tokens", sa.Column("succession", sa.Uuid()), schema=SCHEMA)
