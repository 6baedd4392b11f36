"""One-time codes of authenticator apps, recovery codes, and sign-ins that wait for one."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"

SCHEMA = "bascule"
NOW = sa.text("now()")
MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "second_factors",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("secret_encrypted", sa.Text(), nullable=False),
        sa.Column("began_at", MOMENT, server_default=NOW, nullable=False),
        sa.Column("confirmed_at", MOMENT),
        sa.Column("last_step", sa.BigInteger()),
        _of_a_user("second_factors"),
        sa.PrimaryKeyConstraint("id", name="pk_second_factors"),
        sa.UniqueConstraint("user_id", name="uq_second_factors_user_id"),
        schema=SCHEMA,
    )
    op.create_table(
        "recovery_codes",
        sa.Column("code_hash", sa.String(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        _of_a_user("recovery_codes"),
        sa.PrimaryKeyConstraint("code_hash", name="pk_recovery_codes"),
        schema=SCHEMA,
    )
    op.create_table(
        "half_sign_ins",
        sa.Column("id_hash", sa.String(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        _of_a_user("half_sign_ins"),
        sa.PrimaryKeyConstraint("id_hash", name="pk_half_sign_ins"),
        schema=SCHEMA,
    )
    for table in ("recovery_codes", "half_sign_ins"):
        op.create_index(f"ix_{table}_user_id", table, ["user_id"], schema=SCHEMA)


def _of_a_user(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["user_id"], ["bascule.users.id"], name=f"fk_{table}_user_id", ondelete="CASCADE"
    )
