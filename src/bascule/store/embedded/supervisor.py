"""The process that supervises the embedded PostgreSQL: starts it, restarts it, stops it.

It runs on its own (`python supervisor.py <orders>`), so it uses the standard library only. It ends
with the server's last user. A user is any process that holds a shared flock on `postgres.users`:
the kernel frees that on kill -9 too, so no server is ever left behind. Creating the cluster and
finding its address is `server`'s.
"""

import contextlib
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

USERS = "postgres.users"  # shared flock: a process that uses the server
SUPERVISOR = "postgres.keeper"  # exclusive flock of the supervisor; 0.1 looks for this name too
STATE = "postgres.json"  # what the supervisor says: state, port, pids
LOG = "postgres.log"
LOG_BYTES = 10_000_000  # then the log moves to postgres.log.1

POLL = 0.2  # seconds between two looks at the users and at the server
PATIENCE = 15.0  # seconds for what passes by itself
PASSING = (  # as a crashed server's processes need a moment to leave its memory and its port
    "pre-existing shared memory block",
    "lock file",
    "could not bind",
    "could not create any TCP/IP sockets",
)
STOPPING = 30.0  # seconds of fast shutdown before the immediate one
NOBODY_PID = 2_147_483_647  # no system gives a process this number


class Supervisor:
    """`orders`: data, cluster, program (paths), user and group (ids or None), sockets (bool)."""

    def __init__(self, orders: dict[str, str | int | None]) -> None:
        self.data = Path(str(orders["data"]))
        self.cluster = Path(str(orders["cluster"]))
        self.program = str(orders["program"])
        self.user, self.group = orders["user"], orders["group"]
        self.sockets = str(self.cluster) if orders["sockets"] else ""
        self.port = int(orders["port"] or 0)
        self.server: subprocess.Popen[bytes] | None = None
        self.users = os.open(self.data / USERS, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def run(self) -> None:
        """Returns when the last user is gone and the server is down."""
        with contextlib.suppress(OSError):
            (self.data / f"{LOG}.1").chmod(0o600)  # earlier versions left it open to others
        try:
            self._start()
            while not self._nobody_left():
                time.sleep(POLL)
                if self.server is None or self.server.poll() is not None:
                    self._start()
                self._bound_the_log()
        except CannotSupervise as error:
            self._say("failed", error=str(error))
        finally:
            self._stop()

    def _nobody_left(self) -> bool:
        """Holds the lock when it says yes: who comes now waits until the server is down."""
        try:
            fcntl.flock(self.users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _start(self) -> None:
        """Until the server is ready; tries again for some seconds, also with another port."""
        self._say("starting")
        until = time.monotonic() + PATIENCE
        while True:
            self._end_a_stranger()
            self.port = free_port(self.port)
            self.server = self._launch()
            while self.server.poll() is None and not self._ready():
                if self._nobody_left():
                    raise CannotSupervise("Everybody left while the server was starting.")
                time.sleep(0.01)
            if self.server.poll() is None:
                self._say("ready")
                return
            said = self._last_words()
            if time.monotonic() > until or not any(words in said for words in PASSING):
                raise CannotSupervise(said)
            time.sleep(0.3)

    def _launch(self) -> "subprocess.Popen[bytes]":
        command = [self.program, "-D", str(self.cluster)]
        for setting in (
            f"port={self.port}",
            "listen_addresses=127.0.0.1",
            f"unix_socket_directories={self.sockets}",
        ):
            command += ["-c", setting]
        options: dict[str, object] = {}
        if self.user is not None:
            options = {"user": self.user, "group": self.group, "extra_groups": []}
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        try:
            log = os.open(self.data / LOG, flags, 0o600)
        except OSError as error:
            raise CannotSupervise(f"{self.data / LOG} cannot be written: {error}") from error
        try:
            return subprocess.Popen(  # type: ignore[call-overload, no-any-return]
                command,
                cwd=str(self.cluster),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment(),
                preexec_fn=dies_with_parent(os.getpid()),  # noqa: PLW1509  (there are no threads)
                **options,
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise CannotSupervise(f"{self.program} cannot be run: {error}") from error
        finally:
            os.close(log)

    def _ready(self) -> bool:
        """The last line of postmaster.pid says so; the first whose file it is."""
        lines = self._pid_file()
        return (
            self.server is not None
            and len(lines) >= 8
            and lines[0].strip() == str(self.server.pid)
            and lines[7].strip() == "ready"
        )

    def _pid_file(self) -> list[str]:
        try:
            return (self.cluster / "postmaster.pid").read_text().splitlines()
        except OSError:
            return []

    def _end_a_stranger(self) -> None:
        """What postmaster.pid names is a server without a supervisor, or no server of ours at all.

        The second happens where numbers come again soon, as in containers: PostgreSQL would take
        any living process of its own user for a server and refuse to start.
        """
        lines = self._pid_file()
        if not lines or not lines[0].strip().lstrip("-").isdigit():
            return
        pid = abs(int(lines[0]))
        if not alive(pid):
            return
        if not serves(pid, self.cluster):
            # Only the number goes: the rest lets PostgreSQL find orphans that still share memory.
            lines[0] = str(NOBODY_PID)
            with contextlib.suppress(OSError):
                rewrite(self.cluster / "postmaster.pid", "\n".join(lines) + "\n")
            return
        for number, seconds in ((signal.SIGINT, 10.0), (signal.SIGQUIT, 5.0)):
            with contextlib.suppress(OSError):
                os.kill(pid, number)
            until = time.monotonic() + seconds
            while alive(pid) and time.monotonic() < until:
                time.sleep(0.02)

    def _stop(self) -> None:
        """Fast: sessions are ended, what is committed is kept. Then the harder way."""
        if self.server is None:
            return
        for number, seconds in (
            (signal.SIGINT, STOPPING),
            (signal.SIGQUIT, 10.0),
            (signal.SIGKILL, 5.0),
        ):
            if self.server.poll() is not None:
                return
            self.server.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.server.wait(seconds)

    def _say(self, state: str, error: str | None = None) -> None:
        said = {
            "state": state,
            "port": self.port,
            "sockets": self.sockets,
            "keeper": os.getpid(),
            "server": self.server.pid if self.server else None,
            "error": error,
        }
        with contextlib.suppress(OSError):  # a full disk does not make the server a worse one
            write_state(self.data, said)

    def _last_words(self) -> str:
        with (self.data / LOG).open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - 2_000))
            return log.read().decode(errors="replace").strip()

    def _bound_the_log(self) -> None:
        """Copied and cut, as the server goes on writing to the same (appending) descriptor."""
        path = self.data / LOG
        with contextlib.suppress(OSError):  # a person removed it, or the disk is full
            if path.stat().st_size > LOG_BYTES:
                write_private(self.data / f"{LOG}.1", path.read_bytes())
                os.truncate(path, 0)


class CannotSupervise(Exception):
    pass


def write_state(data: Path, said: dict[str, object]) -> None:
    """Atomic: who reads it finds the old or the new, never half of one."""
    new = data / f"{STATE}.{os.getpid()}"
    write_private(new, json.dumps(said).encode())
    new.replace(data / STATE)


def write_private(path: Path, content: bytes) -> None:
    """Mode 600 from its first moment, whatever the umask; how everything comes into the folder."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
        os.fchmod(file.fileno(), 0o600)  # also where an earlier version made it
        file.write(content)


def free_port(wanted: int) -> int:
    """The same as last time where it is free, so that a person's tools find the server again."""
    for port in (wanted, 0):
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return int(probe.getsockname()[1])
    raise CannotSupervise("No port is free on 127.0.0.1.")


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def serves(pid: int, cluster: Path) -> bool:
    """Whether this process is a server of this cluster, by its command line; see `_launch`."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:  # no Linux
        ran = subprocess.run(
            ["ps", "-ww", "-o", "args=", "-p", str(pid)],
            capture_output=True,
            text=True,
            check=False,
        )
        command = ran.stdout
    return "postgres" in command and f" -D {cluster} " in command


def rewrite(path: Path, text: str) -> None:
    """Not through a link: we may be root, and the folder is the server's."""
    descriptor = os.open(path, os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)


def environment() -> dict[str, str]:
    """For the server's programs: no secret of ours, no PG* variable, messages in English."""
    kept = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TMPDIR")
    found = {name: os.environ[name] for name in kept if name in os.environ}
    return {**found, "LC_ALL": "C", "TZ": "UTC"}


def dies_with_parent(parent: int) -> Callable[[], None] | None:
    """Linux: the kernel sends SIGINT (fast shutdown) to the server when its supervisor dies.

    To be called in the child, after it has dropped its privileges, as that forgets the signal.
    """
    if sys.platform != "linux":
        return None
    import ctypes  # noqa: PLC0415

    prctl = ctypes.CDLL(None, use_errno=True).prctl
    set_pdeathsig = 1

    def run() -> None:
        prctl(set_pdeathsig, int(signal.SIGINT), 0, 0, 0)
        if os.getppid() != parent:  # it died before the kernel knew
            os._exit(1)

    return run


def main() -> None:
    orders = json.loads(sys.argv[1])
    if os.fork():
        os._exit(0)  # nobody's child: who started it can forget it, and need not bury it
    # It ends with its last user; a signal to the whole group or service must not take the server
    # away from those that are still writing. Not SIG_IGN: the server would inherit that.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    os.umask(0o077)
    lock = os.open(Path(orders["data"]) / SUPERVISOR, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    Supervisor(orders).run()


if __name__ == "__main__":
    main()
