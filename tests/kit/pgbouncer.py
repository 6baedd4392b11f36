"""PgBouncer before a test's database. Debian's package; its defaults but for where it listens."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from tests.kit.waiting import until

PROGRAM = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


@contextmanager
def pooled(url: str, **settings: str) -> Iterator[str]:
    """The address of that database through a pooler with these settings of its own."""
    if PROGRAM is None:
        pytest.skip("NOT TESTED: this machine has no pgbouncer (tests/get_pgbouncer.sh)")
    to = conninfo_to_dict(url)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = Path(tempfile.mkdtemp(prefix="bouncer-", dir="/tmp"))
    # An embedded server's socket is closed to other users; it listens on loopback as well.
    host = "127.0.0.1" if str(to["host"]).startswith("/") else to["host"]
    place = f"host={host} port={to.get('port', 5432)}"
    said = {"listen_addr": "127.0.0.1", "listen_port": str(port), "unix_socket_dir": "", **settings}
    said |= {"auth_type": "plain", "auth_file": str(folder / "users")}
    lines = ["[databases]", f"{to['dbname']} = {place}", "[pgbouncer]"]
    lines += [f"{name} = {value}" for name, value in said.items()]
    (folder / "pgbouncer.ini").write_text("\n".join(lines) + "\n")
    (folder / "users").write_text(f'"{to["user"]}" "{to.get("password", "")}"\n')
    folder.chmod(0o755)
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [PROGRAM, folder / "pgbouncer.ini"], stdout=log, stderr=log, **_not_as_root()
        )
    through = f"postgresql://{to['user']}:{to.get('password', '')}@127.0.0.1:{port}/{to['dbname']}"
    try:
        _wait_for(through, process, folder / "log")
        yield through
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(folder)


def _not_as_root() -> dict[str, Any]:
    """PgBouncer refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _wait_for(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    def answers() -> bool:
        try:
            psycopg.connect(url).close()
        except psycopg.OperationalError:
            assert process.poll() is None, log.read_text()
            return False
        return True

    until(answers, log.read_text)
