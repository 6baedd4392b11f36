"""Records of the hub's own, their links to documents, and what passes between the two."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0005"
down_revision = "0004"

SCHEMA = "bascule"
NOW = sa.func.now()
CLOCK = sa.func.clock_timestamp()
# A record outlives its connection, and what was private with it stays so.
KEEP_PRIVATE = """
    CREATE FUNCTION bascule.keep_records_private() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        UPDATE bascule.records
           SET private_to = CASE WHEN NOT OLD.shared THEN coalesce(OLD.owner_id, 0) END
         WHERE connection_id = OLD.id;
        RETURN OLD;
    END $$
"""
BEFORE_DELETE = """
    CREATE TRIGGER keep_records_private BEFORE DELETE ON bascule.connections
    FOR EACH ROW EXECUTE FUNCTION bascule.keep_records_private()
"""


def upgrade() -> None:
    _two_ways()
    _records()
    _links()
    _outbox()
    _record_changes()
    _conflicts()
    _exchanges()
    _circuits()
    _matches()
    op.execute(KEEP_PRIVATE)
    op.execute(BEFORE_DELETE)


def _two_ways() -> None:
    op.create_table(
        "two_ways",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("connection_id", sa.Uuid(), nullable=False),
        sa.Column("record_type", sa.String(), nullable=False),
        sa.Column("status", sa.String(), server_default="off", nullable=False),
        sa.Column("company", sa.String()),
        sa.Column("owned_field", sa.String()),
        sa.Column("defaults", JSONB(), server_default="{}", nullable=False),
        sa.Column("mapping", JSONB(), server_default="[]", nullable=False),
        sa.Column("cannot_hold", JSONB(), server_default="{}", nullable=False),
        sa.Column("policy", sa.String(), server_default="ask", nullable=False),
        sa.Column("field_policies", JSONB(), server_default="{}", nullable=False),
        sa.Column("on_delete", sa.String(), server_default="disable", nullable=False),
        sa.Column("poll_minutes", sa.Integer(), server_default="15", nullable=False),
        sa.Column("next_poll_at", sa.DateTime(timezone=True)),
        sa.Column("cursor", JSONB(), server_default="{}", nullable=False),
        sa.Column("last_poll_at", sa.DateTime(timezone=True)),
        sa.Column("last_summary", JSONB(), server_default="{}", nullable=False),
        sa.Column("last_error", sa.String()),
        sa.Column("last_error_step", sa.String()),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["bascule.connections.id"],
            name="fk_two_ways_connection_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_two_ways"),
        sa.UniqueConstraint("connection_id", "record_type", name="uq_two_ways_connection_id"),
        schema=SCHEMA,
    )


def _records() -> None:
    op.create_table(
        "records",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("record_type", sa.String(), nullable=False),
        sa.Column("connection_id", sa.Uuid()),
        sa.Column("private_to", sa.Integer()),
        sa.Column("values", JSONB(), server_default="{}", nullable=False),
        sa.Column("edited", JSONB(), server_default="{}", nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("search", sa.String(), server_default="", nullable=False),
        sa.Column("version", sa.Integer(), server_default="1", nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True)),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.Column("updated_by", sa.String(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["bascule.connections.id"],
            name="fk_records_connection_id",
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_records"),
        schema=SCHEMA,
    )
    op.create_index(
        "ix_records_connection_id", "records", ["connection_id"], unique=False, schema=SCHEMA
    )
    op.create_index(
        "ix_records_record_type_title_id",
        "records",
        ["record_type", "title", "id"],
        unique=False,
        schema=SCHEMA,
    )


def _links() -> None:
    op.create_table(
        "links",
        sa.Column("record_id", sa.BigInteger(), nullable=False),
        sa.Column("two_way_id", sa.Integer(), nullable=False),
        sa.Column("document", sa.String()),
        sa.Column("creation", sa.String()),
        sa.Column("base", JSONB(), server_default="{}", nullable=False),
        sa.Column("modified", JSONB(), server_default="{}", nullable=False),
        sa.Column("parts", JSONB(), server_default="{}", nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True)),
        sa.Column("state", sa.String(), server_default="in_sync", nullable=False),
        sa.Column("why", sa.String()),
        sa.Column("next_step", sa.String()),
        sa.Column("remedy", sa.String()),
        sa.Column("wrong", JSONB(), server_default="{}", nullable=False),
        sa.Column("retry_at", sa.DateTime(timezone=True)),
        sa.Column("attempts", sa.Integer(), server_default="0", nullable=False),
        sa.Column("failing_since", sa.DateTime(timezone=True)),
        sa.Column("gone_at", sa.DateTime(timezone=True)),
        sa.Column("create_key", sa.String()),
        sa.Column("create_begun_at", sa.DateTime(timezone=True)),
        sa.Column("create_title", sa.String()),
        sa.Column("create_seen_from", sa.String()),
        sa.ForeignKeyConstraint(
            ["record_id"], ["bascule.records.id"], name="fk_links_record_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["two_way_id"], ["bascule.two_ways.id"], name="fk_links_two_way_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("record_id", name="pk_links"),
        sa.UniqueConstraint("create_key", name="uq_links_create_key"),
        sa.UniqueConstraint("two_way_id", "document", name="uq_links_two_way_id"),
        schema=SCHEMA,
    )
    op.create_index(
        "ix_links_retry_at",
        "links",
        ["retry_at"],
        unique=False,
        schema=SCHEMA,
        postgresql_where=sa.text("retry_at IS NOT NULL"),
    )
    op.create_index("ix_links_state", "links", ["two_way_id", "state"], unique=False, schema=SCHEMA)


def _outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("record_id", sa.BigInteger(), nullable=False),
        sa.Column("two_way_id", sa.Integer(), nullable=False),
        sa.Column("operation", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.Column("by", sa.String(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(
            ["record_id"], ["bascule.records.id"], name="fk_outbox_record_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["two_way_id"], ["bascule.two_ways.id"], name="fk_outbox_two_way_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_outbox"),
        schema=SCHEMA,
    )
    op.create_index(
        "ix_outbox_record_id_id", "outbox", ["record_id", "id"], unique=False, schema=SCHEMA
    )


def _record_changes() -> None:
    op.create_table(
        "record_changes",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("record_id", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=CLOCK, nullable=False),
        sa.Column("origin", sa.String(), nullable=False),
        sa.Column("by", sa.String(), server_default="", nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("changes", JSONB(), server_default="{}", nullable=False),
        sa.Column("note", sa.String(), server_default="", nullable=False),
        sa.ForeignKeyConstraint(
            ["record_id"],
            ["bascule.records.id"],
            name="fk_record_changes_record_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_record_changes"),
        schema=SCHEMA,
    )
    op.create_index(
        "ix_record_changes_record_id_id",
        "record_changes",
        ["record_id", "id"],
        unique=False,
        schema=SCHEMA,
    )


def _conflicts() -> None:
    op.create_table(
        "conflicts",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("record_id", sa.BigInteger(), nullable=False),
        sa.Column("field", sa.String(), nullable=False),
        sa.Column("base", JSONB(), nullable=False),
        sa.Column("here", JSONB(), nullable=False),
        sa.Column("there", JSONB(), nullable=False),
        sa.Column("here_by", sa.String(), server_default="", nullable=False),
        sa.Column("here_at", sa.DateTime(timezone=True)),
        sa.Column("there_by", sa.String(), server_default="", nullable=False),
        sa.Column("there_at", sa.DateTime(timezone=True)),
        sa.Column("opened_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True)),
        sa.Column("settled_by", sa.String()),
        sa.Column("choice", sa.String()),
        sa.Column("value", JSONB()),
        sa.ForeignKeyConstraint(
            ["record_id"], ["bascule.records.id"], name="fk_conflicts_record_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_conflicts"),
        schema=SCHEMA,
    )
    op.create_index(
        "uq_conflicts_open",
        "conflicts",
        ["record_id", "field"],
        unique=True,
        schema=SCHEMA,
        postgresql_where=sa.text("settled_at IS NULL"),
    )


def _exchanges() -> None:
    op.create_table(
        "exchanges",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("two_way_id", sa.Integer(), nullable=False),
        sa.Column("record_id", sa.BigInteger()),
        sa.Column("direction", sa.String(), nullable=False),
        sa.Column("what", sa.String(), nullable=False),
        sa.Column("document", sa.String(), server_default="", nullable=False),
        sa.Column("request", JSONB()),
        sa.Column("answer", JSONB()),
        sa.Column("status", sa.Integer()),
        sa.Column("error", sa.String()),
        sa.Column("at", sa.DateTime(timezone=True), server_default=CLOCK, nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True)),
        sa.Column("ms", sa.Double()),
        sa.ForeignKeyConstraint(
            ["record_id"], ["bascule.records.id"], name="fk_exchanges_record_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["two_way_id"],
            ["bascule.two_ways.id"],
            name="fk_exchanges_two_way_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_exchanges"),
        schema=SCHEMA,
    )
    op.create_index(
        "ix_exchanges_record_id_id", "exchanges", ["record_id", "id"], unique=False, schema=SCHEMA
    )
    op.create_index(
        "ix_exchanges_two_way_id_id", "exchanges", ["two_way_id", "id"], unique=False, schema=SCHEMA
    )


def _circuits() -> None:
    op.create_table(
        "circuits",
        sa.Column("connection_id", sa.Uuid(), nullable=False),
        sa.Column("failures", sa.Integer(), server_default="0", nullable=False),
        sa.Column("open_until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("way_in", sa.String(), nullable=False),
        sa.Column("why", sa.String(), nullable=False),
        sa.Column("next_step", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            ["bascule.connections.id"],
            name="fk_circuits_connection_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("connection_id", name="pk_circuits"),
        schema=SCHEMA,
    )


def _matches() -> None:
    op.create_table(
        "matches",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("two_way_id", sa.Integer(), nullable=False),
        sa.Column("record_id", sa.BigInteger()),
        sa.Column("document", sa.String()),
        sa.Column("matched_by", sa.String()),
        sa.Column("ambiguous", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("there", JSONB(), server_default="{}", nullable=False),
        sa.Column("decision", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(
            ["record_id"], ["bascule.records.id"], name="fk_matches_record_id", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["two_way_id"],
            ["bascule.two_ways.id"],
            name="fk_matches_two_way_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_matches"),
        schema=SCHEMA,
    )
    op.create_index(
        "ix_matches_two_way_id_id", "matches", ["two_way_id", "id"], unique=False, schema=SCHEMA
    )
