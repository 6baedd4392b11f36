"""Passwords, sessions, refresh tokens and one-time links; whose a connection is."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

SCHEMA = "bascule"


def moment(name: str, *, null: bool = False, now: bool = False) -> sa.Column[Any]:
    default = sa.func.now() if now else None
    return sa.Column(name, sa.DateTime(timezone=True), nullable=null, server_default=default)


def user_id(table: str) -> tuple[sa.Column[Any], sa.ForeignKeyConstraint]:
    return (
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], [f"{SCHEMA}.users.id"], name=f"fk_{table}_user_id", ondelete="CASCADE"
        ),
    )


def upgrade() -> None:
    _users()
    _ways_in()
    _connections()


def _users() -> None:
    # Names are compared in lower case from now on. Two that differ by case alone stay as they are.
    op.execute(
        f"UPDATE {SCHEMA}.users u SET username = lower(username) WHERE NOT EXISTS"
        f" (SELECT FROM {SCHEMA}.users o WHERE o.id <> u.id AND lower(o.username) ="
        " lower(u.username))"
    )
    for column in (
        sa.Column("password_hash", sa.String()),
        sa.Column("version", sa.Integer(), nullable=False, server_default="0"),
        moment("last_sign_in_at", null=True),
    ):
        op.add_column("users", column, schema=SCHEMA)
    op.create_unique_constraint("uq_users_email", "users", ["email"], schema=SCHEMA)
    op.add_column(
        "api_tokens",
        sa.Column("scope", sa.String(), nullable=False, server_default="write"),
        schema=SCHEMA,
    )
    op.add_column("api_tokens", moment("expires_at", null=True), schema=SCHEMA)


def _ways_in() -> None:
    op.create_table(
        "sessions",
        sa.Column("id_hash", sa.String(), nullable=False),
        *user_id("sessions"),
        sa.Column("csrf", sa.String(), nullable=False),
        moment("created_at", now=True),
        moment("expires_at"),
        moment("last_seen_at", now=True),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("agent", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id_hash", name="pk_sessions"),
        schema=SCHEMA,
    )
    op.create_table(
        "refresh_tokens",
        sa.Column("token_hash", sa.String(), nullable=False),
        sa.Column("family", sa.Uuid(), nullable=False),
        *user_id("refresh_tokens"),
        moment("created_at", now=True),
        moment("expires_at"),
        moment("used_at", null=True),
        sa.PrimaryKeyConstraint("token_hash", name="pk_refresh_tokens"),
        schema=SCHEMA,
    )
    op.create_index("ix_refresh_tokens_family", "refresh_tokens", ["family"], schema=SCHEMA)
    op.create_table(
        "one_time_links",
        sa.Column("token_hash", sa.String(), nullable=False),
        *user_id("one_time_links"),
        moment("created_at", now=True),
        moment("expires_at"),
        sa.PrimaryKeyConstraint("token_hash", name="pk_one_time_links"),
        schema=SCHEMA,
    )
    for table in ("sessions", "refresh_tokens", "one_time_links"):
        op.create_index(f"ix_{table}_user_id", table, ["user_id"], schema=SCHEMA)
    op.create_table(
        "sign_in_attempts",
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        moment("last_at", now=True),
        moment("blocked_until"),
        sa.PrimaryKeyConstraint("key", name="pk_sign_in_attempts"),
        schema=SCHEMA,
    )


def _connections() -> None:
    op.add_column("connections", sa.Column("owner_id", sa.Integer()), schema=SCHEMA)
    op.create_foreign_key(
        "fk_connections_owner_id",
        "connections",
        "users",
        ["owner_id"],
        ["id"],
        source_schema=SCHEMA,
        referent_schema=SCHEMA,
    )
    op.add_column(
        "connections",
        sa.Column("shared", sa.Boolean(), nullable=False, server_default="true"),
        schema=SCHEMA,
    )
