"""From what is kept to who listens: joined, in order, tried again, nobody held up by another."""

from collections.abc import Callable
from typing import Any

import pytest

from bascule.backoff import Backoff
from tests.inbox.conftest import EAR, NEIGHBOUR, End, refused
from tests.kit.waiting import until


@pytest.fixture(autouse=True)
def _as_slow_as_it_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    """What failed is tried again when a test lets time pass, and not before."""
    monkeypatch.setattr("bascule.inbox.dispatch.RETRY", Backoff(100.0, longest=3600.0, jitter=0.5))


def let_time_pass(end: End) -> None:
    end.sql(
        "UPDATE bascule.deliveries SET next_try_at = now() WHERE connection_id = %s",
        [end.connection],
    )


def test_many_about_one_document_are_told_as_one(end: End) -> None:
    EAR.raising[end.connection] = refused("not now")
    assert end.tell(event="after_insert").status == 200
    until(lambda: EAR.calls.get(end.connection))
    for event in ("on_update", "on_trash", "on_update"):
        assert end.tell(event=event).status == 200
    end.tell(name="Other")
    end.worked_off()
    del EAR.raising[end.connection]
    let_time_pass(end)
    assert {state for state, *_ in end.worked_off()} == {"done"}
    documents = {one.name: one for one in EAR.of(end.connection)}
    assert len(EAR.of(end.connection)) == 2
    assert documents["Acme"].event == "on_trash"
    assert documents["Other"].event == "on_update"
    [first, *_] = end.rows("received_at")
    assert documents["Acme"].received_at == first[0]


def test_a_listener_that_fails_hears_it_again_and_holds_up_neither_others_nor_other_doctypes(
    end: End,
) -> None:
    EAR.raising[end.connection] = refused("The site is down.")
    assert end.tell().status == 200
    assert end.tell("Item", "Bolt").status == 200
    until(lambda: [row for row in end.rows() if row[0] == "done"])
    assert [row[:3] for row in end.worked_off()] == [
        ("kept", "Customer", "Acme"),
        ("done", "Item", "Bolt"),
    ]
    heard = [(one.doctype, one.name) for one in NEIGHBOUR.of(end.connection)]
    assert sorted(heard) == [("Customer", "Acme"), ("Item", "Bolt")]
    [(error, step, attempts, waits)] = end.sql(
        "SELECT error, next_step, attempts, next_try_at > now() FROM bascule.deliveries"
        " WHERE connection_id = %s AND state = 'kept'",
        [end.connection],
    )
    assert (error, step, attempts, waits) == ("The site is down.", "Mend it.", 1, True)
    del EAR.raising[end.connection]
    let_time_pass(end)
    assert {state for state, *_ in end.worked_off()} == {"done"}
    assert [one.name for one in EAR.of(end.connection)] == ["Acme"]
    assert len(NEIGHBOUR.of(end.connection)) == 2, "who had heard it was told again"


def test_pauses_grow_and_after_days_it_is_given_up(end: End) -> None:
    EAR.raising[end.connection] = RuntimeError("a fault of ours")
    pauses: list[Any] = []
    end.tell()
    for attempt in range(1, 5):
        until(lambda n=attempt: end.rows("attempts") == [(n,)])
        pauses += end.rows("extract(epoch FROM next_try_at - now())::float")
        let_time_pass(end)
    assert pauses == sorted(pauses)
    end.sql(
        "UPDATE bascule.deliveries SET received_at = now() - interval '4 days', next_try_at = now()"
        " WHERE connection_id = %s",
        [end.connection],
    )
    until(lambda: end.rows("state") == [("failed",)])
    [(error, step)] = end.rows("error, next_step")
    assert "RuntimeError" in error
    assert "a fault of ours" not in error
    assert step


def test_what_a_dead_job_left_is_told_by_the_next(make_end: Callable[..., End]) -> None:
    """Rows that no job is queued for, as after a job that was cut off."""
    end = make_end()
    end.sql(
        "INSERT INTO bascule.deliveries (connection_id, source, address, subject_type, subject)"
        " SELECT %s, 'erpnext', 'customers', 'Customer', 'Customer ' || n"
        " FROM generate_series(1, 1200) n",
        [end.connection],
    )
    assert {state for state, *_ in end.worked_off()} == {"done"}
    assert [one.name for one in EAR.of(end.connection)] == [
        f"Customer {number}" for number in range(1, 1201)
    ]
    assert EAR.calls[end.connection] == 3
