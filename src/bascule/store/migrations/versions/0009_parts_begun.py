"""That an Address or a Contact is about to be made is written down before it is sent."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0009"
down_revision = "0008"

SCHEMA = "bascule"


def upgrade() -> None:
    column = sa.Column("parts_begun", JSONB(), nullable=False, server_default="{}")
    op.add_column("links", column, schema=SCHEMA)
