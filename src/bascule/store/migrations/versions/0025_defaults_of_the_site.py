"""What stands in for defaults of a record type that a site does not have."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    op.add_column(
        "two_ways",
        sa.Column("site_defaults", JSONB(), server_default="{}", nullable=False),
        schema="bascule",
    )
