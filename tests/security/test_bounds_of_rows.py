"""Rows of a megabyte each leave the hub as pages and as files in the memory of a few of them."""

import asyncio
import json
import os
import sys
from typing import Any

import pytest

from bascule.data.export import FORMATS
from bascule.data.rows import LARGEST_PAGE
from bascule.hub import Hub

SMALL, LARGE = 300, 218
MEGABYTE = 1_000_000
MOST = 150 * 2**20  # of memory beyond what a process has that has taken small rows

# Prints what each way out gave: rows, and how much the process had grown at its largest.
TAKING = """
import asyncio, json, sys
from pathlib import Path
from bascule.hub import open_hub
from bascule.data.export import FORMATS, Exported, export_rows
from bascule.data.rows import page_of_rows

def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))

async def paged(db, relation):
    names, after, pages = [], None, 0
    while pages == 0 or after:
        page = await page_of_rows(db, "attacked", relation, limit=1000, after=after)
        names += [row["name"] for row in page.rows]
        after, pages = page.next, pages + 1
    return len(set(names)), len(names)

async def filed(db, relation, format):
    told = Exported()
    async for _ in export_rows(db, "attacked", relation, format=format, exported=told):
        pass
    return told.rows, told.rows

async def main(ways):
    async with open_hub() as hub:
        for way in ways:
            for relation in ("small", "large"):
                before = peak()
                work = paged(hub.db, relation) if way == "page" else filed(hub.db, relation, way)
                rows = await work
                print(json.dumps([way, relation, *rows, peak() - before]), flush=True)

asyncio.run(main(sys.argv[1:]))
"""


@pytest.fixture
async def attacked(hub: Hub) -> Hub:
    """A schema with a table of small rows, and one whose last rows are large."""
    async with hub.db.connection() as conn:
        await conn.execute("CREATE SCHEMA attacked")
        for name, large in (("small", 0), ("large", LARGE)):
            await conn.execute(
                f"CREATE TABLE attacked.{name} AS SELECT 'R' || (100000 + g) AS name,"
                f" repeat('x', CASE WHEN g > {SMALL} THEN {MEGABYTE} ELSE 10 END) AS body"
                f" FROM generate_series(1, {SMALL + large}) g"
            )
            await conn.execute(f"ALTER TABLE attacked.{name} ADD PRIMARY KEY (name)")
    return hub


async def test_rows_of_a_megabyte_each_leave_in_little_memory(attacked: Hub) -> None:
    assert LARGEST_PAGE > SMALL + LARGE
    settings: Any = attacked.settings
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", TAKING, "page", *FORMATS),
        env={
            **os.environ,
            "BASCULE_DATABASE_URL": attacked.db.url,
            "BASCULE_DATA_DIR": str(settings.data_dir),
            "BASCULE_SECRET_KEY": settings.secret_key.get_secret_value(),
        },
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await process.communicate()
    told = [json.loads(line) for line in said.splitlines()]
    assert {way for way, *_ in told} == {"page", *FORMATS}
    for way, relation, once, rows, grown in told:
        assert once == rows == SMALL + (LARGE if relation == "large" else 0), way
        assert relation == "small" or grown < MOST, (way, grown)
