"""The real command in a process of its own, against a sandbox and an embedded PostgreSQL."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bascule.sandbox import SandboxThread
from tests.kit.command import Bascule, way_in
from tests.kit.command_in_process import machine

__all__ = ["machine"]


@pytest.fixture(scope="session")
def make_bascule(processes: None) -> Iterator[Callable[..., Bascule]]:
    """Commands with a data folder of their own; PostgreSQL cannot enter pytest's as root."""
    made: list[Bascule] = []

    def make(**settings: str) -> Bascule:
        parent = Path(tempfile.mkdtemp(prefix="bascule-cli-"))
        parent.chmod(0o755)
        made.append(Bascule(parent / "hub", **settings))
        return made[-1]

    yield make
    left: dict[int, str] = {}
    for bascule in made:
        left |= bascule.all_gone()
        shutil.rmtree(bascule.data_dir.parent, ignore_errors=True)
    assert not left, left


@pytest.fixture(scope="module")
def site(erpnext_snapshot: Any) -> Iterator[Any]:
    with SandboxThread(erpnext_snapshot) as running:
        yield running


@pytest.fixture(scope="module")
def bascule(make_bascule: Callable[..., Bascule], site: Any) -> Bascule:
    """A hub that the site is connected to as `shop`, and synced once."""
    made = make_bascule()
    said = made(
        *("connect", "--name", "The Shop", "--slug", "shop", "--schedule", "daily"),
        *("--json", "--quiet"),
        **way_in(site),
    )
    assert said.code == 0, said.err
    return made
