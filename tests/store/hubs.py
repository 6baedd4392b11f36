"""Processes that use the embedded server of one data folder, and a look at who serves it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from tests.kit.waiting import until

SCRIPT = Path(__file__).with_name("hub_process.py")
SOURCES = Path(__file__).parents[2] / "src"

T = TypeVar("T")


class Hubs:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.processes: list[subprocess.Popen[str]] = []
        self.environment: dict[str, str] = {}

    def start(self, mode: str, account: str | None = None) -> subprocess.Popen[str]:
        command: list[Any] = [sys.executable, SCRIPT, mode]
        environment = {**os.environ, "BASCULE_DATA_DIR": str(self.data), **self.environment}
        if account is not None:
            command[0] = python_for(account)
            site = next(path for path in sys.path if path.endswith("site-packages"))
            environment["PYTHONPATH"] = f"{SOURCES}:{site}"
        process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=(self.folder / "stderr").open("a"),
            text=True,
            start_new_session=True,
            user=account,
        )
        self.processes.append(process)
        return process

    def once(self, account: str | None = None) -> dict[str, Any]:
        return said(self.start("once", account))

    def state(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.data / "postgres.json").read_text())
        return found

    def servers(self) -> list[int]:
        """Every process that runs in the cluster's folder: the server and its children."""
        cluster = str((self.data / "postgres").resolve())
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if str((process / "cwd").readlink()) == cluster:
                    found.append(int(process.name))
            except OSError:
                continue  # it has gone meanwhile, or is not ours to look at
        return found

    def programs(self) -> set[Path]:
        """What they run."""
        return set(self._of_each(lambda process: (process / "exe").readlink()))

    def owners(self) -> set[int]:
        """The numbers of the accounts they run as."""
        return set(self._of_each(lambda process: process.stat().st_uid))

    def _of_each(self, look: Callable[[Path], T]) -> Iterator[T]:
        """What is seen at each that has not ended meanwhile: a server's children come and go."""
        for pid in self.servers():
            try:
                yield look(Path(f"/proc/{pid}"))
            except OSError:
                continue

    def gone(self) -> float:
        """Waits until no server is left; the seconds that it took."""
        began = time.monotonic()
        until(lambda: not self.servers(), pause=0.02)
        return time.monotonic() - began

    def log(self) -> str:
        return (self.data / "postgres.log").read_text()

    def end(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                os.kill(process.pid, signal.SIGKILL)
            process.communicate()
        if (self.data / "postgres").exists():
            self.gone()
        shutil.rmtree(self.folder, ignore_errors=True)


def said(process: subprocess.Popen[str]) -> dict[str, Any]:
    """The next thing that a process says."""
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, "The process ended without a word."
    found: dict[str, Any] = json.loads(line)
    return found


def python_for(account: str) -> str:
    """A Python that this account can run and that our packages are built for."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for program in (sys.executable, shutil.which(version, path="/usr/local/bin:/usr/bin")):
        if program is None:
            continue
        try:
            ran = subprocess.run([program, "--version"], check=False, user=account)
        except OSError:
            continue
        if ran.returncode == 0:
            return program
    pytest.skip(f"NOT TESTED: no {version} on this machine that {account} could run")
