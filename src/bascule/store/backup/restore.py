"""A backup into the embedded PostgreSQL of a data folder, on this machine or another.

It is restored beside what is there, brought to this version and put right, and takes its name in
one transaction at the end: a restore that fails or is killed leaves what was there before.
"""

import asyncio
import contextlib
import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg.sql import SQL, Identifier

from bascule.settings import Settings
from bascule.store.address import conninfo
from bascule.store.backup.archive import Backup
from bascule.store.backup.create import Counted, Say, counted
from bascule.store.backup.pg_programs import program
from bascule.store.data_dir import kept_secret, open_folder, replace_secret
from bascule.store.embedded import supervisor
from bascule.store.embedded.cluster import CLUSTER, DATABASE, ROLE
from bascule.store.embedded.server import ARRANGED, EmbeddedServer
from bascule.store.errors import CannotRestore
from bascule.store.identity import recognise
from bascule.store.migrate import migrate_database, revisions
from bascule.store.session import READER, connect
from bascule.store.vault import KEY_FILE, fingerprint, keys_there

STAGED = f"{DATABASE}_restored"
BEFORE = f"{DATABASE}_before"
ROOM = 1.2  # times what the database took: indexes are made anew, and WAL is written
STOPPING = 15.0  # seconds that a server may take to stop after its last user


@dataclass(frozen=True, slots=True)
class Fits:
    """What a restore would do. `replaces`: what is in the folder today; None: nothing of a hub.
    `brings_key`: the backup's keys go into the folder.
    """

    data: Path
    replaces: Counted | None
    brings_key: bool


def look(settings: Settings, backup: Backup) -> Fits:
    """Whether it fits here; nothing is changed, but that a server may be started for a moment.
    CannotRestore: why not.
    """
    data = open_folder(settings.data_dir)
    _refuse_newer(backup)
    brings_key = _fitting_key(settings, backup, data)
    _refuse_little_room(data, backup)
    with _alone(data):
        pass
    if not (data / CLUSTER).is_dir():
        return Fits(data, None, brings_key)
    server = EmbeddedServer.join(data)
    try:
        return Fits(data, counted(server.admin_url(DATABASE)), brings_key)
    finally:
        server.leave()


def restore(settings: Settings, backup: Backup, fits: Fits, say: Say) -> Counted:
    """Does it; blocks. What is there now. CannotRestore: it did not get done, and what was in the
    folder before is there still. Rooms have to be loaded: they put right what is theirs.
    """
    with _alone(fits.data):
        pass
    say("Starting", 0, 0, 0)
    server = EmbeddedServer.join(fits.data)
    try:
        _make_staged(server)
        try:
            _fill(server, backup, say)
            with _keys_of(backup, fits):
                say("Bringing it to this version", 0, 0, 0)
                asyncio.run(_put_right(settings, server.admin_url(STAGED, ROLE)))
                _swap(server)
        except BaseException:
            _drop(server, STAGED)
            raise
        # The functions that only the hub may call are a database's own: they are arranged again.
        (fits.data / ARRANGED).unlink(missing_ok=True)
        server.ensure()
        found = counted(server.admin_url(DATABASE))
        assert found is not None  # noqa: S101 - it was filled just now
        return found
    finally:
        server.leave()


def _refuse_newer(backup: Backup) -> None:
    if backup.manifest.revision not in revisions():
        raise CannotRestore(
            f"The backup was made by a newer Bascule ({backup.manifest.version}, revision "
            f"{backup.manifest.revision}).",
            next_step="Upgrade this one: pip install --upgrade bascule.",
        )


def _fitting_key(settings: Settings, backup: Backup, data: Path) -> bool:
    """Whether the backup's own keys have to come into the folder."""
    wanted = set(backup.manifest.fingerprints)
    there = {fingerprint(key) for key in keys_there(settings)}
    if wanted <= there:
        return False
    needed = ", ".join(backup.manifest.fingerprints)
    if settings.secret_key is not None:
        raise CannotRestore(
            f"BASCULE_SECRET_KEY is not the key of this backup, whose fingerprint is {needed}.",
            next_step="Set it to the key that the hub had when the backup was made, or unset it "
            "where the backup brings its key.",
        )
    if backup.keys:
        return True
    raise CannotRestore(
        f"The backup was made without its secret key, and {data} "
        f"{'has another one' if there else 'has none'}; the fingerprint of the key is {needed}.",
        next_step=f"Put that key into {data / KEY_FILE} (mode 600) or in BASCULE_SECRET_KEY. "
        "Without it the stored credentials are lost.",
    )


