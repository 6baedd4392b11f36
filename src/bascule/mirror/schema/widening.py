"""A column that goes over to a wider type, and what that makes of the rows that are there.

As text a value stands as PostgreSQL writes it, which need not be as the site does: 06:00:00 for
6:00:00, 0.00001 for 1e-05. Such a row loses its checksum with that, so that no proof by checksum
calls it equal until it was fetched again.
"""

from psycopg import AsyncConnection, sql

from bascule.frappe.checksums import CHECKSUM
from bascule.mirror import views
from bascule.mirror.schema.columns import Column

# Whole numbers and days (see `fitting`) are written in one way only.
_WRITTEN_OTHERWISE = frozenset({"numeric", "timestamp", "time"})


async def widen_column(
    conn: AsyncConnection, schema: str, table: str, column: Column, to: str
) -> bool:
    """Give a column, here with the type that it has, this type; whether live rows have to be
    fetched again for it.
    """
    respelled = to == "text" and column.base_type in _WRITTEN_OTHERWISE
    parts = {
        "table": sql.Identifier(schema, table),
        "column": sql.Identifier(column.name),
        "type": sql.SQL(to),
        "checksum": sql.Identifier(CHECKSUM),
    }
    steps = [sql.SQL("ALTER COLUMN {column} TYPE {type} USING {column}::{type}")]
    if respelled:
        steps.append(
            sql.SQL(
                "ALTER COLUMN {checksum} TYPE bigint"
                " USING CASE WHEN {column} IS NULL THEN {checksum} END"
            )
        )
    alter = sql.SQL("ALTER TABLE {table} ").format(**parts) + sql.SQL(", ").join(
        step.format(**parts) for step in steps
    )
    with views.others_in_the_way(f"The column {schema}.{table}.{column.name}"):
        await conn.execute(alter)
    return respelled and await _has_values(conn, parts)


async def _has_values(conn: AsyncConnection, parts: dict[str, sql.Composable]) -> bool:
    query = "SELECT EXISTS (SELECT FROM {table} WHERE {column} IS NOT NULL AND _deleted_at IS NULL)"
    row = await (await conn.execute(sql.SQL(query).format(**parts))).fetchone()
    return bool(row and row[0])
