"""Which site the secret of a connection's webhooks was given to."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"

SCHEMA = "bascule"


def upgrade() -> None:
    op.add_column("webhook_ends", sa.Column("site_url", sa.String()), schema=SCHEMA)
    op.execute(
        "UPDATE bascule.webhook_ends w SET site_url = c.api_url FROM bascule.connections c"
        " WHERE c.id = w.connection_id"
    )
