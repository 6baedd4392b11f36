"""The one back-off: the pauses of everything that is tried again."""

import psycopg
import pytest

from bascule.accounts.throttle import PACES
from bascule.backoff import Backoff
from bascule.connections import circuit
from bascule.events import listening
from bascule.frappe._http import session
from bascule.inbox import dispatch
from bascule.jobs import worker
from bascule.mirror.pull import patience
from bascule.sites.cleanup import cleanups
from bascule.sync.send import insert


def pauses(backoff: Backoff, many: int = 6) -> list[float]:
    return [backoff.pause(earlier) for earlier in range(many)]


def test_pause_doubles_up_to_the_longest() -> None:
    assert pauses(Backoff(2.0, longest=15.0)) == [2, 4, 8, 15, 15, 15]


def test_steps_take_the_place_of_doubling_and_the_last_repeats() -> None:
    assert pauses(Backoff(steps=(60, 300, 900)), 5) == [60, 300, 900, 900, 900]


def test_jitter_takes_a_part_of_the_pause_and_never_adds_to_it() -> None:
    backoff = Backoff(8.0, longest=8.0, jitter=0.5)
    waited = [backoff.pause(7) for _ in range(200)]
    assert 4 <= min(waited) < 5 and 7 < max(waited) <= 8


def test_pause_is_no_shorter_than_the_other_side_asked_for() -> None:
    assert Backoff(2.0, longest=4.0, jitter=0.5).pause(0, at_least=30.0) == 30


def test_many_failures_still_have_a_pause() -> None:
    assert Backoff(2.0, longest=900.0).pause(1_000_000) == 900


@pytest.mark.parametrize(
    ("backoff", "first", "longest", "jitter"),
    [
        (session.RETRY, 0.2, None, 0.5),
        (worker.RECONNECT, 0.5, 2.0, 0.0),
        (listening.RECONNECT, 0.1, 1.0, 0.0),
        (insert.RETRY, 0.1, None, 0.5),
        (patience.RETRY, 600.0, 86_400.0, 0.0),
    ],
)
def test_delays_of_each_use(
    backoff: Backoff, first: float, longest: float | None, jitter: float
) -> None:
    assert (backoff.first, backoff.jitter) == (first, jitter)
    assert longest is None or Backoff(first, longest).pause(20) == longest == backoff.longest


def test_clean_ups_are_tried_after_these_minutes() -> None:
    assert [pause / 60 for pause in pauses(cleanups.RETRY, 6)] == [1, 5, 15, 60, 180, 180]


def test_guesses_wait_a_second_and_twice_as_long_each_time() -> None:
    assert [PACES["pair"].wait_at(attempt) for attempt in (5, 6, 7, 8, 11)] == [0, 1, 2, 4, 30]


def test_circuit_waits_as_long_as_the_site_asked_for() -> None:
    assert circuit.pause(0, 120.0).total_seconds() == 120


async def test_sql_gives_the_same_pauses_as_python(database_url: str) -> None:
    backoff = Backoff(dispatch.RETRY.first, longest=dispatch.RETRY.longest)
    async with await psycopg.AsyncConnection.connect(database_url) as conn:
        rows = await conn.execute(
            f"SELECT {backoff.in_sql('earlier')} FROM generate_series(0, 40) AS earlier"
        )
        in_sql = [float(row[0]) for row in await rows.fetchall()]
    assert in_sql == pauses(backoff, 41)
