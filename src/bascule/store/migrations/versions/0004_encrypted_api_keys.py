"""API keys at rest as API secrets are: encrypted, with their last characters to tell them by."""

import sqlalchemy as sa
from alembic import context, op

from bascule.store.vault import KEY_LOCK

revision = "0004"
down_revision = "001_add_integration_fields"

SCHEMA = "bascule"


def upgrade() -> None:
    op.add_column("connections", sa.Column("api_key_encrypted", sa.String()), schema=SCHEMA)
    op.add_column(
        "connections",
        sa.Column("api_key_ends_with", sa.String(), nullable=False, server_default=""),
        schema=SCHEMA,
    )
    _encrypt(op.get_bind())
    op.alter_column("connections", "api_key_encrypted", nullable=False, schema=SCHEMA)
    op.drop_column("connections", "api_key", schema=SCHEMA)


def _encrypt(connection: sa.Connection) -> None:
    connection.execute(sa.text("SELECT pg_advisory_xact_lock_shared(:lock)"), {"lock": KEY_LOCK})
    rows = connection.execute(sa.text(f"SELECT id, api_key FROM {SCHEMA}.connections")).all()
    # A dropped column's values stay in the table's file, so they are taken out of it first.
    update = sa.text(
        f"UPDATE {SCHEMA}.connections SET api_key = '', api_key_encrypted = :encrypted,"
        " api_key_ends_with = :ends_with WHERE id = :id"
    )
    for number, key in rows:
        encrypted = context.config.attributes["encrypt"](key)
        ends_with = key[-4:] if len(key) >= 8 else ""
        values = {"id": number, "encrypted": encrypted, "ends_with": ends_with}
        connection.execute(update, values)
