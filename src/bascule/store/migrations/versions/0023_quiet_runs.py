"""Runs that changed nothing as counts by the day, who asked for a run, and indexes of runs."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"

SCHEMA = "bascule"
QUIET = "kind = 'sync' AND outcome = 'done' AND rows_changed = 0 AND rows_deleted = 0"
CHANGING = "rows_changed > 0 OR rows_deleted > 0 OR outcome = 'failed'"
PROOFS = "kind IN ('verify', 'repair') AND outcome = 'done'"


def upgrade() -> None:
    op.create_table(
        "quiet_runs",
        sa.Column("stream_id", sa.Integer(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("runs", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["stream_id"],
            ["bascule.streams.id"],
            name="fk_quiet_runs_stream_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("stream_id", "day", name="pk_quiet_runs"),
        schema=SCHEMA,
    )
    op.add_column("runs", sa.Column("asked_by", sa.String()), schema=SCHEMA)
    for name, columns, where in (
        ("quiet", ["finished_at"], QUIET),
        ("changing", ["stream_id", "id"], CHANGING),
        ("proofs", ["stream_id", "id"], PROOFS),
        ("full", ["connection_id", "id"], "kind = 'full' AND outcome = 'done'"),
    ):
        op.create_index(
            f"ix_runs_{name}", "runs", columns, schema=SCHEMA, postgresql_where=sa.text(where)
        )
