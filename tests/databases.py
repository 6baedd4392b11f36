"""What tests do with a server and its folder."""

import shutil
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import psycopg

from bascule.settings import Settings

FreshSettings = Callable[..., AbstractContextManager[Settings]]  # the fixture of that name


def on_database(url: str, name: str) -> str:
    head, _, query = url.partition("?")
    return f"{head.rpartition('/')[0]}/{name}{'?' + query if query else ''}"


def run(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement.encode())


def remove(folder: Path) -> None:
    """Once the server in it is gone, which takes it a moment after its last user."""
    until = time.monotonic() + 60
    while (folder / "postgres" / "postmaster.pid").exists() and time.monotonic() < until:
        time.sleep(0.05)
    shutil.rmtree(folder, ignore_errors=True)
