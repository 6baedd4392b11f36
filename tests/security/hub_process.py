"""The hub as somebody runs it: a process of its own, over real sockets, with its log in a file."""

import json
import os
import resource
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bascule.settings import Settings
from tests.kit.waiting import until


@dataclass
class HubProcess:
    url: str
    log: Path
    process: "subprocess.Popen[str]"

    @property
    def place(self) -> tuple[str, int]:
        at = urlsplit(self.url)
        return str(at.hostname), int(at.port or 0)

    def ask(
        self, path: str, token: str | None = None, *, method: str = "GET", within: float = 60
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers, body; what does not come `within` so many seconds raises."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        asked = urllib.request.Request(self.url + path, headers=headers, method=method)
        if method == "POST":
            asked.data = b"{}"
        try:
            with urllib.request.urlopen(asked, timeout=within) as got:
                return got.status, dict(got.headers), got.read()
        except urllib.error.HTTPError as error:
            return error.code, dict(error.headers), error.read()

    def health(self, within: float = 60) -> tuple[int, Any]:
        status, _, body = self.ask("/health", within=within)
        return status, json.loads(body)

    def socket(self, said: bytes = b"") -> socket.socket:
        """A connection that takes little at a time."""
        made = socket.socket()
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        made.settimeout(60)
        made.connect(self.place)
        made.sendall(said)
        return made

    def until_answers(self) -> None:
        """It has a place for one who asks."""
        until(self._answers, self.log.read_text, pause=0.1)

    def _answers(self) -> bool:
        try:
            return self.health()[0] == 200
        except (OSError, ValueError):
            return False

    def until_well(self) -> None:
        """Its worker lives too."""
        until(lambda: self.health()[1]["status"] == "ok", self.log.read_text, pause=0.1)


def request(path: str, token: str | None = None, *, method: str = "GET") -> bytes:
    known = f"Authorization: Bearer {token}\r\n" if token else ""
    return f"{method} {path} HTTP/1.1\r\nHost: hub\r\n{known}\r\n".encode()


def head_of(connection: socket.socket) -> str:
    """The status line and the headers of an answer, and not a byte more."""
    said = b""
    while not said.endswith(b"\r\n\r\n"):
        more = connection.recv(1)
        if not more:
            raise ConnectionError(f"it ended after {said!r}")
        said += more
    return said.decode()


def until_over(connection: socket.socket, within: float = 30) -> bytes:
    """What still comes before the hub ends the connection; TimeoutError: it does not."""
    connection.settimeout(within)
    said = b""
    try:
        while more := connection.recv(65536):
            said += more
    except ConnectionError:
        pass
    return said


@contextmanager
def hub_process(
    settings: Settings, log: Path, *verb: str, files: tuple[int, int] | None = None, **more: str
) -> Iterator[HubProcess]:
    """`bascule up` over the settings' database; `files`: its limits of open files."""
    outside = ("BASCULE_", "POSTGRES_URL", "CONNECTORS_SERVICE_PORT", "PG")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(outside)}
    assert settings.database_url and settings.secret_key
    ours = {
        "BASCULE_DATABASE_URL": settings.database_url.get_secret_value(),
        # A good one, which a hub behind a proxy has to have; what tests made is read by theirs.
        "BASCULE_SECRET_KEY": "a key of thirty characters and more",
        "BASCULE_SECRET_KEY_PREVIOUS": settings.secret_key.get_secret_value(),
        "BASCULE_DATA_DIR": str(settings.data_dir),
    }

    def limited() -> None:
        if files is not None:
            resource.setrlimit(resource.RLIMIT_NOFILE, files)

    with log.open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "bascule", *(verb or ("up",)), "--port", "0", "--json"],
            env={**kept, **ours, **more},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            preexec_fn=limited,  # noqa: PLW1509
        )
    try:
        told = _document(process, log)
        assert "url" in told, (told, log.read_text())
        yield HubProcess(told["url"], log, process)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _document(process: "subprocess.Popen[str]", log: Path) -> Any:
    text = ""
    assert process.stdout is not None
    while line := process.stdout.readline():
        text += line
        try:
            return json.loads(text)
        except json.JSONDecodeError:
            continue
    raise AssertionError(text + log.read_text())
