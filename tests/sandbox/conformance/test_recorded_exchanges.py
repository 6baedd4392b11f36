"""Every recorded exchange: its status always, its body but for the exceptions."""

import base64
import hashlib
import hmac
import json
import re

from tests.sandbox.conformance.comparison import compare
from tests.sandbox.conformance.replay import RECEIVER, Outcome


def _matches(pattern: str, place: str) -> bool:
    escaped = re.escape(pattern).replace(r"\[\*\]", r"\[\d+\]").replace(r"\*", r"[^.\[]+")
    return re.fullmatch(rf"{escaped}(?:[.\[].*)?", place) is not None


def test_an_exchange_is_answered_as_recorded(
    exchange_id: str, outcome: Outcome, allowed: dict[str, list[str]]
) -> None:
    recorded, given = outcome.statuses[exchange_id]
    unexpected = [
        str(mismatch)
        for mismatch in outcome.mismatches[exchange_id]
        if not any(_matches(pattern, mismatch.place) for pattern in allowed.get(exchange_id, ()))
    ]
    assert (given, unexpected) == (recorded, []), "\n".join(unexpected)


def test_no_exception_is_left_that_is_not_needed(
    outcome: Outcome, allowed: dict[str, list[str]]
) -> None:
    unneeded = [
        f"{exchange}: {pattern}"
        for exchange, patterns in allowed.items()
        for pattern in patterns
        if not any(
            _matches(pattern, mismatch.place) for mismatch in outcome.mismatches.get(exchange, ())
        )
    ]
    assert unneeded == []


def test_webhooks_arrive_as_recorded_and_in_that_order(outcome: Outcome) -> None:
    paths = [got["path"] for got in outcome.deliveries]
    assert paths == [delivery["path"] for delivery in outcome.recorded_deliveries]
    for recorded, got in zip(outcome.recorded_deliveries, outcome.deliveries, strict=True):
        bodies = (json.loads(recorded["body"]), json.loads(got["body"]))
        assert compare(*bodies, outcome.tokens) == []
        assert len(got["body"]) == len(recorded["body"])


def test_webhooks_carry_the_recorded_headers_and_a_signature_of_the_raw_body(
    outcome: Outcome,
) -> None:
    for recorded, got in zip(outcome.recorded_deliveries, outcome.deliveries, strict=True):
        digest = hmac.new(recorded["secret"].encode(), got["body"].encode(), hashlib.sha256)
        signature = base64.b64encode(digest.digest()).decode()
        expected = recorded["headers"] | {"X-Frappe-Webhook-Signature": signature}
        assert got["headers"] | {"Host": RECEIVER} == expected
