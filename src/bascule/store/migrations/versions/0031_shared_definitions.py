"""Definitions say of which shape they are, so that equal ones are one, and when that was asked.

They are only kept to spare the site requests: those from before are asked for once more.
"""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"


def upgrade() -> None:
    op.execute("DELETE FROM bascule.definitions")
    op.add_column("definitions", sa.Column("digest", sa.String(), nullable=False), schema="bascule")
    looked = sa.Column("looked_at", sa.DateTime(timezone=True), nullable=False)
    op.add_column("definitions", looked, schema="bascule")
