"""What the demo stands on: a folder of its own, and a sandbox ERPNext in a process of its own."""

import asyncio
import fcntl
import json
import os
import shutil
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bascule.cli.exit_codes import Exit, Refused
from bascule.store.data_dir import open_folder
from bascule.store.embedded.supervisor import SUPERVISOR

if TYPE_CHECKING:
    from bascule.settings import Settings

MARK = "demo.json"
LOCK = "demo.lock"
SITE_PORT = 8004
STOPPING = 30.0  # seconds for the server of the last demo to be gone
PATIENCE = 60.0  # seconds for the sandbox to make its company and answer


@dataclass
class Memory:
    """What a later start takes up again, so that pasted lines go on working. Mode 600."""

    token: str | None = None
    password: str | None = None
    site_port: int = SITE_PORT

    @classmethod
    def of(cls, folder: Path) -> "Memory":
        try:
            return cls(**json.loads((folder / MARK).read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return cls()

    def keep(self, folder: Path) -> None:
        part = folder / f"{MARK}.part"
        part.unlink(missing_ok=True)
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(asdict(self), file)
        part.replace(folder / MARK)


@dataclass(frozen=True, slots=True)
class Site:
    """The sandbox's address and the credentials of the user that the hub is there."""

    url: str
    user: str
    api_key: str
    api_secret: str


def demo_settings(settings: "Settings") -> "Settings":
    """The same settings beside the real data: an embedded server in a folder of its own."""
    folder = settings.data_dir
    if not folder.name.endswith("-demo"):
        folder = folder.with_name(f"{folder.name}-demo")
    return settings.model_copy(update={"database_url": None, "data_dir": folder})


def after(port: int) -> list[int]:
    """The ports to try when this one is taken: the next few, then any."""
    return [*range(port + 1, min(port + 10, 65_536)), 0]


@contextmanager
def only_demo(folder: Path, *, reset: bool) -> Iterator[None]:
    """The folder for this demo alone; emptied first if asked for."""
    with ExitStack() as held:
        if not held.enter_context(locked(open_folder(folder) / LOCK)):
            raise Refused(
                f"A demo is running already, in {folder}.",
                next_step="Use that one, stop it with Ctrl-C, or set BASCULE_DATA_DIR to another "
                "folder to have a second one.",
                code=Exit.FAILED,
            )
        if reset and (folder / MARK).exists():
            _empty(folder)
        yield


def _empty(folder: Path) -> None:
    """Not under the feet of a server that still runs: the last demo's may be about to stop."""
    give_up = time.monotonic() + STOPPING
    while time.monotonic() < give_up:
        with locked(folder / SUPERVISOR) as stopped:
            if stopped:
                for path in folder.iterdir():
                    if path.is_dir():
                        shutil.rmtree(path)
                    elif path.name != LOCK:
                        path.unlink()
                return
        time.sleep(0.1)
    raise Refused(
        f"Somebody is using the demo's database in {folder}.",
        next_step="Close what is connected to it, psql perhaps, and try again.",
        code=Exit.FAILED,
    )


@contextmanager
def locked(path: Path) -> Iterator[bool]:
    """Whether the lock is ours; if so, until the block ends or this process does."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        ours = True
    except BlockingIOError:
        ours = False
    try:
        yield ours
    finally:
        os.close(descriptor)


@asynccontextmanager
async def running_site(port: int) -> AsyncIterator[Site]:
    """A sandbox with the demo company as it stands today, gone when the block ends or we do. Where
    that port is taken it has another.
    """
    process = await asyncio.create_subprocess_exec(
        *(
            sys.executable,
            "-m",
            "bascule.cli.demo.sandbox_process",
            *map(str, (port, *after(port))),
        ),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        # Ctrl-C is for us alone: we stop it when the hub has let go of it.
        start_new_session=True,
    )
    try:
        yield await _told(process)
    finally:
        if process.stdin is not None:
            process.stdin.close()
        try:
            async with asyncio.timeout(10):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()


async def _told(process: asyncio.subprocess.Process) -> Site:
    assert process.stdout is not None  # noqa: S101 - it is a pipe, see above
    try:
        async with asyncio.timeout(PATIENCE):
            line = await process.stdout.readline()
        told = json.loads(line)
    except (TimeoutError, ValueError) as error:
        raise Refused(
            "The sandbox did not start.",
            next_step="'bascule sandbox' tells why.",
            code=Exit.SITE,
        ) from error
    user = told["users"]["hub"]
    return Site(told["url"], user["name"], user["api_key"], user["api_secret"])
