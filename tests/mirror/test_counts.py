"""How many rows a run says that it reads are how many there are."""

from collections.abc import Callable
from typing import Any

from bascule.mirror.streams.settings import streams_of
from bascule.mirror.tables import Run, Stream


async def test_a_full_pull_reads_each_row_once_and_knew_before_how_many(
    mirrored: Callable[..., Any],
) -> None:
    mirror = await mirrored(lookback_days=400)
    for kind in ("sync", "full"):
        runs = await mirror.sync(kind=kind)
        for stream, run in await by_stream(mirror, runs):
            assert run.outcome == "done", run.error
            rows = await rows_of(mirror, stream)
            assert (stream.doctype, run.rows_read, run.expected_rows) == (
                stream.doctype,
                rows,
                rows,
            )


async def by_stream(mirror: Any, runs: list[Run]) -> list[tuple[Stream, Run]]:
    async with mirror.hub.db.session() as session:
        streams = {stream.id: stream for stream in await streams_of(session, mirror.connection)}
    return [(streams[run.stream_id], run) for run in runs]


async def rows_of(mirror: Any, stream: Stream) -> int:
    """The rows of a stream's table, and those of all child tables that are its documents'."""
    own = len(await mirror.rows(stream.table_name, "name"))
    async with mirror.hub.db.connection() as conn:
        tables = await conn.execute(
            "SELECT table_name FROM information_schema.columns"
            " WHERE table_schema = %s AND column_name = 'parenttype'",
            [mirror.connection.slug],
        )
        names = [name for (name,) in await tables.fetchall()]
    of = f"parenttype = '{stream.doctype}'"
    return own + sum([len(await mirror.rows(name, "name", where=of)) for name in names])
