"""Sites that are left alone, for pulls too; what kind of trouble a stream is in; open runs found
without looking at the others.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0020"
down_revision = "0019"

SCHEMA = "bascule"


def upgrade() -> None:
    kind = sa.Column("kind", sa.String(), nullable=False, server_default="down")
    op.add_column("circuits", kind, schema=SCHEMA)
    trying = sa.Column("trying_until", sa.DateTime(timezone=True))
    op.add_column("circuits", trying, schema=SCHEMA)
    trouble = sa.Column("trouble", JSONB(), nullable=False, server_default="{}")
    op.add_column("streams", trouble, schema=SCHEMA)
    op.create_index(
        "ix_runs_open",
        "runs",
        ["connection_id", "queued_at"],
        schema=SCHEMA,
        postgresql_where=sa.text("outcome IN ('queued', 'running')"),
    )
