"""Indexes of a table that several streams have in common, made by all of them at once."""

import asyncio
from collections.abc import Callable
from typing import Any

from bascule.mirror.schema.columns import Column, TableSchema
from bascule.mirror.schema.migration import ensure_indexes, ensure_tables


async def test_streams_that_end_together_make_the_indexes_of_a_common_table_once(
    mirrored: Callable[..., Any],
) -> None:
    mirror = await mirrored()
    db, schema = mirror.hub.db, mirror.connection.slug
    columns = (Column("name", "name", "text"), Column("modified", "modified", "timestamp"))

    async def make(table: Any) -> None:
        async with db.connection() as conn:
            await ensure_indexes(conn, table)

    for number in range(20):
        shape = TableSchema(f"Common {number}", columns)
        async with db.connection() as conn:
            table = (await ensure_tables(conn, schema, shape)).parent
        await asyncio.gather(*(make(table) for _ in range(6)))
        async with db.connection() as conn:
            found = await conn.execute(
                "SELECT indexname FROM pg_indexes WHERE schemaname = %s AND tablename = %s",
                [schema, table.name],
            )
            names = [name for (name,) in await found.fetchall()]
        assert f"{table.name}_modified_name_idx" in names