def _refuse_little_room(data: Path, backup: Backup) -> None:
    free = shutil.disk_usage(data).free
    needed = int(backup.manifest.database_bytes * ROOM)
    if free < needed:
        raise CannotRestore(
            f"The disk of {data} has {free / 1e9:.1f} GB free; the restore takes {needed / 1e9:.1f}"
            " GB.",
            next_step="Free some space, or name a folder on another disk in BASCULE_DATA_DIR.",
        )


@contextlib.contextmanager
def _alone(data: Path) -> Iterator[None]:
    """Nobody uses the folder's server; one that stops just now is waited for."""
    descriptor = os.open(data / supervisor.USERS, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    until = time.monotonic() + STOPPING
    try:
        while not _locked(descriptor, fcntl.LOCK_EX):
            # Those who use it share the lock; a server that is being stopped shares it with nobody.
            if _locked(descriptor, fcntl.LOCK_SH) or time.monotonic() > until:
                raise _in_use(data)
            time.sleep(0.1)
        yield
    finally:
        os.close(descriptor)


def _locked(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _in_use(data: Path) -> CannotRestore:
    return CannotRestore(
        f"A hub, a worker or another command uses {data}.",
        next_step="Stop it (Ctrl-C, or your service manager), and run this again.",
    )


def _make_staged(server: EmbeddedServer) -> None:
    """Empty; as closed as `bascule.store.embedded.roles` keeps the hub's own database."""
    _drop(server, STAGED)
    with psycopg.connect(server.admin_url(), autocommit=True) as conn:
        there = conn.execute("SELECT FROM pg_database WHERE datname = %s", [BEFORE]).fetchone()
        if there:  # the last restore was killed when it had all done but this
            conn.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(BEFORE)))
        names = {"database": Identifier(STAGED), "reader": Identifier(READER)}
        conn.execute(
            SQL("CREATE DATABASE {database} OWNER {owner} TEMPLATE template0").format(
                owner=Identifier(ROLE), **names
            )
        )
        conn.execute(SQL("REVOKE ALL ON DATABASE {database} FROM PUBLIC").format(**names))
        conn.execute(SQL("GRANT CONNECT ON DATABASE {database} TO {reader}").format(**names))


def _fill(server: EmbeddedServer, backup: Backup, say: Say) -> None:
    """As the hub's role, so that all of it is the hub's."""
    wanted = ("--no-owner", "--no-privileges", "--exit-on-error", f"--dbname={STAGED}")
    tables, read = backup.manifest.tables, 0
    restoring = program("pg_restore", server.admin_url(STAGED, ROLE), *wanted, reads=True)
    with restoring as filling, contextlib.suppress(BrokenPipeError):  # it ended, and says why
        for part in backup.copy_dump(filling.into):
            read += part
            say("Restoring", filling.tables, tables, read)
        filling.into.close()
        while filling.process.poll() is None:  # keys and indexes come last
            say("Making indexes", filling.tables, tables, read)
            time.sleep(0.2)
    if filling.process.returncode != 0:
        raise CannotRestore(
            f"pg_restore did not get through: {filling.reason}",
            next_step=f"Read {server.data / supervisor.LOG}; "
            "what was in the folder before is there still.",
        )


@contextlib.contextmanager
def _keys_of(backup: Backup, fits: Fits) -> Iterator[None]:
    """Where the backup brings its keys they are the folder's afterwards; until then those of the
    folder open things too, and they are back alone where the block fails.
    """
    path = fits.data / KEY_FILE
    before = path.read_text().split() if path.exists() else []
    if not fits.brings_key:
        yield
        return
    both = "\n".join(dict.fromkeys([*backup.keys, *before]))
    if kept_secret(path, lambda: both) != both:
        replace_secret(path, both)
    try:
        yield
    except BaseException:
        if before:
            replace_secret(path, "\n".join(before))
        else:
            path.unlink()
        raise
    replace_secret(path, "\n".join(backup.keys))


async def _put_right(settings: Settings, url: str) -> None:
    await migrate_database(conninfo(url), settings)
    async with await connect(conninfo(url)) as conn:
        await recognise(conn, restored=True)


def _swap(server: EmbeddedServer) -> None:
    names = {
        "now": Identifier(DATABASE),
        "before": Identifier(BEFORE),
        "staged": Identifier(STAGED),
    }
    try:
        with psycopg.connect(server.admin_url()) as conn:
            conn.execute(SQL("ALTER DATABASE {now} RENAME TO {before}").format(**names))
            conn.execute(SQL("ALTER DATABASE {staged} RENAME TO {now}").format(**names))
    except psycopg.errors.ObjectInUse as error:
        raise _in_use(server.data) from error
    _drop(server, BEFORE)


def _drop(server: EmbeddedServer, name: str) -> None:
    with psycopg.connect(server.admin_url(), autocommit=True) as conn:
        conn.execute(SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(Identifier(name)))
