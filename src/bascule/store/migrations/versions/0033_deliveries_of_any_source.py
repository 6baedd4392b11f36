"""Deliveries of any source: what they are about in general words, what came of each subscriber."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0033"
down_revision = "0032"

SCHEMA = "bascule"
RENAMED = {
    "what": "address",
    "doctype": "subject_type",
    "name": "subject",
    "modified": "version",
    "owed": "pending",
}


def upgrade() -> None:
    for old, new in RENAMED.items():
        op.alter_column("deliveries", old, new_column_name=new, schema=SCHEMA)
    _add("source", sa.String(), nullable=False, server_default="erpnext")
    op.alter_column("deliveries", "source", server_default=None, schema=SCHEMA)
    _add("external_id", sa.String())
    _add("payload_encrypted", sa.String())
    _add("outcomes", JSONB(), nullable=False, server_default="{}")


def _add(name: str, of: sa.types.TypeEngine[Any], **more: Any) -> None:
    op.add_column("deliveries", sa.Column(name, of, **more), schema=SCHEMA)
