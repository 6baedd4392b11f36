"""The sandbox as version 16 against what a real ERPNext 16.12 answered to the same requests."""

import asyncio

import pytest

from tests.sandbox.conformance.conftest import RECORDINGS
from tests.sandbox.conformance.replay import RECORDED_SIXTEEN, SIXTEEN, Outcome, replay

FOLDER = RECORDINGS.parent / "erpnext16"
# Of 234 recorded requests, so many are answered with the recorded status, and body.
STATUSES, BODIES = 234, 226


@pytest.fixture(scope="module")
def sixteen() -> Outcome:
    if not (FOLDER / "exchanges").is_dir():
        pytest.skip(f"There are no recordings of version 16 in {FOLDER}: set BASCULE_RECORDINGS")
    return asyncio.run(replay(FOLDER, SIXTEEN, RECORDED_SIXTEEN))


def test_the_statuses_are_those_of_version_16(sixteen: Outcome) -> None:
    other = {name: pair for name, pair in sixteen.statuses.items() if pair[0] != pair[1]}
    assert len(sixteen.statuses) - len(other) >= STATUSES, other


def test_the_bodies_are_those_of_version_16(sixteen: Outcome) -> None:
    other = {name: list(map(str, found)) for name, found in sixteen.mismatches.items() if found}
    assert len(sixteen.mismatches) - len(other) >= BODIES, other
