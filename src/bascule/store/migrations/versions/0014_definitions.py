"""What DocTypes are made of, as a look at many streams found it."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0014"
down_revision = "0013"

SCHEMA = "bascule"


def upgrade() -> None:
    op.create_table(
        "definitions",
        sa.Column(
            "stream_id",
            sa.Integer(),
            sa.ForeignKey(f"{SCHEMA}.streams.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("asked_as", sa.String(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changes", sa.String(), nullable=False),
        sa.Column("shape", JSONB(), nullable=False),
        schema=SCHEMA,
    )
