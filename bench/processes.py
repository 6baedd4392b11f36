"""What the measurements start and end: a data folder, its PostgreSQL, and processes of their own.

Everything measured runs in a fresh process, so that its memory and its time are its own.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bascule.store.embedded.server import EmbeddedServer

PATIENCE = 900.0  # seconds for one measured process


class CannotMeasure(Exception):
    """Says why; the figure is null then."""


@contextmanager
def data_folder() -> Iterator[Path]:
    """Where an unprivileged PostgreSQL can enter, also when root measures."""
    folder = Path(tempfile.mkdtemp(prefix="bascule-bench-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def postgresql(folder: Path) -> Iterator[EmbeddedServer]:
    """The hub's own server, kept up from one measurement to the next."""
    server = EmbeddedServer.join(folder)
    try:
        yield server
    finally:
        server.leave()
        give_up = time.monotonic() + 60
        while server.is_kept() and time.monotonic() < give_up:
            time.sleep(0.05)


@dataclass(frozen=True)
class Replayed:
    """A replay server that runs."""

    url: str

    def tell(self, **told: object) -> dict[str, Any]:
        """Tells it something; what it was asked since the last time."""
        body = json.dumps(told).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.url}/bench", body, headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)


@contextmanager
def replaying(rows: int) -> Iterator[Replayed]:
    with started("bench.replay", f"--rows={rows}") as said:
        yield Replayed(said["url"])


@contextmanager
def started(module: str, *arguments: str) -> Iterator[dict[str, Any]]:
    """A module that says one line of JSON when it is ready, and ends when its input does."""
    with _running(module, *arguments) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise CannotMeasure(f"{module} ended before it was ready")
        yield json.loads(line)


@contextmanager
def _running(module: str, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        assert process.stdin is not None
        process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            process.wait(60)
        process.kill()
        process.wait()


@contextmanager
def asked(
    module: str, *arguments: str
) -> Iterator[tuple[dict[str, Any], Callable[..., dict[str, Any]]]]:
    """What it says when it is ready, and how it is asked again: a line for a line, which holds an
    order if one is given.
    """
    with _running(module, *arguments) as process:
        into, out = process.stdin, process.stdout
        assert into is not None and out is not None

        def ask(**order: object) -> dict[str, Any]:
            into.write((json.dumps(order) if order else "") + "\n")
            into.flush()
            line = out.readline()
            if not line:
                raise CannotMeasure(f"{module} ended without an answer")
            return json.loads(line)

        yield json.loads(out.readline()), ask


def run(module: str, **order: object) -> dict[str, Any]:
    """What a module answers to an order: a line of JSON to a line of JSON."""
    try:
        ran = subprocess.run(
            [sys.executable, "-m", module],
            input=json.dumps({**order, "spawned_at": time.time()}) + "\n",
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise CannotMeasure(f"{module} took more than {PATIENCE:.0f} s") from None
    if ran.returncode:
        raise CannotMeasure(f"{module}: {last_line(ran.stderr)}")
    return json.loads(ran.stdout)


def last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "it ended without a word"
