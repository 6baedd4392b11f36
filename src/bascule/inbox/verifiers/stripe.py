"""Stripe's webhooks: `Stripe-Signature: t=<seconds>,v1=<hex>[,v1=<hex>...]`, HMAC-SHA256 over
`<t>.` and the raw body (docs.stripe.com/webhooks/signature).
"""

import hashlib
import hmac
import re
from typing import Any

import msgspec

from bascule.inbox.sources import Arrival, Parsed, Unreadable

SIGNATURE = "Stripe-Signature"
TOLERANCE = 300  # seconds
LARGEST = 1024 * 1024  # bytes; an event holds its whole object
MOST_SIGNATURES = 20  # looked at; a rolled secret makes two
_SECONDS = re.compile(r"[0-9]{1,12}")


def is_signed(secret: bytes, body: bytes, header: str, *, now: float) -> bool:
    """Whether one of the header's v1 signatures is that of `secret`, not older than the tolerance.
    While a secret is rolled Stripe signs with both; the caller tries each that it has.
    """
    moments = [value for name, value in _pairs(header) if name == "t"]
    signatures = [value for name, value in _pairs(header) if name == "v1"][:MOST_SIGNATURES]
    stamp = moments[0] if len(moments) == 1 and _SECONDS.fullmatch(moments[0]) else "0"
    expected = hmac.digest(secret, stamp.encode() + b"." + body, hashlib.sha256)
    written = expected.hex().encode()
    found = [hmac.compare_digest(written, one.encode("utf-8", "replace")) for one in signatures]
    return any(found) and abs(now - int(stamp)) <= TOLERANCE


def parse(arrival: Arrival) -> Parsed:
    """The event's object is the subject; the event's id makes a second delivery the same."""
    try:
        told: Any = msgspec.json.decode(arrival.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable(f"The body is no JSON: {error}.") from None
    event = told if isinstance(told, dict) else {}
    if not isinstance(event.get("id"), str) or not isinstance(event.get("type"), str):
        raise Unreadable("The body is no event of Stripe: it has no id and no type.")
    if "related_object" in event:  # a thin event only names its object
        about, kind = _fields(event["related_object"]), "type"
    else:
        about, kind = _fields(_fields(event.get("data")).get("object")), "object"
    subject_type = str(about.get(kind) or event["type"])
    subject = str(about.get("id") or subject_type)  # a balance has no id
    return Parsed(subject_type, subject, event["type"], external_id=event["id"])


def _pairs(header: str) -> list[tuple[str, str]]:
    return [
        (name.strip(), value) for name, _, value in (p.partition("=") for p in header.split(","))
    ]


def _fields(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
