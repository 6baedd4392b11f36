"""The columns and the order that each person chose for a view or a table."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    op.create_table(
        "chosen_columns",
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("relation", sa.String(), nullable=False),
        sa.Column("columns", JSONB(), server_default="[]", nullable=False),
        sa.Column("sort", sa.String(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["bascule.users.id"], name="fk_chosen_columns_user_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", "relation", name="pk_chosen_columns"),
        schema="bascule",
    )
