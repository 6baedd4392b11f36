"""Alembic's entry: runs in the transaction of the connection that `bascule.store.migrate` hands in."""

from alembic import context

from bascule.store.base import HUB_SCHEMA

context.configure(
    connection=context.config.attributes["connection"],
    version_table_schema=HUB_SCHEMA,
)
context.run_migrations()
