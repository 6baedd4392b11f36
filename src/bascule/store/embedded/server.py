"""The embedded PostgreSQL as its users see it: join it, know its address, leave it.

Any number of processes share the server of one data folder. Who comes first starts a supervisor
(`bascule.store.embedded.supervisor`), which goes when the last has left or died.
"""

import fcntl
import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg

from bascule.store.data_dir import open_folder
from bascule.store.embedded import supervisor
from bascule.store.embedded.account import account_for
from bascule.store.embedded.binaries import programs_for
from bascule.store.embedded.cluster import (
    ADMIN,
    CLUSTER,
    DATABASE,
    PASSWORDS,
    ROLE,
    clear_leftovers,
    make_cluster,
    password_of,
)
from bascule.store.embedded.roles import arrange
from bascule.store.errors import CannotStart
from bascule.store.session import READER
from bascule.store.start_steps import step

log = logging.getLogger(__name__)

START = "postgres.start"  # exclusive flock: one process at a time starts a supervisor
ARRANGED = "postgres.arranged"  # there while this supervisor's server has its roles
PATIENCE = 90.0  # seconds; a server that recovers from a crash under load takes its time
LONGEST_SOCKET = 107  # bytes, of a Unix socket's path


@dataclass
class EmbeddedServer:
    """`url` works for every program here; `fast_url` is the Unix socket where its path fits."""

    data: Path
    users: int | None  # a descriptor that holds the shared lock; None: left
    embedded: bool = field(default=True, init=False)

    @classmethod
    def join(cls, data_dir: Path) -> "EmbeddedServer":
        """Blocks until the server takes connections. StoreError when it does not start."""
        data = open_folder(data_dir)
        until = time.monotonic() + PATIENCE
        users = _open(data / supervisor.USERS)
        try:
            _lock(users, fcntl.LOCK_SH, until)
            server = cls(data, users)
            server.ensure(until)
        except BaseException:
            os.close(users)
            raise
        return server

    def ensure(self, until: float | None = None) -> None:
        """A server that runs, also after the death of the supervisor. Blocks like `join`."""
        until = until or time.monotonic() + PATIENCE
        with _starting(self.data, until):
            if not self.is_kept():
                new = not (self.data / CLUSTER).is_dir()
                step("Making a database of its own, once ..." if new else "Starting PostgreSQL ...")
                try:
                    self._start_supervisor()
                except OSError as error:
                    raise CannotStart(
                        f"The embedded PostgreSQL cannot be started in {self.data}: {error}",
                        next_step="Free some disk space, or choose another BASCULE_DATA_DIR.",
                    ) from error
            self._wait(until)
            if not (self.data / ARRANGED).exists():
                self._arrange(until)

    def is_kept(self) -> bool:
        """Whether a supervisor lives: it holds its lock. Costs a system call."""
        probe = _open(self.data / supervisor.SUPERVISOR)
        try:
            fcntl.flock(probe, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(probe)
        return False

    def leave(self) -> None:
        """The last one to leave lets the supervisor stop the server."""
        if self.users is not None:
            os.close(self.users)
            self.users = None

    @property
    def url(self) -> str:
        return self._address("127.0.0.1", ROLE)

    @property
    def fast_url(self) -> str:
        return self._address(self._socket(), ROLE)

    @property
    def reader_url(self) -> str:
        return self._address("127.0.0.1", READER)

    def admin_url(self, database: str = "postgres", role: str = ADMIN) -> str:
        """The superuser's: to arrange the roles at a start, and for tests; the hub has none."""
        return self._address(self._socket(), role, database)

    def _socket(self) -> str:
        return quote(self._said()["sockets"] or "127.0.0.1", safe="")

    def _address(self, host: str, role: str, database: str = DATABASE) -> str:
        login = f"{role}:{quote(password_of(self.data, role))}"
        port = self._said()["port"]
        return f"postgresql://{login}@{host}:{port}/{database}?sslmode=disable"

    def _arrange(self, until: float) -> None:
        """Once for each supervisor; again by the next start if this one is killed in the middle."""
        passwords = {role: password_of(self.data, role) for role in PASSWORDS}
        while not (self.data / ARRANGED).exists():
            try:
                arrange(self.admin_url, passwords)
                supervisor.write_private(self.data / ARRANGED, b"")
            except (psycopg.Error, OSError) as error:
                if _passes(error) and self.is_kept() and time.monotonic() < until:
                    time.sleep(0.1)  # the server was killed, and its supervisor restarts it
                    continue
                raise CannotStart(
                    f"The roles of the embedded PostgreSQL cannot be arranged: {error}",
                    next_step="End every other Bascule that uses this data folder and start again; "
                    "if it says that authentication failed, put "
                    f"{self.data / PASSWORDS[ADMIN]} back from a backup.",
                ) from error

    def _start_supervisor(self) -> None:
        clear_leftovers(self.data)
        (self.data / ARRANGED).unlink(missing_ok=True)
        port = self._said().get("port", 0)
        supervisor.write_state(self.data, {**self._said(), "state": "starting", "error": None})
        account = account_for(self.data / CLUSTER)
        programs = programs_for(account, self.data)
        cluster = make_cluster(self.data, programs, account)
        longest = f"{cluster}/.s.PGSQL.65535"
        orders = {
            "data": str(self.data),
            "cluster": str(cluster),
            "program": str(programs / "postgres"),
            "user": None if account.is_us else account.user,
            "group": None if account.is_us else account.group,
            "sockets": len(os.fsencode(longest)) <= LONGEST_SOCKET,
            "port": port,
        }
        # By its path and without site-packages: it lives long and needs the standard library alone.
        subprocess.run(
            [sys.executable, "-I", "-S", supervisor.__file__, json.dumps(orders)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            env=supervisor.environment(),
            start_new_session=True,  # a terminal's Ctrl-C does not reach it
            check=True,
        )

    def _wait(self, until: float) -> None:
        """Waits until the supervisor is ready; CannotStart where it is gone after a moment."""
        lives_by = time.monotonic() + 10.0
        while time.monotonic() < until:
            said = self._said()
            if said.get("state") == "ready" and self.is_kept():
                return
            if said.get("state") == "failed":
                break
            if time.monotonic() > lives_by and not self.is_kept():
                break
            time.sleep(0.01)
        reason = self._said().get("error") or "its supervisor said nothing"
        raise CannotStart(
            f"The embedded PostgreSQL does not start: {reason}",
            next_step=f"Read {self.data / supervisor.LOG}; "
            "free disk space or memory if it says so.",
        )

    def _said(self) -> dict[str, Any]:
        try:
            said: dict[str, Any] = json.loads((self.data / supervisor.STATE).read_text())
        except FileNotFoundError:
            return {}
        return said


def _passes(error: Exception) -> bool:
    """Whether it is of a server that is down for a moment."""
    lasting = isinstance(error, psycopg.errors.LockNotAvailable) or "authentication" in str(error)
    return isinstance(error, psycopg.OperationalError) and not lasting


def _open(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise CannotStart(
            f"The file {path} cannot be opened: {error.strerror}.",
            next_step="Run as the owner of the data folder, or set BASCULE_DATA_DIR to your own.",
        ) from error


def _lock(descriptor: int, kind: int, until: float) -> None:
    while True:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                raise CannotStart(
                    "Another process starts or stops the embedded PostgreSQL and does not end.",
                    next_step="Look for a 'bascule' or 'supervisor.py' process that hangs, "
                    "and end it.",
                ) from None
            time.sleep(0.02)
        else:
            return


@contextmanager
def _starting(data: Path, until: float) -> Iterator[None]:
    descriptor = _open(data / START)
    try:
        _lock(descriptor, fcntl.LOCK_EX, until)
        yield
    finally:
        os.close(descriptor)
