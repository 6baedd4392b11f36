"""The key that a document bears belongs to its record, and outlives the link between them."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

SCHEMA = "bascule"


def upgrade() -> None:
    op.add_column("records", sa.Column("key", sa.String()), schema=SCHEMA)
    op.execute(
        "UPDATE bascule.records r SET key = l.create_key"
        " FROM bascule.links l WHERE l.record_id = r.id"
    )
    op.execute(
        "UPDATE bascule.records SET key = replace(gen_random_uuid()::text, '-', '')"
        " WHERE key IS NULL"
    )
    op.alter_column("records", "key", nullable=False, schema=SCHEMA)
    op.create_unique_constraint("uq_records_key", "records", ["key"], schema=SCHEMA)
    op.drop_constraint("uq_links_create_key", "links", schema=SCHEMA)
    op.drop_column("links", "create_key", schema=SCHEMA)
