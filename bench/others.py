"""The same job with other tools: tap-erpnext with a PostgreSQL target, and dlt's REST source.

Their dependencies clash with each other, so each has an environment of its own, made by uv from a
pinned list beside this file and kept in bench/.tools.
"""

import hashlib
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlsplit

import psycopg

from bench.processes import CannotMeasure, last_line
from bench.rows import DOCTYPE

HERE = Path(__file__).parent
DATABASE = "others"
PAGE = 2_000  # rows; the tap's own default of 200 is slower
PATIENCE = 420.0  # seconds


def environment(name: str) -> Path:
    """The folder of its programs; made anew when its list changes."""
    listed = HERE / f"{name}.txt"
    digest = hashlib.sha256(listed.read_bytes() + sys.version.encode()).hexdigest()[:12]
    folder = HERE / ".tools" / name
    made = folder / f"made-from-{digest}"
    if made.exists():
        return folder / "bin"
    uv = shutil.which("uv") or str(HERE.parent / ".tools" / "bin" / "uv")
    shutil.rmtree(folder, ignore_errors=True)
    python = folder / "bin" / "python"
    install = ["pip", "install", "--python", str(python), "--require-hashes", "-r", str(listed)]
    for command in (["venv", "--python", sys.executable, str(folder)], install):
        try:
            ran = subprocess.run(
                [uv, "--quiet", *command], capture_output=True, text=True, check=False
            )
        except OSError as error:
            raise CannotMeasure(f"{name} cannot be installed: {error}") from error
        if ran.returncode:
            raise CannotMeasure(f"{name} cannot be installed: {last_line(ran.stderr)}")
    made.touch()
    return folder / "bin"


def tap_erpnext(url: str, database: str, folder: Path) -> list[subprocess.Popen[bytes]]:
    """The tap, piped into the target as Singer has it."""
    programs = environment("tap-erpnext")
    tap, target, to = folder / "tap.json", folder / "target.json", urlsplit(database)
    tap.write_text(
        json.dumps(
            {
                "api_url": url,
                "api_key": "bench",
                "api_secret": "bench",
                "doctypes": [DOCTYPE],
                "limit_page_length": PAGE,
            }
        )
    )
    target.write_text(
        json.dumps(
            {
                "host": to.hostname,
                "port": to.port,
                "user": to.username,
                "password": unquote(to.password or ""),
                "database": DATABASE,
                "default_target_schema": "pulled",
            }
        )
    )
    reading = subprocess.Popen(
        [programs / "tap-erpnext", "--config", tap],
        stdout=subprocess.PIPE,
        stderr=(folder / "tap-erpnext.log").open("wb"),
    )
    writing = subprocess.Popen(
        [programs / "target-postgres", "--config", target],
        stdin=reading.stdout,
        stdout=subprocess.DEVNULL,
        stderr=(folder / "target-postgres.log").open("wb"),
    )
    assert reading.stdout is not None
    reading.stdout.close()  # it is the target's now: the tap shall see when the target ends
    return [reading, writing]


def dlt(url: str, database: str, folder: Path) -> list[subprocess.Popen[bytes]]:
    programs = environment("dlt")
    order = {
        "url": url,
        "database": database,
        "folder": str(folder / "dlt"),
        "doctype": DOCTYPE,
        "schema": "pulled",
        "page": PAGE,
    }
    process = subprocess.Popen(
        [programs / "python", HERE / "dlt_pull.py"],
        stdin=subprocess.PIPE,
        stdout=(folder / "dlt.out").open("wb"),
        stderr=(folder / "dlt.log").open("wb"),
        env={"RUNTIME__DLTHUB_TELEMETRY": "false", "HOME": str(folder), "PATH": "/usr/bin:/bin"},
        cwd=folder,
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps(order).encode() + b"\n")
    process.stdin.close()
    return [process]


TOOLS: dict[str, Callable[[str, str, Path], list[subprocess.Popen[bytes]]]] = {
    "tap-erpnext": tap_erpnext,
    "dlt": dlt,
}


def seconds_with(tool: str, url: str, server_url: str, rows: int, folder: Path) -> float:
    """From the start of its process to its end, with all the rows in the database by then."""
    database = _fresh_database(server_url)
    environment(tool)
    started = time.perf_counter()
    processes = TOOLS[tool](url, database, folder)
    try:
        for process in processes:
            process.wait(max(1.0, started + PATIENCE - time.perf_counter()))
    except subprocess.TimeoutExpired:
        raise CannotMeasure(f"it took more than {PATIENCE:.0f} s") from None
    finally:
        for process in processes:
            process.kill()
            process.wait()
    taken = time.perf_counter() - started
    if any(process.returncode for process in processes):
        logs = sorted(folder.glob("*.log"), key=lambda log: log.stat().st_mtime)
        raise CannotMeasure(f"it failed: {last_line(logs[-1].read_text(errors='replace'))}")
    found = _pulled(database)
    if found != rows:
        raise CannotMeasure(f"it ended with {found} of {rows} rows in the database")
    return taken


def _fresh_database(server_url: str) -> str:
    with psycopg.connect(server_url, autocommit=True) as server:
        server.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
        server.execute(f"CREATE DATABASE {DATABASE}")
    return urlsplit(server_url)._replace(path=f"/{DATABASE}").geturl()


def _pulled(database: str) -> int:
    with psycopg.connect(database) as found:
        table = found.execute(
            "SELECT format('%I.%I', table_schema, table_name) FROM information_schema.tables"
            " WHERE table_schema = 'pulled' AND lower(table_name) = 'item'"
        ).fetchone()
        if table is None:
            return 0
        [(rows,)] = found.execute(f"SELECT count(*) FROM {table[0]}").fetchall()
        return int(rows)
