"""When somebody gave their password last; programs that signed in, with their beginning; and tokens
of admins keep what they could do, under its own name.
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"

SCHEMA = "bascule"
NOW = sa.text("now()")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column(
        "sessions",
        sa.Column("confirmed_at", MOMENT, server_default=NOW, nullable=False),
        schema=SCHEMA,
    )
    op.execute("UPDATE bascule.sessions SET confirmed_at = created_at")
    op.create_table(
        "refresh_families",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("began_at", MOMENT, server_default=NOW, nullable=False),
        sa.Column("confirmed_at", MOMENT, server_default=NOW, nullable=False),
        sa.Column("address", sa.String(), server_default="", nullable=False),
        sa.Column("agent", sa.String(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"],
            ["bascule.users.id"],
            name="fk_refresh_families_user_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_refresh_families"),
        schema=SCHEMA,
    )
    op.create_index("ix_refresh_families_user_id", "refresh_families", ["user_id"], schema=SCHEMA)
    op.execute(
        "INSERT INTO bascule.refresh_families (id, user_id, began_at, confirmed_at)"
        " SELECT family, min(user_id), min(created_at), min(created_at)"
        " FROM bascule.refresh_tokens GROUP BY family"
    )
    op.create_foreign_key(
        "fk_refresh_tokens_family",
        "refresh_tokens",
        "refresh_families",
        ["family"],
        ["id"],
        source_schema=SCHEMA,
        referent_schema=SCHEMA,
        ondelete="CASCADE",
    )
    op.execute(
        "UPDATE bascule.api_tokens t SET scope = 'admin' FROM bascule.users u"
        " WHERE u.id = t.user_id AND u.role = 'admin' AND t.scope = 'write'"
    )
