"""Rows as the pieces of a Parquet file. Imports Arrow, so import it only where it is needed.

A numeric becomes decimal128(38, 9): exact, with the scale that ERPNext stores amounts in.
"""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from psycopg.sql import SQL, Composable, Identifier

_TYPES: dict[str, Any] = {
    "boolean": pa.bool_(),
    "smallint": pa.int16(),
    "integer": pa.int32(),
    "bigint": pa.int64(),
    "numeric": pa.decimal128(38, 9),
    "real": pa.float32(),
    "double precision": pa.float64(),
    "date": pa.date32(),
    "time without time zone": pa.time64("us"),
    "timestamp without time zone": pa.timestamp("us"),
    "timestamp with time zone": pa.timestamp("us", tz="UTC"),
}
# A row group is written when this much has come together: readers like them large, memory does not.
_GROUP_BYTES = 16 * 1024 * 1024


class DoesNotFit(Exception):
    """Its text is the column's name."""


class ParquetPieces:
    """Takes rows, gives bytes: whatever of the file is finished after each call."""

    def __init__(self, kinds: Mapping[str, str]) -> None:
        self._schema = pa.schema(
            [pa.field(column, _TYPES.get(kind, pa.string())) for column, kind in kinds.items()]
        )
        self._sink = _Sink()
        self._writer = pq.ParquetWriter(self._sink, self._schema, compression="zstd")
        self._batches: list[Any] = []

    def add(self, rows: Sequence[Sequence[Any]]) -> bytes:
        columns = [
            self._array(field, list(values))
            for field, values in zip(self._schema, zip(*rows, strict=True), strict=True)
        ]
        self._batches.append(pa.record_batch(columns, schema=self._schema))
        if sum(batch.nbytes for batch in self._batches) >= _GROUP_BYTES:
            self._write_group()
        return self._sink.taken()

    def end(self) -> bytes:
        if self._batches:
            self._write_group()
        self._writer.close()
        return self._sink.taken()

    def close(self) -> None:
        """Let go of everything; what `end` did not give is lost."""
        self._batches.clear()
        self._writer.close()

    def _array(self, field: Any, values: list[Any]) -> Any:
        try:
            return pa.array(values, type=field.type)
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
            raise DoesNotFit(field.name) from error

    def _write_group(self) -> None:
        self._writer.write_table(pa.Table.from_batches(self._batches, schema=self._schema))
        self._batches.clear()


class _Sink(io.RawIOBase):
    def __init__(self) -> None:
        super().__init__()
        self._pieces: list[bytes] = []
        self._at = 0

    def writable(self) -> bool:
        return True

    def write(self, piece: Any, /) -> int:
        self._pieces.append(bytes(piece))
        self._at += len(self._pieces[-1])
        return len(self._pieces[-1])

    def tell(self) -> int:
        return self._at

    def taken(self) -> bytes:
        taken = b"".join(self._pieces)
        self._pieces.clear()
        return taken


def arrow_cells(kinds: Mapping[str, str]) -> Composable:
    """What to select so that every column fits its Arrow type, too large numbers apart."""
    cells: list[Composable] = []
    for column, kind in kinds.items():
        name = Identifier(column)
        if kind == "numeric":
            cells.append(SQL("round({}, 9) as {}").format(name, name))
        elif kind in _TYPES or kind in ("text", "character varying"):
            cells.append(name)
        else:
            cells.append(SQL("{}::text as {}").format(name, name))
    return SQL(", ").join(cells)
