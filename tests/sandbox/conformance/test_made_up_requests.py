"""Requests that a program made up: how many a real ERPNext and the sandbox answer alike.

A refusal is compared by its status and its kind; see the differential test beside the recordings.
"""

import asyncio
import re
from datetime import UTC, datetime

import pytest

from tests.sandbox.conformance.conftest import RECORDINGS
from tests.sandbox.conformance.replay import Outcome, load_exchanges, replay

BOOKS = RECORDINGS.parent / "erpnext-books"
RECORDED = datetime(2026, 11, 28, 16, 47, tzinfo=UTC)
# group -> requests, of them alike in status, and alike in body. A floor: it goes up, never down.
FLOORS = {"random_read": (500, 500, 498), "random_write": (300, 300, 298)}
CLOCK = re.compile(r"\d{1,2}:\d\d:\d{1,2}\.\d+")  # a new document's time of day


@pytest.fixture(scope="module")
def made_up() -> Outcome:
    if not (BOOKS / "exchanges" / "random_read.jsonl").is_file():
        pytest.skip(f"There are no recordings in {BOOKS}: set BASCULE_RECORDINGS")
    return asyncio.run(replay(BOOKS, tuple(FLOORS), RECORDED))


def _differences(outcome: Outcome, exchange: str) -> list[str]:
    recorded, given = outcome.statuses[exchange]
    if recorded != given:
        return [f"recorded {recorded}, given {given}"]
    return [
        str(mismatch)
        for mismatch in outcome.mismatches[exchange]
        if (recorded < 400 or mismatch.place == "exc_type")
        and not all(CLOCK.fullmatch(str(one)) for one in (mismatch.recorded, mismatch.given))
    ]


@pytest.mark.parametrize("group", FLOORS)
def test_made_up_requests_are_answered_as_by_a_real_site(made_up: Outcome, group: str) -> None:
    number, statuses, bodies = FLOORS[group]
    exchanges = [exchange["id"] for exchange in load_exchanges(BOOKS, group)]
    differing = {one: found for one in exchanges if (found := _differences(made_up, one))}
    listed = "\n".join(f"{one}: {found[0]}" for one, found in differing.items())
    equal = [one for one in exchanges if len(set(made_up.statuses[one])) == 1]
    assert len(exchanges) == number
    assert len(equal) >= statuses, listed
    assert number - len(differing) >= bodies, listed
