"""Runs whose log tells the SQL that the site ran for them."""

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"


def upgrade() -> None:
    column: sa.Column[bool] = sa.Column(
        "debug", sa.Boolean(), server_default="false", nullable=False
    )
    op.add_column("runs", column, schema="bascule")
