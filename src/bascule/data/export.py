"""Whole views and tables out of the mirror: CSV, JSON Lines or Parquet, streamed in bounded memory.

What may be asked for is `relation`'s, and pages of rows are `rows`'s. In CSV a text that a
spreadsheet would run as a formula gets an apostrophe before it unless the export is `exact`; the
other two formats always are.
"""

import asyncio
import errno
import os
import re
import secrets
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing, closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal, Protocol, get_args

import psycopg
from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from psycopg.sql import SQL, Composable, Composed, Identifier

from bascule.data.batches import batches
from bascule.data.relation import BadQuery, Selection, selected, selection_of
from bascule.errors import HubError
from bascule.spreadsheets import COMPUTED, disarmed

Format = Literal["csv", "jsonl", "parquet"]
FORMATS: tuple[str, ...] = get_args(Format)
MEDIA_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "jsonl": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
}

_CHUNK = 128 * 1024
_BATCH, _BATCH_BYTES = 2_000, 4_000_000
# What a column of these holds cannot be a formula. Other kinds can: text, JSON, whatever comes.
_NO_TEXTS = re.compile(
    "smallint|integer|bigint|numeric|real|double precision|boolean|date|interval|uuid"
    "|time(stamp)? with(out)? time zone"
)


class ExportFailed(HubError):
    """The rows could not be written; nothing of them is left where the file should be."""


class _Database(Protocol):
    def connection(self) -> Any: ...


@dataclass(slots=True)
class Exported:
    """What was written, so far or in all."""

    rows: int = 0
    bytes: int = 0


async def export_rows(
    db: _Database,
    schema: str,
    relation: str,
    *,
    format: str,
    where: Mapping[str, str] | None = None,
    sort: str | None = None,
    columns: list[str] | None = None,
    exact: bool = False,
    exported: Exported | None = None,
    search: str | None = None,
) -> AsyncGenerator[bytes]:
    """The file in pieces; what is asked for as in `page_of_rows`. Unordered without sort.

    BadQuery comes before the first piece, ExportFailed at any. `exported` counts along.
    """
    if format not in FORMATS:
        raise BadQuery(
            f"There is no format {format!r}.",
            next_step=f"Use one of: {', '.join(FORMATS)}.",
            fields={"format": "no such format"},
        )
    tally = exported or Exported()
    try:
        async with db.connection() as conn:
            selection = await selection_of(
                conn, schema, relation, where=where, sort=sort, columns=columns, search=search
            )
            async with aclosing(_pieces(conn, selection, tally, format, exact=exact)) as pieces:
                async for piece in pieces:
                    tally.bytes += len(piece)
                    yield piece
    except psycopg.OperationalError as error:
        raise ExportFailed(
            f"The database stopped while {relation} was read: {str(error).strip()}",
            next_step="Look at `bascule doctor`, and export again.",
        ) from error


def _pieces(
    conn: AsyncConnection[TupleRow],
    selection: Selection,
    tally: Exported,
    format: str,
    *,
    exact: bool,
) -> AsyncGenerator[bytes]:
    if format == "csv":
        return _csv(conn, selection, tally, exact=exact)
    if format == "jsonl":
        return _json_lines(conn, selection, tally)
    return _parquet(conn, selection, tally)


def _csv(
    conn: AsyncConnection[TupleRow], selection: Selection, tally: Exported, *, exact: bool
) -> AsyncGenerator[bytes]:
    """RFC 4180 in UTF-8, with a header. Null is an empty cell, an empty text is ""."""
    cells = SQL(", ").join(
        _cell(column, selection.relation.columns[column], exact=exact)
        for column in selection.columns
    )
    statement = SQL("copy ({}) to stdout (format csv, header, encoding 'UTF8')").format(
        selection.select(cells)
    )
    return _copied(conn, statement, tally)


async def _copied(
    conn: AsyncConnection[TupleRow], statement: Composed, tally: Exported
) -> AsyncGenerator[bytes]:
    """What COPY writes, row by row: a row is held, however large its table is."""
    buffer = bytearray()
    async with conn.cursor() as cursor:
        async with cursor.copy(statement) as copy:
            async for data in copy:
                buffer += data
                if len(buffer) >= _CHUNK:
                    yield bytes(buffer)
                    buffer.clear()
        tally.rows = cursor.rowcount
    if buffer:
        yield bytes(buffer)


def _cell(column: str, kind: str, *, exact: bool) -> Composable:
    name, heading = Identifier(column), Identifier(column if exact else disarmed(column))
    if kind == "boolean":
        return SQL("{}::text as {}").format(name, heading)  # true and false, where COPY has t and f
    if not exact and not _NO_TEXTS.fullmatch(kind):
        guarded = "case when {}::text ~ {} then '''' || {}::text else {}::text end as {}"
        return SQL(guarded).format(name, COMPUTED, name, name, heading)
    return SQL("{} as {}").format(name, heading)


