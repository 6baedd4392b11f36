"""The help and the reference: quick, complete, and the same as the code."""

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bascule import __version__
from bascule.cli import app
from bascule.cli.reference import reference

VERBS = [
    *("demo", "up", "serve", "worker", "connect", "check", "sync", "status", "streams", "verify"),
    *("logs", "export", "sandbox", "token", "doctor", "psql", "change", "disconnect"),
    *("attention", "two-way", "records", "webhooks", "users"),
]


def run(*arguments: str, python: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *python, "-m", "bascule", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_help_names_every_verb_and_imports_nothing_heavy() -> None:
    done = run("--help", python=("-X", "importtime"))
    assert done.returncode == 0
    for verb in VERBS:
        assert f" {verb} " in done.stdout
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "typer" in imported
    heavy = {"fastapi", "pydantic", "sqlalchemy", "pyarrow", "aiohttp", "psycopg", "uvicorn"}
    assert not imported & heavy


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_says_what_it_does(verb: str) -> None:
    said = CliRunner().invoke(app, [verb, "--help"], prog_name="bascule")
    assert said.exit_code == 0, said.output
    assert f"bascule {verb}" in said.output


def test_the_reference_is_the_code() -> None:
    written = Path(__file__).parents[2] / "docs" / "cli.md"
    assert written.read_text() == reference(), "python -m bascule.cli.reference > docs/cli.md"


def test_the_reference_names_every_verb() -> None:
    for verb in VERBS:
        assert f"## `bascule {verb}" in reference()


def test_the_version_is_the_packages() -> None:
    assert run("--version").stdout == f"bascule {__version__}\n"


def test_an_unknown_verb_is_a_usage_error() -> None:
    done = run("frobnicate")
    assert done.returncode == 2
    assert "frobnicate" in done.stderr
    assert "Traceback" not in done.stderr
