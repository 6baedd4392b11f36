"""The command in the tests' own process, which spares each test its start."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bascule.cli import app
from bascule.settings import get_settings
from tests.kit.command import Said

Run = Callable[..., Said]


@pytest.fixture
def machine(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """On a hub where one has begun: its admin is there, and nothing is connected."""

    def say(*arguments: str, **settings: str) -> Said:
        told = {
            "BASCULE_DATABASE_URL": database_url,
            "BASCULE_DATA_DIR": str(tmp_path),
            "BASCULE_PUBLIC_URL": "http://hub.test:8099",
            "COLUMNS": "160",
            **settings,
        }
        with monkeypatch.context() as patch:
            for name, value in told.items():
                patch.setenv(name, value)
            get_settings.cache_clear()
            said = CliRunner().invoke(app, arguments, prog_name="bascule")
        return Said(said.exit_code, said.stdout, said.stderr)

    assert say("token").code == 0
    yield say
    get_settings.cache_clear()
