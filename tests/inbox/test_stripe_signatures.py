"""Stripe's scheme, against what Stripe's own library makes of the same secrets and bytes."""

import hashlib
import hmac
import json

import pytest

from bascule.inbox import Arrival, Unreadable
from bascule.inbox.verifiers import stripe

AT = 1790000000
BODY = '{"id": "evt_1", "type": "charge.succeeded", "name": "Ödd \\"Ü\\" 🏗"}'.encode()
FIRST, SECOND = b"whsec_first", b"whsec_second"
# By WebhookSignature._compute_signature of stripe 16.1.0 over f"{AT}." and BODY.
OF_FIRST = "d70bed301509d9e4247556cac8056c84738eb71de483e4a28bd9cee9ece2e1e4"
OF_SECOND = "e08cbc4dad4d82647e8b2acc40a1b6b3b7bd70de9c136c1c929abda1ec631d76"


def signed(header: str, secret: bytes = FIRST, body: bytes = BODY, now: float = AT) -> bool:
    return stripe.is_signed(secret, body, header, now=now)


def test_signature_of_stripes_own_library_is_accepted() -> None:
    assert signed(f"t={AT},v1={OF_FIRST}")
    assert signed(f"t={AT},v1={OF_FIRST},v0={'0' * 64}")
    assert signed(f"t={AT},v1={OF_SECOND}", SECOND)


def test_rolled_secret_is_accepted_beside_the_one_before() -> None:
    both = f"t={AT},v1={OF_SECOND},v1={OF_FIRST}"
    assert signed(both, FIRST)
    assert signed(both, SECOND)
    assert not signed(both, b"whsec_third")


@pytest.mark.parametrize(("late", "accepted"), [(0, 1), (300, 1), (301, 0), (-300, 1), (-301, 0)])
def test_signature_is_accepted_for_five_minutes(late: int, accepted: int) -> None:
    assert signed(f"t={AT},v1={OF_FIRST}", now=AT + late) is bool(accepted)


FORGED = {
    "nothing": "",
    "no time": f"v1={OF_FIRST}",
    "no signature": f"t={AT}",
    "another secret": f"t={AT},v1={OF_SECOND}",
    "another time": f"t={AT + 1},v1={OF_FIRST}",
    "two times": f"t={AT},t={AT + 1},v1={OF_FIRST}",
    "no number": f"t=now,v1={OF_FIRST}",
    "a number beyond all": f"t={'9' * 5000},v1={OF_FIRST}",
    "digits of another script": f"t=١٧٩,v1={OF_FIRST}",
    "test scheme": f"t={AT},v0={OF_FIRST}",
    "capitals": f"t={AT},v1={OF_FIRST.upper()}",
    "not ASCII": f"t={AT},v1=ü{OF_FIRST[1:]}",
    "too many": f"t={AT}," + "v1=00," * 20 + f"v1={OF_FIRST}",
}


@pytest.mark.parametrize("header", FORGED.values(), ids=FORGED)
def test_forged_header_is_refused(header: str) -> None:
    assert not signed(header)


def test_body_that_was_written_anew_is_refused() -> None:
    """The same JSON in other bytes."""
    header = f"t={AT},v1={OF_FIRST}"
    assert not signed(header, body=json.dumps(json.loads(BODY)).encode())
    assert not signed(header, body=BODY + b" ")


def test_time_without_a_number_is_never_signed_as_zero() -> None:
    """A forger may know that what is no number counts as 0; that moment is long ago."""
    mac = hmac.digest(FIRST, b"0." + BODY, hashlib.sha256).hex()
    assert not signed(f"t=x,v1={mac}")


def read(event: object) -> tuple[str, str, str, str | None]:
    told = stripe.parse(Arrival("", {}, {}, json.dumps(event).encode()))
    return told.subject_type, told.subject, told.event, told.external_id


def test_subject_is_the_events_object() -> None:
    charge = {"id": "ch_1", "object": "charge"}
    event = {"id": "evt_1", "type": "charge.refunded", "data": {"object": charge}}
    assert read(event) == ("charge", "ch_1", "charge.refunded", "evt_1")
    balance = {
        "id": "evt_2",
        "type": "balance.available",
        "data": {"object": {"object": "balance"}},
    }
    assert read(balance) == ("balance", "balance", "balance.available", "evt_2")
    thin = {"id": "evt_3", "type": "v1.billing.meter.no_meter_found"}
    thin |= {"related_object": {"id": "mtr_1", "type": "billing.meter"}}  # type: ignore[dict-item]
    assert read(thin)[:2] == ("billing.meter", "mtr_1")


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'{"id": "evt_1"}', b'{"id": 1, "type": "x"}', b"\xff"]
)
def test_body_that_is_no_event_says_so(body: bytes) -> None:
    with pytest.raises(Unreadable):
        stripe.parse(Arrival("", {}, {}, body))
