"""`export`: a view or a table of the mirror as CSV, JSON Lines or Parquet."""

import sys
import time
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bascule.cli.connections.streams import Of, one_connection
from bascule.cli.exit_codes import Exit, Refused
from bascule.cli.identity import acting_hub
from bascule.cli.terminal import AsJson, Quiet, document, err, escape, span

if TYPE_CHECKING:
    from bascule.data.export import Exported
    from bascule.hub import Hub


async def export(
    relation: Annotated[
        str,
        typer.Argument(metavar="WHAT", help="A view, such as inventory, or a table, such as item."),
    ],
    connection: Of = None,
    format: Annotated[
        str | None,
        typer.Option(
            "--format", "-f", help="csv, jsonl or parquet; by the file's name if left out."
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="A file; stdout if left out.")
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            "--where",
            "-w",
            help="'needs_reorder=true', 'total_amount__gte=100'; may be given more than once. "
            "Operators: gt, gte, lt, lte, ne, in, like, contains, isnull.",
        ),
    ] = None,
    sort: Annotated[
        str | None, typer.Option(help="A column, with - before it for descending.")
    ] = None,
    column: Annotated[
        list[str] | None, typer.Option(help="Only this column; may be given more than once.")
    ] = None,
    exact: Annotated[
        bool, typer.Option("--exact", help="In CSV, leave text that looks like a formula as it is.")
    ] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> int:
    """Write a view or a table as CSV, JSON Lines or Parquet.

    A file is whole or not there. With --json, what was written is told on stdout, so --output is
    needed.
    """

    if as_json and output is None:
        raise Refused(
            "With --json, stdout tells what was written and cannot hold the rows too.",
            next_step="Add --output FILE, or leave --json out.",
        )
    began = time.perf_counter()
    options = {"where": _conditions(where), "sort": sort, "columns": column, "exact": exact}
    async with acting_hub() as (hub, viewer):
        found = await one_connection(hub, viewer, connection)
        if output is None:
            await _to_stdout(hub, found.slug, relation, format or "csv", options)
            return Exit.DONE
        written = await _to_file(hub, found.slug, relation, output, format, options)
    seconds = time.perf_counter() - began
    if as_json:
        document(
            {
                "output": str(output),
                "rows": written.rows,
                "bytes": written.bytes,
                "seconds": round(seconds, 3),
            }
        )
    elif not quiet:
        err.print(f"{written.rows:,} rows in {span(seconds)} to {escape(str(output))}")
    return Exit.DONE


def _conditions(where: list[str] | None) -> dict[str, str]:
    conditions = {}
    for text in where or []:
        column, sign, value = text.partition("=")
        if not (column.strip() and sign):
            raise Refused(
                f"The condition {text!r} is not understood.",
                next_step="Write it as column=value or column__gte=value.",
            )
        conditions[column.strip()] = value
    return conditions


async def _to_stdout(
    hub: "Hub", schema: str, relation: str, format: str, options: dict[str, Any]
) -> None:
    from bascule.data.export import export_rows

    if format == "parquet" and sys.stdout.isatty():
        raise Refused(
            "Parquet is nothing to look at in a terminal.",
            next_step="Add --output rows.parquet, or send it on with a pipe.",
        )
    rows = export_rows(hub.db, schema, relation, format=format, **options)
    async with aclosing(rows):
        async for piece in rows:
            sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()


async def _to_file(
    hub: "Hub",
    schema: str,
    relation: str,
    output: Path,
    format: str | None,
    options: dict[str, Any],
) -> "Exported":
    from bascule.data.export import FORMATS, export_to_file

    if format is None and output.suffix.removeprefix(".") not in FORMATS:
        raise Refused(
            f"The name {output.name} does not tell a format.",
            next_step=f"Add --format and one of: {', '.join(FORMATS)}.",
        )
    return await export_to_file(hub.db, schema, relation, output, format=format, **options)
