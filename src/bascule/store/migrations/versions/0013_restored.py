"""A conflict tells whether it came up because the site was restored from an older state."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"

SCHEMA = "bascule"


def upgrade() -> None:
    op.add_column(
        "conflicts",
        sa.Column("restored", sa.Boolean(), nullable=False, server_default="false"),
        schema=SCHEMA,
    )
