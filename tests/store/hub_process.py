"""A process that uses the embedded PostgreSQL of BASCULE_DATA_DIR.

hub_process.py write     writes rows, one transaction each, and says the number of each once it is
                         committed; goes on after every error of the database, until killed
hub_process.py once      opens, says what it sees as JSON, closes
hub_process.py hold      opens, says what it sees, stays open until its input ends
"""

import asyncio
import json
import logging
import os
import signal
import sys

import psycopg
from psycopg_pool import PoolTimeout

from bascule.settings import Settings
from bascule.store import Database, StoreError, open_database
from bascule.store.embedded.server import EmbeddedServer


async def seen(db: Database) -> dict[str, object]:
    async with db.connection() as connection:
        found = await connection.execute(
            "SELECT pg_postmaster_start_time()::text, (SELECT count(*) FROM bascule.users)"
        )
        row = await found.fetchone()
    assert row is not None
    with psycopg.connect(EmbeddedServer(Settings().data_dir, None).admin_url()) as admin:
        places = admin.execute(
            "SELECT current_setting('data_directory'), current_setting('unix_socket_directories')"
        ).fetchone()
    assert places is not None
    with psycopg.connect(db.url) as other:
        assert other.execute("SELECT 1").fetchone() == (1,)
    return {
        "folder": places[0],
        "started": row[0],
        "users": row[1],
        "sockets": places[1],
        "url": db.url,
        "repr": repr(db),
        "euid": os.geteuid(),
        "alembic": "alembic" in sys.modules,
    }


async def write(db: Database) -> None:
    async with db.connection() as connection:
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS public.kept (id bigint primary key, filler text)"
        )
        found = await connection.execute("SELECT coalesce(max(id), 0) FROM public.kept")
        row = await found.fetchone()
    number = int(row[0]) if row else 0
    while True:
        number += 1
        try:
            async with db.connection() as connection:
                await connection.execute(
                    "INSERT INTO public.kept VALUES (%s, repeat('x', 2000))", [number]
                )
        except (psycopg.Error, PoolTimeout) as error:
            print(f"error {type(error).__name__}", flush=True)
            await asyncio.sleep(0.05)
        else:
            print(number, flush=True)


async def main(mode: str) -> None:
    db = await open_database(Settings())
    if mode == "write":
        await write(db)
    print(json.dumps(await seen(db)), flush=True)
    if mode == "hold":
        told = asyncio.Event()
        asyncio.get_running_loop().add_reader(sys.stdin, told.set)
        await told.wait()
    await db.close()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job inherits none
    logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
    try:
        asyncio.run(main(sys.argv[1]))
    except StoreError as error:
        print(json.dumps({"error": str(error), "next_step": error.next_step}), flush=True)
        sys.exit(3)
