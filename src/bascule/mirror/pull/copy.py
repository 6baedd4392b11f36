"""Pages into PostgreSQL, at the speed of COPY.

A compact JSON array is CSV, but for the brackets around it: text stands in double quotes with
backslash escapes, ``null`` is bare, and PostgreSQL can be told all three. What is left are the
escapes that CSV does not know (``\\n``, ``\\u00e9``), which are written out. So no value passes
through Python on its way, unless its row holds anything but plain values of the columns' types
(see `fitting`), or was written in another style.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

import msgspec
from psycopg import AsyncConnection, errors, sql

from bascule.frappe import Page
from bascule.mirror.pull.fitting import DoesNotFit, plain_rows, rewritten, types_needed
from bascule.mirror.schema.migration import Table, Widened, widen
from bascule.mirror.schema.widths import too_wide

_COPY = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT csv, QUOTE '\"', ESCAPE E'\\\\', NULL 'null')")
# `\"` is CSV's own, and needs no look; so is `\\`, but it must be seen to be stepped over.
_ESCAPES = re.compile(
    rb"(\\(?:[\\bfnrt/]|u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}))"
)
# PostgreSQL's text cannot hold NUL, and half a surrogate pair is no character.
_NOT_TEXT = "�".encode()
# Rewritten and sent at once: what the connection takes in one go, and a processor's cache holds.
_ROWS_AT_ONCE = 256
_BYTES_AT_ONCE = 1_000_000
_ESCAPES_AT_ONCE = 20_000  # each takes some 80 bytes meanwhile

MISFITS = (
    DoesNotFit,
    errors.InvalidTextRepresentation,
    errors.NumericValueOutOfRange,
    errors.InvalidDatetimeFormat,
    errors.DatetimeFieldOverflow,
)


# Those of one letter, which can be replaced by themselves where no backslash is escaped.
_SHORT = {
    rb"\b": b"\b",
    rb"\f": b"\f",
    rb"\n": b"\n",
    rb"\r": b"\r",
    rb"\t": b"\t",
    rb"\/": b"/",
}


class _WrittenOut(dict[bytes, bytes]):
    """What stands for an escape. Those of single characters are kept as they come by."""

    MOST = 20_000

    def __missing__(self, escape: bytes) -> bytes:
        code = int(escape[2:6], 16)
        if len(escape) > 6:
            code = 0x10000 + ((code - 0xD800) << 10) + int(escape[8:], 16) - 0xDC00
            return chr(code).encode()
        written = _NOT_TEXT if code == 0 or 0xD800 <= code <= 0xDFFF else chr(code).encode()
        if written in (b'"', b"\\"):
            written = b"\\" + written
        if len(self) < self.MOST:
            self[escape] = written
        return written


_written_out = _WrittenOut({rb"\\": rb"\\", **_SHORT})


def csv_of(raw: Iterable[bytes | msgspec.Raw]) -> Iterator[bytes]:
    """The rows as CSV in the dialect of `_COPY`, some at a time. Each is a compact JSON array
    without nested values.
    """
    for some in _together(raw):
        text = b"\n".join([*[memoryview(row)[1:-1] for row in some], b""])
        if b"\\\\" not in text:
            for escape, written in _SHORT.items():
                text = text.replace(escape, written)
        while b"\\" in text:
            *parts, text = _ESCAPES.split(text, _ESCAPES_AT_ONCE)
            if not parts:
                break
            parts[1::2] = map(_written_out.__getitem__, parts[1::2])
            yield b"".join(parts)
        yield text


def _together(raw: Iterable[bytes | msgspec.Raw]) -> Iterator[list[bytes | msgspec.Raw]]:
    some: list[bytes | msgspec.Raw] = []
    size = 0
    for row in raw:
        some.append(row)
        size += len(memoryview(row))
        if len(some) == _ROWS_AT_ONCE or size > _BYTES_AT_ONCE:
            yield some
            some, size = [], 0
    if some:
        yield some


def rows_of(page: Page, types: Sequence[str]) -> Iterator[bytes | msgspec.Raw]:
    """The page's rows for `csv_of`, for columns of these types in the order of its fields.

    DoesNotFit where a value is none of its column's type.
    """
    check = plain_rows(tuple(types))
    for row in page.raw:
        if page.compact:
            try:
                check(row)
            except msgspec.DecodeError:
                pass  # nested values, booleans, numbers in quotes: looked at one by one
            else:
                yield row
                continue
        yield rewritten(page.doctype, row, types)


def columns_sql(table: Table) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(column.name) for column in table.columns)


async def copy_page(
    conn: AsyncConnection, target: sql.Composable, table: Table, page: Page
) -> None:
    """COPY a page into `target` (the table or its staging), its fields in the order of the
    table's columns.

    Raises one of MISFITS where a value does not fit its column, TooWide where a row fits no table;
    the transaction is lost then.
    """
    command = _COPY.format(target, columns_sql(table))
    try:
        async with conn.cursor().copy(command) as copy:
            for piece in csv_of(rows_of(page, table.types)):
                await copy.write(piece)
    except errors.ProgramLimitExceeded as error:
        wide = too_wide(table.doctype, table.columns, page, child=table.child)
        raise wide or error from None


async def stage(conn: AsyncConnection, table: Table, pages: Iterable[Page]) -> sql.Identifier:
    """The pages in a temporary table like `table`, gone at the end of the transaction."""
    staging = sql.Identifier("pg_temp", f"staged_{table.name}")
    await conn.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(staging))
    await conn.execute(
        sql.SQL("CREATE TEMP TABLE {} ON COMMIT DROP AS SELECT {} FROM {} LIMIT 0").format(
            sql.Identifier(f"staged_{table.name}"), columns_sql(table), table.identifier
        )
    )
    for page in pages:
        await copy_page(conn, staging, table, page)
    return staging


async def widen_misfits(conn: AsyncConnection, table: Table, pages: Iterable[Page]) -> Widened:
    """Widen every column that a value of these pages does not fit. Each value is looked at: slow,
    and needed about once in a column's life.
    """
    needed: dict[str, str] = {}
    for page in pages:
        types = [needed.get(column.name, column.base_type) for column in table.columns]
        found = types_needed(page.doctype, page.raw, types)
        needed |= {table.columns[place].name: to for place, to in found.items()}
    return await widen(conn, table, needed)


async def staged_state(
    conn: AsyncConnection, table: Table, staging: sql.Composable
) -> tuple[int, list[str]]:
    """How many of the staged names are not live here yet, and which are new or have another
    `modified`.
    """
    rows = await conn.execute(
        sql.SQL(
            """
            SELECT s.name, t.name IS NULL OR t._deleted_at IS NOT NULL
              FROM {staging} s LEFT JOIN {table} t USING (name)
             WHERE t.name IS NULL OR t._deleted_at IS NOT NULL OR t.modified IS DISTINCT FROM
             s.modified
            """
        ).format(staging=staging, table=table.identifier)
    )
    found: dict[str, bool] = dict(await rows.fetchall())
    return sum(found.values()), list(found)


async def merge(conn: AsyncConnection, table: Table, staging: sql.Composable) -> int:
    """Bring the table to the staged rows; how many rows were written. An equal row costs no
    write.
    """
    others = [sql.Identifier(c.name) for c in table.columns if c.field != "name"]
    changes = await conn.execute(
        sql.SQL(
            """
            INSERT INTO {table} AS t ({columns})
            SELECT DISTINCT ON (name) {columns} FROM {staging} ORDER BY name
                ON CONFLICT (name) DO UPDATE
               SET {assignments}, _deleted_at = NULL, _synced_at = now()
             WHERE t._deleted_at IS NOT NULL OR ROW({here}) IS DISTINCT FROM ROW({there})
            """
        ).format(
            table=table.identifier,
            columns=columns_sql(table),
            staging=staging,
            assignments=sql.SQL(", ").join(sql.SQL("{0} = excluded.{0}").format(c) for c in others),
            here=sql.SQL(", ").join(sql.SQL("t.{}").format(c) for c in others),
            there=sql.SQL(", ").join(sql.SQL("excluded.{}").format(c) for c in others),
        )
    )
    return changes.rowcount
