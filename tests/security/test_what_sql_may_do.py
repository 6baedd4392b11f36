"""Attacks of whoever is let write SQL: `bascule psql`, a BI tool, a model. And the hub's own role.

One embedded cluster, made as Bascule 0.1 made it: the role `bascule` was its superuser and owned
everything. The first start of this version has to bring that over.
"""

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from bascule.store.data_dir import kept_secret, open_folder
from bascule.store.embedded import cluster
from bascule.store.embedded.binaries import binary
from bascule.store.embedded.server import EmbeddedServer
from bascule.store.migrate import migrate
from bascule.store.vault import Vault
from tests.kit.database import on_database, remove, run
from tests.kit.waiting import until

ROOT = Path(__file__).parents[2]

OLD = """
CREATE SCHEMA shop;
CREATE TABLE shop.item (name text PRIMARY KEY, number bigserial, rate numeric(21, 9));
INSERT INTO shop.item (name, rate) VALUES ('SKU-1', 5);
CREATE VIEW shop.stock AS SELECT name, rate FROM shop.item;
CREATE FUNCTION shop.twice(numeric) RETURNS numeric LANGUAGE sql AS 'SELECT $1 * 2';
CREATE TYPE shop.state AS ENUM ('in', 'out');
CREATE DOMAIN shop.sku AS text CHECK (value <> '');
CREATE SEQUENCE shop.counter;
CREATE MATERIALIZED VIEW shop.kept AS SELECT * FROM shop.item;
CREATE ROLE metabase LOGIN PASSWORD 'of a person';
ALTER DEFAULT PRIVILEGES IN SCHEMA shop GRANT SELECT ON TABLES TO metabase;
GRANT USAGE ON SCHEMA shop TO metabase;
GRANT SELECT ON shop.item TO metabase;
CREATE TABLE shop.of_a_person (secret text);
ALTER TABLE shop.of_a_person OWNER TO metabase;
INSERT INTO bascule.connections (id, name, slug, api_url, api_key_encrypted, api_secret_encrypted)
VALUES (gen_random_uuid(), 'Shop', 'shop', 'http://127.0.0.1:9', 'x', 'x');
"""

ATTACKS = {
    "run a program": "COPY (SELECT 1) TO PROGRAM 'touch /tmp/bascule-was-here'",
    "write a file": "COPY (SELECT 1) TO '/tmp/bascule-was-here'",
    "read a file": "SELECT pg_read_file('/etc/passwd')",
    "list a folder": "SELECT pg_ls_dir('/')",
    "import a file": "SELECT lo_import('/etc/passwd')",
    "make a large object": "SELECT lo_create(0)",
    "become the hub": "SET ROLE bascule",
    "become the superuser": "SET SESSION AUTHORIZATION bascule_admin",
    "become a reader of files": "SET ROLE pg_read_server_files",
    "give itself rights": "ALTER ROLE bascule_reader SUPERUSER",
    "make a role": "CREATE ROLE another SUPERUSER",
    "read people": "SELECT * FROM bascule.users",
    "read the sites' secrets": "SELECT api_secret_encrypted FROM bascule.connections",
    "read the queue": "SELECT * FROM bascule_jobs.procrastinate_jobs",
    "read passwords": "SELECT rolpassword FROM pg_authid",
    "change a mirror": "UPDATE shop.item SET rate = 0",
    "empty a mirror": "TRUNCATE shop.item",
    "move a sequence": "SELECT nextval('shop.counter')",
    "lock a mirror": "BEGIN; LOCK TABLE shop.item IN ACCESS EXCLUSIVE MODE",
    "take the hub's locks": "SELECT pg_advisory_lock(1650553699)",
    "make a table": "CREATE TABLE public.mine (id int)",
    "make a table in a mirror": "CREATE TABLE shop.mine (id int)",
    "make a temporary table": "CREATE TEMP TABLE mine (id int)",
    "make a schema": "CREATE SCHEMA mine",
    "make a function": "CREATE FUNCTION public.f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "load an extension": "CREATE EXTENSION vector",
    "change the server": "ALTER SYSTEM SET archive_command = 'touch /tmp/bascule-was-here'",
    "end the hub's sessions": "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE usename = 'bascule_admin' OR backend_type = 'checkpointer'",
}
OF_THE_HUB = (
    "run a program",
    "write a file",
    "read a file",
    "list a folder",
    "import a file",
    "become the superuser",
    "become a reader of files",
    "give itself rights",
    "make a role",
    "read passwords",
    "change the server",
)


@dataclass
class Place:
    data: Path
    server: EmbeddedServer
    old_url: str  # as a person wrote it down in the days of 0.1


