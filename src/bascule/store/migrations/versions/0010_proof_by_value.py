"""What was compared of a stream, how and when, and in how many days all of it is."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

SCHEMA = "bascule"


def upgrade() -> None:
    op.add_column("streams", sa.Column("proven", sa.BigInteger()), schema=SCHEMA)
    op.add_column("streams", sa.Column("compared_by", sa.String()), schema=SCHEMA)
    moment = sa.Column("compared_at", sa.DateTime(timezone=True))
    op.add_column("streams", moment, schema=SCHEMA)
    days = sa.Column("proof_days", sa.Integer(), nullable=False, server_default="7")
    op.add_column("connections", days, schema=SCHEMA)
