"""The README's pictures show what is there today."""

import os
import re
import runpy
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import CHROMIUM

ROOT = Path(__file__).parents[2]
DEMO = "".join(path.read_text() for path in (ROOT / "src/bascule/cli/demo").glob("*.py"))


def labels(svg: str, words_of: Any) -> set[str]:
    """Words in the picture that are the demo's own: those of its company depend on the day."""
    return {word for word in words_of(svg) if re.search("[A-Za-z]{2}", word) and word in DEMO}


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium to take them with")
def test_the_pictures_of_the_readme_show_what_is_there_today(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    command = [sys.executable, str(ROOT / "docs" / "pictures.py"), "--into", str(tmp_path)]
    chosen = {"CONNECTORS_SERVICE_PORT": port, "BASCULE_CHROMIUM": str(CHROMIUM)}
    made = subprocess.run(
        command, capture_output=True, text=True, timeout=300, env=os.environ | chosen, check=False
    )
    assert made.returncode == 0, made.stdout + made.stderr
    module = runpy.run_path(str(ROOT / "docs" / "pictures.py"))
    page, there = (
        module["description"]((folder / "connection.png").read_bytes()).splitlines()
        for folder in (tmp_path, ROOT / "docs")
    )
    assert {"Home", "Settings", "Sync now"} <= set(page)
    assert there == page, "run: make pictures"
    terminal, old = (
        labels((folder / "demo.svg").read_text(), module["words_of"])
        for folder in (tmp_path, ROOT / "docs")
    )
    assert {"Projected", "Starting PostgreSQL, an ERPNext sandbox and the hub ..."} <= terminal
    assert old == terminal, "run: make pictures"
