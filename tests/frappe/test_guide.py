"""docs/frappe-client.md does what it says: its examples run, its table of errors is complete."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import indent

import pytest

from bascule.frappe import Site, errors
from bascule.sandbox.company import demo_company
from bascule.sandbox.server import Running, SandboxThread

GUIDE = (Path(__file__).parents[2] / "docs" / "frappe-client.md").read_text()
PROGRAM, *EXAMPLES = re.findall(r"^```python\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Running]:
    with SandboxThread(demo_company()) as running:
        yield running


def test_the_first_program_runs_as_it_stands(sandbox: Running) -> None:
    settings = {
        "ERPNEXT_URL": sandbox.url,
        "ERPNEXT_KEY": sandbox.api_key,
        "ERPNEXT_SECRET": sandbox.api_secret,
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=os.environ | settings,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "hub@example.com" in done.stdout
    assert "ACC-001" in done.stdout


@pytest.mark.parametrize("example", EXAMPLES)
async def test_each_example_runs_inside_the_open_site(sandbox: Running, example: str) -> None:
    scope: dict[str, object] = {}
    exec("async def run(site):\n" + indent(example, "    "), scope)
    async with Site(sandbox.url, sandbox.api_key, sandbox.api_secret) as site:
        await scope["run"](site)  # type: ignore[operator]


def test_the_table_names_every_error_there_is() -> None:
    named = set(re.findall(r"^\| `(\w+)`", GUIDE, re.MULTILINE))
    there = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, errors.FrappeError)
    }
    assert named == there - {"FrappeError"}
