"""The hub's tables, made and brought up to date at the start."""

import asyncio
import importlib
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from procrastinate.schema import SchemaManager
from sqlalchemy import NullPool, create_engine, text

import bascule
from bascule.hub import open_hub
from bascule.settings import Settings
from bascule.store import StoreError, open_database
from bascule.store.address import conninfo, libpq_url
from bascule.store.base import HUB_SCHEMA, Base
from bascule.store.migrate import MIGRATIONS, newest, upgrade
from bascule.store.session import connect_blocking
from bascule.store.vault import Vault
from tests.kit.database import on_database, run

KEY = "1f0c8e1f0c8e1f0"


@pytest.fixture
def empty(postgres: str, request: pytest.FixtureRequest) -> str:
    """The address of a database in which there is nothing."""
    name = f"empty_{uuid4().hex[:12]}"
    run(postgres, f"CREATE DATABASE {name}")
    request.addfinalizer(lambda: run(postgres, f"DROP DATABASE {name} WITH (FORCE)"))
    return on_database(postgres, name)


def settings_for(url: str) -> Settings:
    return Settings(database_url=url, secret_key="a key for tests")  # type: ignore[arg-type]


def test_the_migrated_database_has_the_tables_that_the_rooms_declare(database_url: str) -> None:
    source = Path(bascule.__file__).parents[1]
    declared = [*source.glob("bascule/*/tables.py"), *source.glob("bascule/*/*/tables.py")]
    for tables in declared:
        if "sandbox" not in tables.parts:  # whose tables are its own
            importlib.import_module(".".join(tables.relative_to(source).with_suffix("").parts))
    engine = create_engine(
        "postgresql+psycopg://",
        creator=lambda: connect_blocking(conninfo(database_url)),
        poolclass=NullPool,
    )
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "include_schemas": True,
                "include_name": lambda name, kind, _: kind != "schema" or name == HUB_SCHEMA,
                "compare_type": True,
                "compare_server_default": True,
                "version_table_schema": HUB_SCHEMA,
            },
        )
        assert compare_metadata(context, Base.metadata) == []


def test_alembic_knows_the_newest_revision_as_we_do() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_current_head() == newest()


async def test_starts_that_race_on_an_empty_database_all_succeed(empty: str) -> None:
    opened = await asyncio.gather(*[open_database(settings_for(empty)) for _ in range(4)])
    for database in opened:
        async with database.connection() as connection:
            found = await connection.execute(
                "SELECT to_regclass('bascule.runs'), to_regclass('procrastinate_jobs')"
            )
            assert await found.fetchone() == ("bascule.runs", "procrastinate_jobs")
        await database.close()


async def test_a_start_that_must_not_migrate_leaves_the_database_alone(empty: str) -> None:
    database = await open_database(settings_for(empty), migrate=False)
    await database.close()
    with psycopg.connect(empty) as connection:
        assert connection.execute("SELECT to_regnamespace('bascule')").fetchone() == (None,)


async def test_a_database_of_a_newer_version_is_not_touched(database_url: str) -> None:
    run(database_url, "UPDATE bascule.alembic_version SET version_num = '9999'")
    with pytest.raises(StoreError, match="newer Bascule") as refused:
        await open_database(settings_for(database_url))
    assert "upgrade" in refused.value.next_step.lower()


async def test_api_keys_of_an_older_version_are_encrypted_and_still_open_their_sites(
    empty: str,
) -> None:
    older_hub(empty, "001_add_integration_fields")
    run(
        empty,
        "INSERT INTO bascule.connections (id, slug, name, api_url, api_key, api_secret_encrypted)"
        f" SELECT gen_random_uuid(), 'site_' || n, 'Site', 'https://a.example', '{KEY}' || n, ''"
        " FROM generate_series(1, 3) n",
    )
    async with open_hub(settings_for(empty)) as hub, hub.db.connection() as connection:
        found = await connection.execute(
            "SELECT api_key_encrypted, api_key_ends_with FROM bascule.connections ORDER BY slug"
        )
        rows = await found.fetchall()
        everything = await connection.execute("SELECT c::text FROM bascule.connections c")
        assert KEY not in str(await everything.fetchall())
    opened = [(hub.vault.decrypt(encrypted), ends_with) for encrypted, ends_with in rows]
    assert opened == [(f"{KEY}{n}", f"{KEY}{n}"[-4:]) for n in (1, 2, 3)]


