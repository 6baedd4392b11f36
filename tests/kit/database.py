"""What tests do with a server and its folder."""

import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import psycopg

from bascule.settings import Settings
from tests.kit.waiting import until

FreshSettings = Callable[..., AbstractContextManager[Settings]]  # the fixture of that name


def on_database(url: str, name: str) -> str:
    head, _, query = url.partition("?")
    return f"{head.rpartition('/')[0]}/{name}{'?' + query if query else ''}"


def run(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement.encode())


def remove(folder: Path) -> None:
    """Once the server in it is gone, which takes it a moment after its last user."""
    lock = folder / "postgres" / "postmaster.pid"
    until(lambda: not lock.exists(), f"a server still runs in {folder}")
    shutil.rmtree(folder, ignore_errors=True)
