"""Rows out of the database as they come, and counted in bytes: some have a megabyte each."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any, cast

from psycopg import AsyncConnection, pq
from psycopg.rows import TupleRow
from psycopg.sql import Composed

# The driver gets so many at once, whatever they weigh; before libpq 17 it gets them one by one.
_AT_ONCE = 20 if pq.version() >= 170000 else 1


@asynccontextmanager
async def streamed(
    conn: AsyncConnection[TupleRow], statement: Composed, *, binary: bool = False
) -> AsyncIterator[AsyncIterator[TupleRow]]:
    """The rows of a statement, never prepared. Who leaves before the last has it cancelled, and
    with it the transaction.
    """
    stream = conn.cursor().stream(statement, binary=binary, size=_AT_ONCE)
    async with aclosing(cast("AsyncGenerator[TupleRow]", stream)) as rows:
        yield rows


def weight_of(row: Sequence[Any]) -> int:
    """The characters of a row's texts."""
    return sum([len(value) for value in row if type(value) is str])


async def batches(
    conn: AsyncConnection[TupleRow],
    statement: Composed,
    *,
    most_rows: int,
    most_bytes: int,
    binary: bool = False,
) -> AsyncGenerator[list[TupleRow]]:
    """The rows in lists, each of which ends once it has so many rows or bytes."""
    batch: list[TupleRow] = []
    size = 0
    async with streamed(conn, statement, binary=binary) as rows:
        async for row in rows:
            batch.append(row)
            size += weight_of(row)
            if len(batch) >= most_rows or size >= most_bytes:
                yield batch
                batch, size = [], 0
    if batch:
        yield batch
