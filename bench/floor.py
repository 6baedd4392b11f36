"""The floor: the pages that a pull asked for, fetched again in the same lanes, and thrown away.

Takes one line of JSON on its input, and answers with one. With a `database`, the pages are kept
instead, and their rows go through PostgreSQL's own COPY into a table without a key, an index or a
log, a connection a lane: what a mirror cannot be filled faster than. Only the COPY counts then.
"""

import asyncio
import json
import sys
import time
from typing import Any

import aiohttp
import msgspec
import psycopg

from bascule.mirror.pull.copy import csv_of
from bascule.mirror.schema.columns import STANDARD_TYPES, TYPES
from bench.rows import COLUMNS, FIELDS

TABLE = "public.copied"


class Answer(msgspec.Struct):
    message: list[msgspec.Raw]


async def fetch(order: dict[str, Any], *, keep: bool) -> tuple[dict[str, float], list[list[bytes]]]:
    """Pages that go up and pages that go down were asked for side by side, so they are here."""
    bodies = [json.dumps(page).encode() for page in order["pages"]]
    down = [body for body in bodies if b"name desc" in body]
    up = [body for body in bodies if b"name desc" not in body]
    headers = {"Accept-Encoding": "identity", "Content-Type": "application/json"}
    url = f"{order['url']}/api/method/frappe.client.get_list"
    async with aiohttp.ClientSession(headers=headers, read_bufsize=2**19) as session:

        async def lane(bodies: list[bytes]) -> tuple[int, list[bytes]]:
            size, kept = 0, []
            for body in bodies:
                async with session.post(url, data=body) as answer:
                    page = await answer.read()
                size += len(page)
                if keep:
                    kept.append(page)
            return size, kept

        started = time.perf_counter()
        lanes = await asyncio.gather(lane(up), lane(down))
        seconds = time.perf_counter() - started
    return {"seconds": seconds, "bytes": sum(size for size, _ in lanes), "pages": len(bodies)}, [
        pages for _, pages in lanes
    ]


async def copy(database: str, lanes: list[list[bytes]]) -> float:
    """The seconds that COPY takes for the rows of these pages, rewritten beforehand."""
    types = {
        str(field["fieldname"]): TYPES.get(str(field["fieldtype"]), "text") for field in FIELDS
    }
    columns = ", ".join(f"{name} {(STANDARD_TYPES | types).get(name, 'text')}" for name in COLUMNS)
    read = msgspec.json.Decoder(Answer).decode
    ready = [[list(csv_of(read(page).message)) for page in pages] for pages in lanes]

    async def lane(pages: list[list[bytes]]) -> None:
        async with await psycopg.AsyncConnection.connect(database, autocommit=True) as conn:
            for pieces in pages:
                async with conn.cursor().copy(
                    f"COPY {TABLE} ({', '.join(COLUMNS)}) FROM STDIN "
                    "(FORMAT csv, QUOTE '\"', ESCAPE E'\\\\', NULL 'null')"
                ) as copying:
                    for piece in pieces:
                        await copying.write(piece)

    async with await psycopg.AsyncConnection.connect(database, autocommit=True) as conn:
        await conn.execute(f"CREATE UNLOGGED TABLE {TABLE} ({columns})")
        try:
            started = time.perf_counter()
            await asyncio.gather(*map(lane, ready))
            return time.perf_counter() - started
        finally:
            await conn.execute(f"DROP TABLE {TABLE}")


async def measure(order: dict[str, Any]) -> dict[str, float]:
    database = order.get("database")
    fetched, lanes = await fetch(order, keep=database is not None)
    return fetched | ({"copy_seconds": await copy(database, lanes)} if database else {})


if __name__ == "__main__":
    print(json.dumps(asyncio.run(measure(json.loads(sys.stdin.readline())))), flush=True)
