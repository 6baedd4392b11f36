"""A site's words move a cursor, make a line of the log up, or are a formula in a heading."""

import csv
import io
import logging
import os
import subprocess
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bascule.cli.terminal import to_stderr
from bascule.data.export import export_rows
from tests.accounts.site import some_site

CLEAR, TITLE, C1, TURNED = "\x1b[2J", "\x1b]0;owned\x07", "\x9b2J", "\u202e"
HOSTILE = f"Bad{CLEAR}{TITLE}{C1}{TURNED}\r\n2026-11-29 12:00:00 INFO    bascule: all is well"


def obeyed(text: str) -> list[str]:
    """But for the ends of lines, which our own have too."""
    return [c for c in text if c != "\n" and unicodedata.category(c) in ("Cc", "Cf", "Zl", "Zp")]


@pytest.mark.parametrize("form", [[], ["--json"]])
def test_what_a_site_says_moves_no_cursor(tmp_path: Path, form: list[str]) -> None:
    with some_site() as (url, site):
        site.says(417, {"exc_type": "ValidationError", "_error_message": HOSTILE})
        said = subprocess.run(
            [sys.executable, "-m", "bascule", "check", *form],
            env={
                **{name: value for name, value in os.environ.items() if "BASCULE" not in name},
                "BASCULE_DATA_DIR": str(tmp_path),
                "BASCULE_SITE_URL": url,
                "BASCULE_SITE_KEY": "key",
                "BASCULE_SITE_SECRET": "secret",
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    assert site.seen
    assert said.returncode != 0
    assert "Bad" in said.stdout + said.stderr
    assert obeyed(said.stdout + said.stderr) == []
    assert not any(line.startswith("2026") for line in said.stderr.splitlines())


def test_a_name_makes_no_line_of_the_log_up(capsys: pytest.CaptureFixture[str]) -> None:
    handler = to_stderr()
    logger = logging.getLogger("bascule.tests.names")
    logger.addHandler(handler)
    try:
        logger.warning("%s was not sent", HOSTILE)
        try:
            int(HOSTILE)
        except ValueError as error:
            error.add_note(HOSTILE)
            logger.exception("%s failed", HOSTILE)
    finally:
        logger.removeHandler(handler)
    told = capsys.readouterr().err
    assert obeyed(told) == []
    first, second = [line for line in told.splitlines() if "bascule.tests.names" in line]
    assert first.endswith(r"\r\n2026-11-29 12:00:00 INFO    bascule: all is well was not sent")
    assert "failed" in second
    assert r"\x1b[2J" in second
    assert not any(line.startswith("2026-11-29 12:00:00") for line in told.splitlines())


async def test_a_heading_is_no_formula(mirrored: Callable[..., Any]) -> None:
    there = await mirrored()
    await there.sync("Warehouse")
    heading = "=cmd|' /C calc'!A0"
    await there.execute(
        f'ALTER TABLE "{there.connection.slug}".warehouse ADD COLUMN "{heading}" text'
    )
    for exact, shown in ((False, f"'{heading}"), (True, heading)):
        pieces = export_rows(
            there.hub.db, there.connection.slug, "warehouse", format="csv", exact=exact, sort="name"
        )
        text = b"".join([piece async for piece in pieces]).decode()
        headings = next(csv.reader(io.StringIO(text)))
        assert shown in headings
        assert "name" in headings
