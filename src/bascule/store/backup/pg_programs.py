"""pg_dump and pg_restore at work: what they write or read, and how far they are."""

import re
import subprocess
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO

from bascule.store.address import libpq_environment
from bascule.store.embedded.binaries import binary
from bascule.store.embedded.supervisor import environment

# One line of --verbose for each table whose rows are next.
_TABLE = re.compile(r"(?:dumping contents of|processing data for) table")


@dataclass
class Running:
    """`tables`: those that are done or under way. `said`: the last lines that it wrote."""

    process: "subprocess.Popen[bytes]"
    tables: int = 0
    said: deque[str] = field(default_factory=lambda: deque(maxlen=30))

    def heard(self) -> None:
        assert self.process.stderr is not None  # noqa: S101
        for line in self.process.stderr:
            text = line.decode(errors="replace").strip()
            self.tables += bool(_TABLE.search(text))
            self.said.append(text)

    @property
    def reason(self) -> str:
        """What it says went wrong; of many lines those that tell."""
        errors = [line for line in self.said if "error:" in line or "ERROR:" in line]
        return " ".join(errors or list(self.said)[-1:]) or f"exit code {self.process.returncode}"

    @property
    def out(self) -> IO[bytes]:
        assert self.process.stdout is not None  # noqa: S101
        return self.process.stdout

    @property
    def into(self) -> IO[bytes]:
        assert self.process.stdin is not None  # noqa: S101
        return self.process.stdin


@contextmanager
def program(name: str, url: str, *arguments: str, reads: bool = False) -> Iterator[Running]:
    """One of PostgreSQL's programs, at the database of this address; it is ended with the block.
    `reads`: it takes its input from `into`; else what it writes comes from `out`. Afterwards
    `process.returncode` says how it ended.
    """
    with subprocess.Popen(
        [str(binary(name)), "--verbose", *arguments],
        stdin=subprocess.PIPE if reads else subprocess.DEVNULL,
        stdout=subprocess.DEVNULL if reads else subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**environment(), **libpq_environment(url)},
    ) as process:
        running = Running(process)
        listening = threading.Thread(target=running.heard, daemon=True)
        listening.start()
        try:
            yield running
            if reads and not running.into.closed:
                running.into.close()
            process.wait()
        finally:
            if process.poll() is None:
                process.kill()
            listening.join()
