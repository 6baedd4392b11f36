"""Who reads a view while the tables underneath change waits at most, and never finds it gone."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import psycopg
from psycopg import sql

from bascule.mirror.schema.migration import Table, widen
from bascule.mirror.streams.settings import add_streams, change_stream, delete_stream, find_stream

READ = ("inventory", "suppliers", "customers")


class Reader:
    """Reads views over and over, as a dashboard would; `failed` tells what it could not read."""

    def __init__(self, url: str, schema: str) -> None:
        self.url, self.schema = url, schema
        self.times, self.stop = 0, False
        self.failed: list[str] = []

    async def read(self) -> None:
        async with await psycopg.AsyncConnection.connect(self.url, autocommit=True) as conn:
            while not self.stop:
                for view in READ:
                    query = sql.SQL("SELECT * FROM {} LIMIT 5").format(
                        sql.Identifier(self.schema, view)
                    )
                    try:
                        await (await conn.execute(query)).fetchall()
                        self.times += 1
                    except psycopg.Error as error:
                        self.failed.append(str(error))


@asynccontextmanager
async def read_by(url: str, schema: str, *, readers: int = 3) -> AsyncIterator[list[Reader]]:
    every = [Reader(url, schema) for _ in range(readers)]
    async with asyncio.TaskGroup() as group:
        for reader in every:
            group.create_task(reader.read())
        try:
            yield every
        finally:
            for reader in every:
                reader.stop = True


async def test_a_reader_finds_every_view_while_columns_widen_come_and_go(
    mirrored: Callable[..., Any], database_url: str
) -> None:
    mirror = await mirrored()
    slug = mirror.connection.slug
    await mirror.sync("inventory", "suppliers", "customers")

    async def stream(name: str) -> Any:
        async with mirror.hub.db.session() as session:
            return await find_stream(session, mirror.connection, name)

    async with read_by(database_url, slug) as readers:
        for omit in (["tax_id", "website"], []):
            await change_stream(
                mirror.hub, mirror.connection, await stream("Supplier"), {"omit": omit}
            )
            [run] = await mirror.sync("Supplier")
            assert run.outcome == "done", run.error
        bins = Table(slug, "bin", "Bin", ())
        for column in ("actual_qty", "projected_qty", "reserved_qty"):
            async with mirror.hub.db.connection() as conn:
                await widen(conn, bins, {column: "text"})
        await add_streams(mirror.hub, mirror.connection, ["Brand"])
        await mirror.sync("Brand")
        await delete_stream(mirror.hub, mirror.connection, await stream("Brand"))
    assert [reader.failed for reader in readers] == [[], [], []]
    assert all(reader.times > 10 for reader in readers)


async def test_views_show_what_the_connection_says_after_its_tables_changed(
    mirrored: Callable[..., Any],
) -> None:
    mirror = await mirrored(include_disabled=True)
    await mirror.sync("suppliers")
    [(name,), *_] = await mirror.rows("supplier", "name")
    await mirror.execute("UPDATE mirror.supplier SET disabled = 1")
    async with mirror.hub.db.connection() as conn:
        suppliers = Table(mirror.connection.slug, "supplier", "Supplier", ())
        await widen(conn, suppliers, {"idx": "text"})
        found = await conn.execute(
            sql.SQL("SELECT count(*) FROM {} WHERE supplier_id = %s").format(
                sql.Identifier(mirror.connection.slug, "suppliers")
            ),
            [name],
        )
        assert await found.fetchone() == (1,)


async def test_a_view_of_somebody_else_on_a_column_that_must_widen_is_named(
    mirrored: Callable[..., Any],
) -> None:
    mirror = await mirrored()
    await mirror.sync("suppliers")
    await mirror.execute(
        "ALTER TABLE mirror.supplier ADD COLUMN late smallint;"
        "COMMENT ON COLUMN mirror.supplier.late IS 'tax_id';"
        "DROP VIEW mirror.suppliers;"
        "ALTER TABLE mirror.supplier DROP COLUMN tax_id;"
        "CREATE VIEW mirror.mine AS SELECT late FROM mirror.supplier"
    )
    [run] = await mirror.sync("suppliers")
    assert run.outcome == "failed"
    assert "mine" in run.error
    assert "your own views" in run.next_step
    await mirror.execute("DROP VIEW mirror.mine")
    [run] = await mirror.sync("suppliers")
    assert run.outcome == "done", run.error
