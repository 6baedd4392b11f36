"""A data folder for processes to share, and the skips of what needs root."""

import os
import pwd
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.store.hubs import Hubs


@pytest.fixture
def hubs(open_folder: Path, kills: None) -> Iterator[Hubs]:
    made = Hubs(open_folder)
    yield made
    made.end()


@pytest.fixture
def as_root() -> None:
    if os.geteuid() != 0:
        pytest.skip("NOT TESTED: this needs root, to become somebody else")
    try:
        pwd.getpwnam("nobody")
    except KeyError:
        pytest.skip("NOT TESTED: this machine has no account 'nobody'")
