"""Alembic's entry: runs in the transaction that `bascule.store.migrate` has begun."""

from alembic import context

from bascule.store.base import HUB_SCHEMA

context.configure(
    connection=context.config.attributes["connection"],
    version_table_schema=HUB_SCHEMA,
)
context.run_migrations()