def _json_lines(
    conn: AsyncConnection[TupleRow], selection: Selection, tally: Exported
) -> AsyncGenerator[bytes]:
    """One object a line. Numbers keep every digit that they have in the database.

    JSON escapes the characters that are delimiter and quote here, so COPY adds nothing to it.
    """
    inner = selection.select(selected(selection.relation, selection.columns))
    # With .* it is the whole row, also where a column is named as it is.
    statement = SQL(
        "copy (select row_to_json(line.*)::text from ({}) as line) to stdout "
        "(format csv, delimiter E'\\x01', quote E'\\x02', encoding 'UTF8')"
    ).format(inner)
    return _copied(conn, statement, tally)


async def _parquet(
    conn: AsyncConnection[TupleRow], selection: Selection, tally: Exported
) -> AsyncGenerator[bytes]:
    # Arrow weighs tens of megabytes: only who asks for Parquet pays.
    from bascule.data.parquet import DoesNotFit, ParquetPieces, arrow_cells  # noqa: PLC0415

    kinds = {column: selection.relation.columns[column] for column in selection.columns}
    with closing(ParquetPieces(kinds)) as pieces:
        statement = selection.select(arrow_cells(kinds))
        some = batches(conn, statement, most_rows=_BATCH, most_bytes=_BATCH_BYTES, binary=True)
        async with aclosing(some):
            async for rows in some:
                tally.rows += len(rows)
                try:
                    piece = await asyncio.to_thread(pieces.add, rows)
                except DoesNotFit as error:
                    raise ExportFailed(
                        f"The column {error} holds a value that Parquet cannot: its numbers have "
                        "at most 29 digits before the point.",
                        next_step="Leave the column out, or export as csv or jsonl.",
                    ) from error
                if piece:
                    yield piece
        yield pieces.end()


async def export_to_file(
    db: _Database,
    schema: str,
    relation: str,
    path: Path,
    *,
    format: str | None = None,
    where: Mapping[str, str] | None = None,
    sort: str | None = None,
    columns: list[str] | None = None,
    exact: bool = False,
) -> Exported:
    """Write a file that is either whole or not there; the format is its suffix unless given.

    The rows go to a temporary file beside it, which takes its place at the end. What is no regular
    file (a pipe, a device) is written as it is. ExportFailed or BadQuery.
    """
    exported = Exported()
    rows = export_rows(
        db,
        schema,
        relation,
        format=format or path.suffix.removeprefix("."),
        where=where,
        sort=sort,
        columns=columns,
        exact=exact,
        exported=exported,
    )
    async with aclosing(rows):
        try:
            target = await asyncio.to_thread(_Target, path)
            try:
                # In threads: a slow disk or a slow reader must not stop the hub.
                async for piece in rows:
                    await asyncio.to_thread(target.write, piece)
                await asyncio.to_thread(target.finish)
            except BaseException:
                target.abandon()
                raise
        except OSError as error:
            raise _failure(path, error) from error
    return exported


class _Target:
    """Where a file comes to be: beside its place, or right there if that is a pipe or a device."""

    def __init__(self, path: Path) -> None:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        self._part: Path | None = None
        if path.exists() and not path.is_file():
            self._out: BinaryIO = path.open("wb", buffering=0)
            return
        self._path = path.resolve()
        self._part = self._path.with_name(f".{secrets.token_hex(6)}.part")
        self._out = self._part.open("xb", buffering=0)

    def write(self, piece: bytes) -> None:
        rest = memoryview(piece)
        while rest:
            rest = rest[self._out.write(rest) :]

    def finish(self) -> None:
        """On the disk first, then under its name: a power cut leaves the old file or the new."""
        if self._part is not None:
            os.fsync(self._out.fileno())
        self._out.close()
        if self._part is not None:
            self._part.replace(self._path)

    def abandon(self) -> None:
        with suppress(OSError):  # a full disk may say so again; the first word is the one to tell
            self._out.close()
        if self._part is not None:
            self._part.unlink(missing_ok=True)


_REASONS = {
    errno.ENOSPC: (
        "the disk is full",
        "Free some space or choose another disk; Parquet files are the smallest.",
    ),
    errno.EDQUOT: ("your quota of the disk is used up", "Free some space or choose another disk."),
    errno.EFBIG: (
        "the file would be larger than is allowed here",
        "Raise the limit (ulimit -f), filter the rows, or choose another disk.",
    ),
    errno.EPIPE: ("its reader went away", "Let the reader read to the end, or export to a file."),
    errno.ENOENT: ("its folder is not there", "Make the folder, or choose another."),
    errno.ENOTDIR: ("its folder is a file", "Choose another folder."),
    errno.EISDIR: ("it is a folder", "Add a file name, such as rows.csv."),
    errno.EACCES: ("you may not write there", "Choose a folder that is yours."),
    errno.EPERM: ("you may not write there", "Choose a folder that is yours."),
    errno.EROFS: ("nothing can be written there", "Choose another disk."),
    errno.ENAMETOOLONG: ("its name is too long", "Choose a shorter one."),
}


def _failure(path: Path, error: OSError) -> ExportFailed:
    why, next_step = _REASONS.get(
        error.errno or 0, (error.strerror or str(error), "Choose another place for the file.")
    )
    return ExportFailed(f"{path} could not be written: {why}.", next_step=next_step)
