"""What a document has and the hub's user may not read is known by name; and what the site saved
beside what it was sent.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0011"
down_revision = "0010"

SCHEMA = "bascule"


def upgrade() -> None:
    for name, empty in (("withheld", "{}"), ("moved", "[]")):
        column = sa.Column(name, JSONB(), nullable=False, server_default=empty)
        op.add_column("links", column, schema=SCHEMA)
