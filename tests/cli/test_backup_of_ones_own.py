"""A PostgreSQL of one's own: the commands of docs/backup.md, typed as they stand there."""

import os
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg

from bascule.store.embedded.binaries import binary
from tests.kit.command import Bascule, way_in
from tests.kit.database import FreshSettings

GUIDE = Path(__file__).parents[2] / "docs" / "backup.md"


def documented(program: str, dump: str) -> str:
    """The guide's one command of this program, for a file of this name."""
    lines = [line[2:] for line in GUIDE.read_text().splitlines() if line.startswith("$ ")]
    [command] = [part for line in lines for part in line.split(" && ") if part.startswith(program)]
    return command.replace("hub.dump", shlex.quote(dump))


def typed(command: str, url: str) -> None:
    path = f"{binary('pg_dump').parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "BASCULE_DATABASE_URL": url}
    done = subprocess.run(
        ["sh", "-c", command], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stderr}"


def identity(url: str) -> Any:
    with psycopg.connect(url) as conn:
        return conn.execute("SELECT identity FROM bascule.database_identity").fetchone()


def test_a_dump_restored_into_another_database_goes_on_there(
    make_bascule: Callable[..., Bascule], site: Any, fresh_settings: FreshSettings, tmp_path: Path
) -> None:
    with fresh_settings() as here, fresh_settings() as there:
        assert here.database_url is not None and there.database_url is not None
        old, new = here.database_url.get_secret_value(), there.database_url.get_secret_value()
        first = make_bascule(BASCULE_DATABASE_URL=old)
        connected = first(
            *("connect", "--name", "Shop", "--slug", "shop", "--schedule", "daily", "--json"),
            **way_in(site),
        )
        assert connected.code == 0, connected
        told = first("status", "--json").json
        dump = str(tmp_path / "hub.dump")
        typed(documented("pg_dump", dump), old)
        with psycopg.connect(new, autocommit=True) as conn:
            for schema in ("bascule", "bascule_jobs"):
                conn.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE".encode())
        typed(documented("pg_restore", dump), new)

        elsewhere = make_bascule(BASCULE_DATABASE_URL=new)
        refused = elsewhere("sync", "shop", "--quiet")
        assert refused.code != 0
        assert "key" in refused.err  # the secret key is not in a dump
        (elsewhere.data_dir / "secret.key").write_text((first.data_dir / "secret.key").read_text())
        synced = elsewhere("sync", "shop", "--quiet")
        assert synced.code == 0, synced
        assert elsewhere("verify", "shop", "--json").code == 0
        rows = [one["records"] for one in elsewhere("status", "--json").json["connectors"]]
        assert rows == [one["records"] for one in told["connectors"]]
        assert identity(old) != identity(new)  # it noticed that it was restored
