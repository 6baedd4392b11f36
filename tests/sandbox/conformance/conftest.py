"""The sandbox against what a real ERPNext answered: every recorded exchange, in order, over HTTP.

The recordings are not part of the project: they lie in the folder that BASCULE_RECORDINGS names, or
in ../shared/erpnext beside the checkout.
"""

import asyncio
import os
import tomllib
import warnings
from pathlib import Path

import pytest

from tests.kit import ROOT
from tests.sandbox.conformance.replay import GROUPS, Outcome, load_exchanges, replay

_BESIDE = ROOT.parent / "shared" / "erpnext"
RECORDINGS = Path(os.environ.get("BASCULE_RECORDINGS") or _BESIDE)


def recorded() -> bool:
    return (RECORDINGS / "exchanges").is_dir()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "exchange_id" in metafunc.fixturenames:
        ids = []
        if recorded():
            exchanges = (one for group in GROUPS for one in load_exchanges(RECORDINGS, group))
            ids = [exchange["id"] for exchange in exchanges]
        else:
            told = f"No recordings of a real ERPNext in {RECORDINGS}: conformance is not tested."
            warnings.warn(told, stacklevel=1)
        metafunc.parametrize("exchange_id", ids)


@pytest.fixture(scope="session")
def outcome() -> Outcome:
    if not recorded():
        pytest.skip(f"There are no recordings in {RECORDINGS}: set BASCULE_RECORDINGS")
    return asyncio.run(replay(RECORDINGS))


@pytest.fixture(scope="session")
def allowed() -> dict[str, list[str]]:
    """Exchange -> patterns of the places in its answer that need not match, each with a reason."""
    text = (Path(__file__).parent / "exceptions.toml").read_text(encoding="utf-8")
    patterns: dict[str, list[str]] = {}
    for entry in tomllib.loads(text)["exception"]:
        assert entry["reason"].strip(), f"{entry['exchanges']} need a reason"
        for exchange in entry["exchanges"]:
            patterns.setdefault(exchange, []).extend(entry["places"])
    return patterns
