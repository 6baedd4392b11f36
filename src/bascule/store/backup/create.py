"""A backup of the embedded PostgreSQL, while hubs and workers go on: one consistent dump, and what
tells whether it fits where it is restored.
"""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from bascule import __version__
from bascule.settings import Settings
from bascule.store.backup.archive import COPIED, FORMAT, Manifest, Writing, writing
from bascule.store.backup.pg_programs import program
from bascule.store.embedded.cluster import CLUSTER, DATABASE
from bascule.store.embedded.server import EmbeddedServer
from bascule.store.errors import CannotBackUp
from bascule.store.vault import fingerprint, keys_there

# (what is done now, how many tables of how many, bytes so far)
Say = Callable[[str, int, int, int], None]

COUNTED = """
SELECT (SELECT version_num FROM bascule.alembic_version),
       current_setting('server_version_num')::int / 10000,
       pg_database_size(current_database()),
       (SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relkind = 'r' AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'),
       (SELECT count(*) FROM bascule.connections),
       (SELECT count(*) FROM bascule.records),
       (SELECT count(*) FROM bascule.users)"""


@dataclass(frozen=True, slots=True)
class Counted:
    """What is in a hub's database; sizes in bytes."""

    revision: str
    postgresql: int
    database_bytes: int
    tables: int
    connections: int
    records: int
    people: int


def counted(url: str) -> Counted | None:
    """None: no hub has ever begun in it."""
    with psycopg.connect(url) as conn:
        try:
            row = conn.execute(COUNTED).fetchone()
        except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
            return None
    assert row is not None  # noqa: S101
    return Counted(*row) if row[0] is not None else None


def back_up(
    settings: Settings, path: Path, *, with_key: bool, overwrite: bool, say: Say
) -> Manifest:
    """Writes the file; blocks. CannotBackUp, CannotStart: why not. A hub may run meanwhile."""
    data = settings.data_dir.expanduser().absolute()
    keys = keys_there(settings)
    if not (data / CLUSTER).is_dir() or not keys:
        raise CannotBackUp(
            f"No hub has begun in {data}: there is nothing to back up.",
            next_step="Name the hub's folder in BASCULE_DATA_DIR, as it is when the hub runs.",
        )
    say("Starting", 0, 0, 0)
    with contextlib.ExitStack() as left, writing(path, overwrite=overwrite) as file:
        server = EmbeddedServer.join(data)
        left.callback(server.leave)
        url = server.admin_url(DATABASE)  # who reads everything, also what a person made there
        found = counted(url)
        if found is None:
            raise CannotBackUp(
                f"The database in {data} holds no hub: there is nothing to back up.",
                next_step="Start the hub once with 'bascule up'.",
            )
        made_at = datetime.now(UTC)
        _dump(url, file, found.tables, say)
        if keys_there(settings) != keys:
            raise CannotBackUp(
                "The secret key was changed while the backup was made.",
                next_step="Run it again once 'bascule rotate-key' has ended.",
            )
        if with_key:
            file.keys(keys)

        manifest = Manifest(
            format=FORMAT,
            version=__version__,
            revision=found.revision,
            postgresql=found.postgresql,
            made_at=made_at.isoformat(timespec="seconds"),
            database_bytes=found.database_bytes,
            tables=found.tables,
            connections=found.connections,
            records=found.records,
            people=found.people,
            fingerprints=tuple(fingerprint(key) for key in keys),
            with_key=with_key,
        )
        file.manifest(manifest)
    return manifest


def _dump(url: str, file: Writing, tables: int, say: Say) -> None:
    wanted = ("--format=custom", "--compress=gzip:4", "--no-owner", "--no-privileges")
    with program("pg_dump", url, *wanted) as dumping, file.dump() as member:
        written = 0
        while part := dumping.out.read(COPIED):
            member.write(part)
            written += len(part)
            say("Dumping", dumping.tables, tables, written)
    if dumping.process.returncode != 0:
        raise CannotBackUp(
            f"pg_dump did not get through: {dumping.reason}",
            next_step="If it lacks locks, raise max_locks_per_transaction in postgresql.conf in "
            "the data folder's postgres and restart the hub; else read postgres.log there.",
        )
