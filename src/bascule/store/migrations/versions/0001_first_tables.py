"""The first tables: people and tokens, connections, streams and their runs."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None

SCHEMA = "bascule"
NOW = sa.func.now()


def moment(name: str, *, now: bool = False) -> sa.Column[Any]:
    if now:
        return sa.Column(name, sa.DateTime(timezone=True), nullable=False, server_default=NOW)
    return sa.Column(name, sa.DateTime(timezone=True))


def string(name: str, *, null: bool = False, default: str | None = None) -> sa.Column[Any]:
    return sa.Column(name, sa.String(), nullable=null, server_default=default)


def flag(name: str, default: bool) -> sa.Column[Any]:
    return sa.Column(name, sa.Boolean(), nullable=False, server_default=str(default).lower())


def json(name: str, default: str) -> sa.Column[Any]:
    return sa.Column(name, JSONB(), nullable=False, server_default=default)


def count(name: str, kind: type[sa.Integer] = sa.BigInteger) -> sa.Column[Any]:
    return sa.Column(name, kind(), nullable=False, server_default="0")


def upgrade() -> None:
    _people()
    _connections()
    _streams()
    _runs()


def _people() -> None:
    op.create_table(
        "users",
        sa.Column("id", sa.Integer(), nullable=False),
        string("username"),
        string("email", null=True),
        string("role", default="viewer"),
        flag("active", True),
        moment("created_at", now=True),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
        sa.UniqueConstraint("username", name="uq_users_username"),
        schema=SCHEMA,
    )
    op.create_table(
        "api_tokens",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        string("name"),
        string("token_hash"),
        moment("created_at", now=True),
        moment("last_used_at"),
        sa.PrimaryKeyConstraint("id", name="pk_api_tokens"),
        sa.UniqueConstraint("token_hash", name="uq_api_tokens_token_hash"),
        sa.ForeignKeyConstraint(
            ["user_id"],
            [f"{SCHEMA}.users.id"],
            name="fk_api_tokens_user_id",
            ondelete="CASCADE",
        ),
        schema=SCHEMA,
    )


def _connections() -> None:
    op.create_table(
        "connections",
        sa.Column("id", sa.Uuid(), nullable=False),
        string("slug"),
        string("name"),
        string("kind", default="erpnext"),
        string("api_url"),
        string("api_key"),
        string("api_secret_encrypted"),
        flag("allow_http", False),
        string("ca_bundle", null=True),
        sa.Column("max_concurrency", sa.Integer(), nullable=False, server_default="4"),
        string("schedule", default="daily"),
        moment("next_sync_at"),
        moment("next_verify_at"),
        flag("sync_inventory", True),
        flag("sync_orders", True),
        flag("sync_suppliers", True),
        sa.Column("lookback_days", sa.Integer(), nullable=False, server_default="90"),
        json("warehouse_filter", "[]"),
        flag("include_disabled", False),
        string("health", default="unknown"),
        string("health_detail", null=True),
        moment("checked_at"),
        string("site_user", null=True),
        string("time_zone", null=True),
        json("versions", "{}"),
        moment("created_at", now=True),
        moment("updated_at", now=True),
        sa.PrimaryKeyConstraint("id", name="pk_connections"),
        sa.UniqueConstraint("slug", name="uq_connections_slug"),
        schema=SCHEMA,
    )


def _streams() -> None:
    op.create_table(
        "streams",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("connection_id", sa.Uuid(), nullable=False),
        string("doctype"),
        string("preset", null=True),
        string("table_name"),
        flag("enabled", True),
        json("filters", "[]"),
        json("omit", "[]"),
        json("rename", "{}"),
        json("cursor", "{}"),
        count("fence"),
        count("rows"),
        moment("last_success_at"),
        moment("last_verified_at"),
        sa.Column("verified_equal", sa.Boolean()),
        string("last_error", null=True),
        string("last_error_step", null=True),
        moment("created_at", now=True),
        sa.PrimaryKeyConstraint("id", name="pk_streams"),
        sa.UniqueConstraint("connection_id", "doctype", name="uq_streams_connection_id"),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            [f"{SCHEMA}.connections.id"],
            name="fk_streams_connection_id",
            ondelete="CASCADE",
        ),
        schema=SCHEMA,
    )


def _runs() -> None:
    op.create_table(
        "runs",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("connection_id", sa.Uuid(), nullable=False),
        sa.Column("stream_id", sa.Integer(), nullable=False),
        string("kind"),
        string("trigger"),
        string("outcome", default="queued"),
        sa.Column("fence", sa.BigInteger()),
        count("attempts", sa.Integer),
        moment("queued_at", now=True),
        moment("started_at"),
        moment("finished_at"),
        sa.Column("seconds", sa.Float()),
        sa.Column("expected_rows", sa.BigInteger()),
        count("rows_read"),
        count("rows_changed"),
        count("rows_deleted"),
        count("pages", sa.Integer),
        count("bytes"),
        json("report", "{}"),
        string("error", null=True),
        string("next_step", null=True),
        sa.PrimaryKeyConstraint("id", name="pk_runs"),
        sa.ForeignKeyConstraint(
            ["connection_id"],
            [f"{SCHEMA}.connections.id"],
            name="fk_runs_connection_id",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["stream_id"],
            [f"{SCHEMA}.streams.id"],
            name="fk_runs_stream_id",
            ondelete="CASCADE",
        ),
        schema=SCHEMA,
    )
    op.create_index("ix_runs_stream_id_id", "runs", ["stream_id", "id"], schema=SCHEMA)
    op.create_index("ix_runs_connection_id_id", "runs", ["connection_id", "id"], schema=SCHEMA)
    op.create_table(
        "run_logs",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("run_id", sa.BigInteger(), nullable=False),
        moment("at", now=True),
        string("level"),
        string("message"),
        sa.PrimaryKeyConstraint("id", name="pk_run_logs"),
        sa.ForeignKeyConstraint(
            ["run_id"], [f"{SCHEMA}.runs.id"], name="fk_run_logs_run_id", ondelete="CASCADE"
        ),
        schema=SCHEMA,
    )
    op.create_index("ix_run_logs_run_id_id", "run_logs", ["run_id", "id"], schema=SCHEMA)
