"""A hub that serves 1,000,000 sales orders through its API, in a process of its own.

The table, its indexes and the view over it are made by the mirror's own code; only the rows are
made up, in the database.
"""

import argparse
import asyncio
import json
import sys
from pathlib import Path

from psycopg.sql import SQL

from bascule.accounts.tokens import issue_token
from bascule.app import create_app
from bascule.connections.deletion.delete import delete_connection
from bascule.connections.tables import Connection
from bascule.hub import Hub, open_hub
from bascule.mirror.schema.columns import Column, TableSchema
from bascule.mirror.schema.migration import ensure_indexes, ensure_tables
from bascule.mirror.views import rebuild_views
from bascule.serving import serving
from bascule.settings import Settings
from bascule.sites.fields import NewConnection
from bascule.sites.service import create_connection

COLUMNS = {
    "name": 'text collate "C"',
    "creation": "timestamp",
    "modified": "timestamp",
    "docstatus": "smallint",
    "customer": "text",
    "customer_name": "text",
    "status": "text",
    "currency": "text",
    "transaction_date": "date",
    "delivery_date": "date",
    "grand_total": "numeric",
    "net_total": "numeric",
    "advance_paid": "numeric",
    "total_qty": "numeric",
    "per_delivered": "numeric",
}
CUSTOMERS = 5_000
DAYS = 1_500
FIRST_DAY = "2022-01-01"
STATUSES = ("Completed", "To Deliver and Bill", "To Bill", "To Deliver", "Draft", "Closed")
# Half are completed, and each of the others is rarer than the one before it.
ROWS = """
INSERT INTO {table} ({columns})
SELECT 'SAL-ORD-' || lpad(g::text, 7, '0'), t, t, (s <> 'Draft')::int,
       'C-' || c, 'Customer ' || c, s, 'EUR', t::date, t::date + (h % 30)::int,
       (h % 900000) / 100.0, (h % 900000) / 119.0, 0, 1 + h % 40,
       CASE WHEN s IN ('Completed', 'To Bill') THEN 100 ELSE 0 END
  FROM generate_series(1, {count}) g,
       LATERAL (SELECT abs(hashint4(g)::bigint) AS h) AS one,
       LATERAL (SELECT h / 7 % {customers} AS c,
                       timestamp {first_day} + make_interval(secs => h % 86400)
                       + make_interval(days => (g::bigint * {days} / {count})::int) AS t,
                       ({statuses}::text[])[
                           least(6, 1 + floor(-log(2, (1 + h % 997) / 998.0)))] AS s
               ) AS two
"""


async def fill(hub: Hub, connection: Connection, count: int) -> None:
    shape = TableSchema(
        "Sales Order", tuple(Column(name, name, kind) for name, kind in COLUMNS.items())
    )
    async with hub.db.connection() as conn:
        table = (await ensure_tables(conn, connection.slug, shape)).parent
        await conn.execute(
            SQL(ROWS).format(
                table=table.identifier,
                columns=SQL(", ").join(map(SQL, COLUMNS)),
                count=count,
                customers=CUSTOMERS,
                first_day=FIRST_DAY,
                days=DAYS,
                statuses=list(STATUSES),
            )
        )
        await ensure_indexes(conn, table)
        await conn.execute(SQL("ANALYZE {}").format(table.identifier))
        await rebuild_views(conn, schema=connection.slug)


async def serve(data_dir: Path, count: int) -> None:
    settings = Settings(data_dir=data_dir)
    async with open_hub(settings) as hub:
        new = NewConnection(
            name="Shop", api_url="http://127.0.0.1:9", api_key="bench", api_secret="bench"
        )
        connection = await create_connection(hub, new, test=False)
        try:
            await fill(hub, connection, count)
            async with hub.db.session() as session:
                token = await issue_token(session, "bench")
            async with serving(create_app(settings, hub=hub), "127.0.0.1", 0) as url:
                said = {"url": url, "token": token, "connector": str(connection.id)}
                print(json.dumps(said), flush=True)
                # Who started it ends it by closing its input, and so does that one's own end.
                await asyncio.to_thread(sys.stdin.read)
        finally:
            await delete_connection(hub, connection, by=None)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--data-dir", type=Path, required=True)
    given = parser.parse_args()
    asyncio.run(serve(given.data_dir, given.rows))
