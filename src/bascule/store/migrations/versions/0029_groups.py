"""Groups of connections: a word that people give several of them."""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"


def upgrade() -> None:
    column = sa.Column("group", sa.String(), server_default="", nullable=False)
    op.add_column("connections", column, schema="bascule")
