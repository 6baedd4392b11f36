"""Each user's own ERPNext and Nextcloud."""

import sqlalchemy as sa
from alembic import op

revision = "001_add_integration_fields"
down_revision = "0003"

SCHEMA = "bascule"


def upgrade() -> None:
    for name, kind in (
        ("erpnext_url", sa.String(512)),
        ("erpnext_api_key", sa.String(512)),
        ("erpnext_api_secret", sa.Text()),
        ("nextcloud_url", sa.String(512)),
        ("nextcloud_username", sa.String(512)),
        ("nextcloud_password", sa.Text()),
    ):
        op.add_column("users", sa.Column(name, kind), schema=SCHEMA)