@contextmanager
def _as_of_0_1(data: Path) -> Iterator[EmbeddedServer]:
    """The server with one role, the superuser `bascule`, whose password is postgres.password."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bascule.store.embedded.cluster.ADMIN", "bascule")
        patch.setattr("bascule.store.embedded.server.arrange", lambda *_: None)
        server = EmbeddedServer.join(data)
    try:
        yield server
    finally:
        server.leave()
        until(lambda: not server.is_kept())


@pytest.fixture(scope="module")
def old() -> Iterator[Path]:
    """The data folder of a hub of 0.1, which is not running."""
    folder = Path(tempfile.mkdtemp(prefix="bascule-", dir="/tmp"))
    folder.chmod(0o711)
    data = open_folder(folder / "data")
    kept_secret(data / cluster.PASSWORDS["bascule"], lambda: "of-0.1")
    with _as_of_0_1(data) as server:
        run(server.admin_url(role="bascule"), "CREATE DATABASE bascule")
        url = server.admin_url("bascule", role="bascule")
        migrate(url, Vault("a key for tests").encrypt)
        run(url, OLD)
    (data / "postgres.log.1").write_text("an old log")
    (data / "postgres.log.1").chmod(0o644)
    yield data
    remove(data)


@pytest.fixture(scope="module")
def place(old: Path) -> Iterator[Place]:
    """Brought over by two starts at once, after two that were killed on the way."""
    for nth in (4, 12):
        assert _start(old, killed_at=nth).wait() == 9
    starts = [_start(old), _start(old)]
    assert [start.wait() for start in starts] == [0, 0]
    server = EmbeddedServer.join(old)
    try:
        yield Place(old, server, server.url)
    finally:
        server.leave()


_START = """
import os, sys
from pathlib import Path
import psycopg
from bascule.store.embedded.server import EmbeddedServer

data, dies_at = Path(sys.argv[1]), int(sys.argv[2])
execute, said = psycopg.Connection.execute, []
def counted(self, query, *more, **options):
    text = query if isinstance(query, str) else str(query)
    if "ALTER" in text or "CREATE" in text or "REVOKE" in text:
        said.append(text)
        if len(said) == dies_at:
            os._exit(9)
    return execute(self, query, *more, **options)
