"""When a stream that fails for a reason of its own is asked for again by the schedule."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"

SCHEMA = "bascule"


def upgrade() -> None:
    failures = sa.Column("failures", sa.Integer(), nullable=False, server_default="0")
    op.add_column("streams", failures, schema=SCHEMA)
    retry_at = sa.Column("retry_at", sa.DateTime(timezone=True))
    op.add_column("streams", retry_at, schema=SCHEMA)
