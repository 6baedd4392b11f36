"""Brings a database to this version: the hub's tables with Alembic, the queue's with its own SQL.

Each runs under an advisory lock and in transactions: two starts do not race, and a killed start
leaves nothing half done. A database at this version costs one query, and does not import Alembic.
"""

import asyncio
import re
from collections.abc import Callable
from importlib import resources
from pathlib import Path

import psycopg
from psycopg import sql
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.pool import NullPool

from bascule.settings import Settings
from bascule.store.base import HUB_SCHEMA
from bascule.store.errors import StoreError, WrongVersion
from bascule.store.session import JOBS_SCHEMA, connect, connect_blocking
from bascule.store.start_steps import step
from bascule.store.vault import load_vault

MIGRATIONS = Path(__file__).parent / "migrations"
VERSIONS = "alembic_version"
LOCK = 0x6261_7363  # "basc": no other program that shares the database takes this one
_REVISION = re.compile(r'^(down_)?revision = (?:"(.+)"|None)$', re.MULTILINE)


def revisions() -> list[str]:
    """All, oldest first: each file in versions/ names the one before it."""
    after = {}
    for path in (MIGRATIONS / "versions").glob("*.py"):
        names = dict(_REVISION.findall(path.read_text()))
        after[names["down_"]] = names[""]
    found = [after[""]]
    while found[-1] in after:
        found.append(after[found[-1]])
    return found


def newest() -> str:
    return revisions()[-1]


def newest_of_queue() -> str:
    """The newest change that the installed Procrastinate knows of; its files sort by version."""
    return max(_changes_of_queue())


def _changes_of_queue() -> dict[str, str]:
    folder = resources.files("procrastinate.sql") / "migrations"
    return {f.name: f.read_text() for f in folder.iterdir() if f.name.endswith(".sql")}


async def migrate_database(conninfo: str, settings: Settings) -> None:
    if not await _is_current(conninfo):
        step("Making the hub's tables, or bringing them to this version ...")
        await asyncio.to_thread(migrate, conninfo, load_vault(settings).encrypt)


async def _is_current(conninfo: str) -> bool:
    query = sql.SQL(
        "SELECT version_num, obj_description(to_regnamespace({jobs}), 'pg_namespace') FROM {table}"
    ).format(jobs=JOBS_SCHEMA, table=sql.Identifier(HUB_SCHEMA, VERSIONS))
    try:
        async with await connect(conninfo) as connection:
            row = await (await connection.execute(query)).fetchone()
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
        return False
    known = revisions()
    if row and row[0] not in known:
        raise WrongVersion(
            f"The database was last used by a newer Bascule (revision {row[0]}).",
            next_step="Upgrade this one: pip install --upgrade bascule.",
        )
    return row is not None and (row[0], row[1]) == (known[-1], newest_of_queue())


def migrate(conninfo: str, encrypt: Callable[[str], str]) -> None:
    """Whatever version the database has; blocks. `encrypt`: what was in the clear before."""

    engine = create_engine(
        "postgresql+psycopg://", creator=lambda: connect_blocking(conninfo), poolclass=NullPool
    )
    try:
        with engine.begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
            connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {HUB_SCHEMA}"))
            upgrade(connection, encrypt)
        with connect_blocking(conninfo, autocommit=True) as raw:
            _upgrade_queue(raw)
    except Exception as error:
        cause = error.__cause__ or error
        if isinstance(cause, psycopg.errors.InsufficientPrivilege):
            raise StoreError(
                f"The database does not let its user make the hub's tables: {cause}",
                next_step="Let it: GRANT CREATE ON DATABASE ... TO the user in "
                "BASCULE_DATABASE_URL, or make that user the database's owner.",
            ) from None
        raise
    finally:
        engine.dispose()


def upgrade(connection: Connection, encrypt: Callable[[str], str], to: str = "head") -> None:
    """To a revision, in the connection's transaction."""
    # Alembic costs a third of a second, which only a start that needs it pays.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes |= {"connection": connection, "encrypt": encrypt}
    command.upgrade(config, to)


def _upgrade_queue(connection: psycopg.Connection) -> None:
    """The whole schema at first; later what is newer than the comment that the last start left.

    One transaction a change: a value that one adds to an enum can be used only after its commit.
    """
    connection.execute("SELECT pg_advisory_lock(%s)", [LOCK])
    found = connection.execute(
        "SELECT obj_description(to_regnamespace(%s), 'pg_namespace')", [JOBS_SCHEMA]
    ).fetchone()
    marked = found[0] if found else None
    changes = _changes_of_queue()
    if marked is None:
        whole = (resources.files("procrastinate.sql") / "schema.sql").read_text()
        steps = {max(changes): f"CREATE SCHEMA IF NOT EXISTS {JOBS_SCHEMA};\n{whole}"}
    else:
        steps = {name: changes[name] for name in sorted(changes) if name > marked}
    for name, change in steps.items():
        with connection.transaction():
            connection.execute(change.encode())
            connection.execute(f"COMMENT ON SCHEMA {JOBS_SCHEMA} IS '{name}'".encode())
