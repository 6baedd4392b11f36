"""The embedded cluster's files: made once, by initdb.

Running it is the supervisor's.
"""

import os
import secrets
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from bascule.store.data_dir import kept_secret
from bascule.store.embedded.account import Account, first_closed
from bascule.store.embedded.binaries import MAJOR
from bascule.store.embedded.supervisor import environment, write_private
from bascule.store.errors import CannotStart, WrongVersion
from bascule.store.session import READER

ADMIN = "bascule_admin"  # the superuser; see `bascule.store.embedded.roles`
ROLE = "bascule"  # the hub's own
DATABASE = "bascule"
CLUSTER = "postgres"
ENDING = 5.0  # seconds that an initdb may take to notice that its folder is gone
PASSWORDS = {  # the files that hold them
    ADMIN: "postgres.admin",
    ROLE: "postgres.password",
    READER: "postgres.reader",
}

# A mirror writes much at once and is read by few. initdb puts these into postgresql.conf, where a
# person may change them; what has to be right at each start is on the supervisor's command line.
SETTINGS = {
    "max_connections": "200",
    "shared_buffers": "128MB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "4GB",
    "wal_compression": "on",
    "checkpoint_timeout": "15min",
    "random_page_cost": "1.1",
    "jit": "off",
    "password_encryption": "scram-sha-256",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
}


def password_of(data: Path, role: str) -> str:
    return kept_secret(data / PASSWORDS[role], lambda: secrets.token_urlsafe(24))


def make_cluster(data: Path, programs: Path, account: Account) -> Path:
    """The cluster's folder; initdb if there is none yet. A killed initdb leaves nothing behind."""
    cluster = data / CLUSTER
    if not account.is_us:
        refuse_closed(cluster, account)
    if cluster.is_dir():
        check_version(cluster)
    else:
        with tempfile.TemporaryDirectory(dir=data, prefix="initdb-") as folder:
            _initdb(Path(folder), programs, account, password_of(data, ADMIN))
            (Path(folder) / "new").rename(cluster)
    return cluster


def _initdb(folder: Path, programs: Path, account: Account, password: str) -> None:
    """SCRAM for everybody. Text sorts by code point, on every system alike."""
    pwfile = folder / "password"
    write_private(pwfile, password.encode())
    if not account.is_us:
        for path in (pwfile, folder):  # in this order: we write nothing into a folder of others
            os.chown(path, account.user, account.group)
    command: list[str | Path] = [programs / "initdb", "-D", folder / "new", "-U", ADMIN]
    command += [f"--pwfile={pwfile}", "--auth=scram-sha-256", "--encoding=UTF8", "--no-locale"]
    command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    command += [f"--set={name}={value}" for name, value in SETTINGS.items()]
    ran = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        env=environment(),
        **account.options,
    )
    if ran.returncode != 0:
        raise CannotStart(
            f"PostgreSQL's files cannot be made in {folder.parent}: {ran.stderr.strip()}",
            next_step="Free some disk space, or set BASCULE_DATA_DIR to another folder.",
        )


def check_version(cluster: Path) -> None:
    version = (cluster / "PG_VERSION").read_text().strip()
    if version != str(MAJOR):
        raise WrongVersion(
            f"The data folder holds a PostgreSQL {version} cluster; this Bascule brings {MAJOR}.",
            next_step=f"Dump it with the Bascule that made it (pg_dumpall) and restore it here, or "
            f"move {cluster} away: a new mirror is pulled from the sites again.",
        )


def refuse_closed(cluster: Path, account: Account) -> None:
    closed = first_closed(cluster, account)
    if closed is not None:
        raise CannotStart(
            f"PostgreSQL never runs as root, and its account '{account.name}' cannot enter "
            f"{closed}.",
            next_step="Choose another data folder with BASCULE_DATA_DIR, such as /var/lib/bascule.",
        )


def clear_leftovers(data: Path) -> None:
    """What a killed initdb or copy left. Only under the start lock, while no supervisor lives."""
    give_up = time.monotonic() + ENDING
    for pattern in ("initdb-*", "pgsql-????????"):
        for path in data.glob(pattern):
            shutil.rmtree(path, ignore_errors=True)
            while path.exists() and time.monotonic() < give_up:
                time.sleep(0.1)  # its initdb outlived who started it, and still writes
                shutil.rmtree(path, ignore_errors=True)
