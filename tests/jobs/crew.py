"""Worker processes over the test's database, and the traces that their tasks leave."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from bascule.hub import Hub
from tests.kit.waiting import until_async

SCRIPT = Path(__file__).with_name("worker_process.py")


class Workers:
    def __init__(self, hub: Hub, url: str, folder: Path) -> None:
        self.hub = hub
        self.url = url
        self.folder = folder
        self.processes: list[subprocess.Popen[bytes]] = []

    async def start(self, *, concurrency: int = 2, mode: str = "") -> subprocess.Popen[bytes]:
        """Returns when the worker has registered itself."""
        before = await self.newest()
        log = (self.folder / f"worker-{len(self.processes)}.log").open("wb")
        with log:
            process = subprocess.Popen(
                [sys.executable, SCRIPT, str(concurrency), *mode.split()],
                env={
                    **os.environ,
                    "BASCULE_DATABASE_URL": self.url,
                    "BASCULE_DATA_DIR": str(self.folder),
                },
                stdout=subprocess.DEVNULL,
                stderr=log,
            )
        self.processes.append(process)
        await until_async(lambda: self.is_newer_than(before))
        return process

    async def is_newer_than(self, before: int) -> bool:
        return await self.newest() > before

    async def newest(self) -> int:
        [row] = await self.rows("SELECT coalesce(max(id), 0) FROM procrastinate_workers")
        return int(row[0])

    async def alive(self) -> int:
        [row] = await self.rows("SELECT count(*) FROM procrastinate_workers")
        return int(row[0])

    def said(self) -> str:
        return "".join(path.read_text() for path in sorted(self.folder.glob("worker-*.log")))

    async def rows(self, query: str, *params: Any) -> list[Any]:
        async with self.hub.db.connection() as connection:
            return await (await connection.execute(query.encode(), params or None)).fetchall()

    async def traces(self, key: str = "") -> list[tuple[str, int]]:
        """What happened and in which process, in order."""
        return await self.rows("SELECT what, pid FROM traces WHERE key = %s ORDER BY id", key)

    async def happened(self, key: str, *what: str) -> None:
        """Waits until exactly these traces are there."""

        async def there() -> bool:
            return [trace for trace, _ in await self.traces(key)] == list(what)

        await until_async(there)

    async def begun(self, key: str) -> None:
        """Waits until a job of this key has begun; it may have ended meanwhile."""

        async def there() -> bool:
            return bool(await self.traces(key))

        await until_async(there)

    async def let_go_on(self, key: str) -> None:
        """A later attempt of a job that is held."""
        await self.rows(
            "INSERT INTO traces (what, key) VALUES ('go on', %s) RETURNING id", f"{key}, held"
        )

    def end(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()
