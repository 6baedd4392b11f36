"""Deliveries that somebody has to look at are found without walking through all of them."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_index(
        "ix_deliveries_wrong",
        "deliveries",
        ["connection_id"],
        schema="bascule",
        postgresql_where=sa.text("state IN ('failed', 'unreadable')"),
    )