psycopg.Connection.execute = counted
EmbeddedServer.join(data).leave()
"""


def _start(data: Path, killed_at: int = 0) -> "subprocess.Popen[bytes]":
    """Under the most careless umask, as everything that this file starts."""
    return subprocess.Popen([sys.executable, "-c", _START, str(data), str(killed_at)], umask=0)


def _asked(url: str, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute("SET default_transaction_read_only = off")  # anybody may
        return conn.execute(statement.encode()).fetchall()


def _environment(settings: dict[str, str]) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("BASCULE_", "PG"))}
    return {**kept, "BASCULE_SECRET_KEY": "a key for tests", **settings}


def _bascule(settings: dict[str, str], *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "bascule", *arguments],
        env=_environment(settings),
        capture_output=True,
        text=True,
        check=False,
    )


def _psql(place: Place, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return _bascule({"BASCULE_DATA_DIR": str(place.data)}, "psql", *arguments)


@pytest.fixture(scope="module")
def reader(place: Place) -> str:
    """The address of the reader, after the command that lets it in to what was there before."""
    said = _psql(place, "--connection", "shop", "-Atc", "SELECT name FROM stock")
    assert (said.returncode, said.stdout) == (0, "SKU-1\n"), said.stderr
    return place.server.reader_url


@pytest.mark.parametrize("attack", ATTACKS)
def test_sql_of_a_reader_gets_nowhere(reader: str, attack: str) -> None:
    with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.UndefinedFile)):
        _asked(reader, ATTACKS[attack])
    assert not Path("/tmp/bascule-was-here").exists()


@pytest.mark.parametrize("attack", OF_THE_HUB)
def test_sql_of_the_hub_itself_does_not_leave_its_database(place: Place, attack: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        _asked(place.server.url, ATTACKS[attack])
    assert not Path("/tmp/bascule-was-here").exists()


def test_psql_is_the_reader_and_says_what_it_may_not(place: Place, reader: str) -> None:
    said = _psql(place, "-Atc", "SELECT current_user", "-c", ATTACKS["run a program"])
    assert said.stdout == "bascule_reader\n"
    assert "permission denied to COPY to or from an external program" in said.stderr


def test_the_reader_enters_one_database(reader: str) -> None:
    for other in ("postgres", "template1"):
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            psycopg.connect(reader.replace("/bascule?", f"/{other}?"))


def test_what_the_hub_makes_later_can_be_read_too(place: Place, reader: str) -> None:
    run(
        place.server.url,
        "CREATE TABLE shop.later (name text); CREATE VIEW shop.seen AS TABLE shop.later",
    )
    assert _asked(reader, "SELECT * FROM shop.later, shop.seen") == []
    person = place.server.url.replace(
        place.old_url.split("@")[0], "postgresql://metabase:of%20a%20person"
    )
    assert _asked(person, "SELECT * FROM shop.later") == []  # as the old superuser had granted


def test_what_is_a_persons_own_in_a_mirrors_schema_stays_theirs(reader: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="of_a_person"):
        _asked(reader, "SELECT * FROM shop.of_a_person")


def test_an_old_cluster_is_the_hubs_and_its_url_is_what_it_was(place: Place) -> None:
    assert ":of-0.1@" in place.old_url
    [(superusers, mine)] = _asked(
        place.old_url,
        "SELECT array_agg(rolname::text) FILTER (WHERE rolsuper),"
        " bool_or(rolname = current_user AND (rolsuper OR rolcreaterole OR rolcreatedb"
        " OR rolreplication OR rolbypassrls)) FROM pg_roles",
    )
    assert (superusers, mine) == (["bascule_admin"], False)
    owners = """
        SELECT 'relation', relname::text FROM pg_class WHERE oid >= 16384 AND relowner = 10
           AND relnamespace <> 'pg_toast'::regnamespace
        UNION ALL SELECT 'routine', proname::text FROM pg_proc WHERE oid >= 16384 AND proowner = 10
        UNION ALL SELECT 'type', typname::text FROM pg_type WHERE oid >= 16384 AND typowner = 10
        UNION ALL SELECT 'schema', nspname::text FROM pg_namespace
                   WHERE oid >= 16384 AND nspowner = 10"""
    assert _asked(place.old_url, owners) == []
    assert _asked(place.old_url, "UPDATE shop.item SET rate = 6 RETURNING number") == [(1,)]


def test_the_superusers_password_is_new(place: Place) -> None:
    for name in ("bascule_admin", "postgres"):
        with pytest.raises(psycopg.OperationalError, match="authentication failed"):
            psycopg.connect(place.old_url.replace("//bascule:", f"//{name}:"))


def test_a_start_that_finds_all_arranged_asks_nothing(place: Place) -> None:
    before = (place.data / "postgres.arranged").stat().st_mtime_ns
    assert _start(place.data, killed_at=1).wait() == 0
    assert (place.data / "postgres.arranged").stat().st_mtime_ns == before
    assert json.loads((place.data / "postgres.json").read_text())["state"] == "ready"


def test_files_in_the_data_folder_are_the_hubs_alone(place: Place) -> None:
    """Under a umask that opens everything, with a log that an earlier version left open."""
    log = place.data / "postgres.log.1"
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    up = subprocess.Popen(
        [sys.executable, "-m", "bascule", "up", "--port", "0", "--json"],
        env=_environment({"BASCULE_DATA_DIR": str(place.data)}),
        stdout=subprocess.PIPE,
        umask=0,
    )
    try:
        assert up.stdout is not None
        said = b"".join(iter(up.stdout.readline, b"}\n"))
        assert b'"worker": true' in said
        closed = {"postgres", *(path.name for path in place.data.glob("pgsql-*"))}
        modes = {
            path.name: oct(stat.S_IMODE(path.stat().st_mode))
            for path in place.data.iterdir()
            if path.name not in closed
        }
        assert {"postgres.json", "postgres.log", "postgres.admin", "postgres.reader"} <= set(modes)
        assert set(modes.values()) == {"0o600"}, modes
        assert stat.S_IMODE((place.data / "postgres").stat().st_mode) == 0o700
        assert stat.S_IMODE(place.data.stat().st_mode) in (0o700, 0o711)  # 711: as root
    finally:
        up.send_signal(signal.SIGINT)
        up.communicate()


def test_what_compose_and_the_docs_let_an_administrator_run(postgres: str) -> None:
    """Under names of its own, as roles are the whole server's."""
    name = f"of_{uuid4().hex[:12]}"
    script = (ROOT / "deploy" / "roles.sql").read_text().replace("bascule", name)
    run(postgres, f"CREATE DATABASE {name}")
    url = on_database(postgres, name)
    passwords = {"POSTGRES_PASSWORD": "the hub's", "POSTGRES_READER_PASSWORD": "the reader's"}
    program = shutil.which("psql") or binary("psql")
    try:
        subprocess.run(
            [program, "--no-psqlrc", "--quiet", "--dbname", url],
            input=script,
            text=True,
            check=True,
            env={**os.environ, **passwords},
        )
        login = conninfo_to_dict(url)
        hub = make_conninfo(url, user=name, password="the hub's")
        migrate(hub, Vault("a key for tests").encrypt)
        reader = make_conninfo(url, user=f"{name}_reader", password="the reader's")
        assert login["user"] not in (name, f"{name}_reader")
        for who, attack in ((hub, "run a program"), (reader, "make a temporary table")):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                _asked(who, ATTACKS[attack])
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            _asked(reader, ATTACKS["read people"])
    finally:
        run(postgres, f"DROP DATABASE {name} WITH (FORCE)")
        for role in (f"{name}_reader", name):
            run(postgres, f"DROP ROLE IF EXISTS {role}")


def test_psql_on_a_postgresql_of_ones_own_wants_a_reader_or_a_word(
    database_url: str, tmp_path: Path
) -> None:
    settings = {"BASCULE_DATABASE_URL": database_url, "BASCULE_DATA_DIR": str(tmp_path)}
    said = _bascule(settings, "psql", "-Atc", "SELECT 1")
    assert said.returncode == 2
    assert "BASCULE_READER_URL" in said.stderr
    assert "--as-hub" in said.stderr
    said = _bascule(settings, "psql", "--as-hub", "-Atc", "SHOW default_transaction_read_only")
    assert said.stdout == "on\n"