async def test_records_of_an_older_version_keep_the_keys_that_their_documents_bear(
    empty: str,
) -> None:
    older_hub(empty, "0007")
    connection_id = "c0ffee00-0000-4000-8000-000000000000"
    run(
        empty,
        "INSERT INTO bascule.connections (id, slug, name, api_url, api_key_encrypted,"
        " api_key_ends_with, api_secret_encrypted)"
        f" VALUES ('{connection_id}', 'a', 'A', 'https://a.example', '', '', '')",
    )
    run(
        empty,
        "INSERT INTO bascule.two_ways (connection_id, record_type)"
        f" VALUES ('{connection_id}', 'customer')",
    )
    run(
        empty,
        "INSERT INTO bascule.records (record_type, title)"
        " SELECT 'customer', 'Record ' || n FROM generate_series(1, 3) n",
    )
    run(
        empty,
        "INSERT INTO bascule.links (record_id, two_way_id, create_key)"
        " SELECT r.id, t.id, 'key of ' || r.title FROM bascule.records r, bascule.two_ways t"
        " WHERE r.title <> 'Record 3'",
    )
    async with open_hub(settings_for(empty)) as hub, hub.db.connection() as connection:
        found = await connection.execute("SELECT key FROM bascule.records ORDER BY title")
        first, second, alone = [key for (key,) in await found.fetchall()]
    assert (first, second) == ("key of Record 1", "key of Record 2")
    assert len(alone) == 32


async def test_a_start_that_cannot_encrypt_what_an_older_version_left_changes_nothing(
    empty: str, tmp_path: Path
) -> None:
    older_hub(empty, "001_add_integration_fields")
    settings = Settings(database_url=empty, data_dir=tmp_path)  # type: ignore[arg-type]
    (tmp_path / "secret.key").write_text("")
    with pytest.raises(StoreError, match=r"secret\.key is empty"):
        await open_database(settings)
    with psycopg.connect(empty) as connection:
        found = connection.execute("SELECT version_num FROM bascule.alembic_version").fetchone()
    assert found == ("001_add_integration_fields",)


def older_hub(url: str, revision: str) -> None:
    """The hub's tables as they were at this revision."""
    engine = create_engine(
        "postgresql+psycopg://",
        creator=lambda: connect_blocking(conninfo(url)),
        poolclass=NullPool,
    )
    with engine.begin() as connection:
        connection.execute(text(f"CREATE SCHEMA {HUB_SCHEMA}"))
        upgrade(connection, Vault("a key for tests").encrypt, revision)


async def test_a_queue_of_an_older_release_is_brought_up_to_date(database_url: str) -> None:
    folder = Path(SchemaManager.get_migrations_path())
    older = [path for path in sorted(folder.glob("*.sql")) if path.name < "03.00"]
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA bascule_jobs CASCADE")
        connection.execute("CREATE SCHEMA bascule_jobs")
        connection.execute("SET search_path = bascule_jobs")
        for path in older:
            connection.execute(path.read_bytes())
        connection.execute(f"COMMENT ON SCHEMA bascule_jobs IS '{older[-1].name}'".encode())
    async with open_hub(settings_for(database_url)) as hub:
        assert await hub.jobs.defer("x", lock="a") is not None
    async with open_hub(settings_for(database_url)) as hub, hub.db.connection() as connection:
        found = await connection.execute("SELECT to_regproc('procrastinate_retry_job_v2')")
        assert await found.fetchone() == ("procrastinate_retry_job_v2",)


async def test_a_user_who_may_make_no_schema_is_told_what_to_grant(
    postgres: str, empty: str
) -> None:
    run(postgres, "DROP ROLE IF EXISTS modest")
    run(postgres, "CREATE ROLE modest LOGIN PASSWORD 'quiet'")
    where = libpq_url(empty).partition("@")[2]
    try:
        with pytest.raises(StoreError) as refused:
            await open_database(settings_for(f"postgresql://modest:quiet@{where}"))
        assert "GRANT CREATE ON DATABASE" in refused.value.next_step
    finally:
        run(postgres, "DROP ROLE modest")
