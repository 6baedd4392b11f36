"""DocTypes that were left off a connection because its user may not read them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0028"
down_revision = "0027"

SCHEMA = "bascule"


def upgrade() -> None:
    left_off = sa.Column("left_off", JSONB(), nullable=False, server_default="[]")
    op.add_column("connections", left_off, schema=SCHEMA)
