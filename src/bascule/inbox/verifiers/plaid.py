"""Plaid's webhooks: `Plaid-Verification` is a JWT (ES256) whose claim `request_body_sha256` is the
raw body's SHA-256, made at most five minutes ago. It follows
plaid.com/docs/api/webhooks/webhook-verification.
"""

import asyncio
import hashlib
import hmac
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jwt
import msgspec

from bascule.inbox.sources import Arrival, Parsed, Unreadable

log = logging.getLogger(__name__)

VERIFICATION = "Plaid-Verification"
TOLERANCE = 300  # seconds
BELIEVED = 3600.0  # seconds that a key is used without asking whether it has expired meanwhile
OUTLIVES = 24 * 3600.0  # seconds that a key is used while Plaid does not answer
ASKED_EVERY = 60.0  # seconds between two requests for keys that are not known
LONGEST_ID = 200  # characters of a key's id
LONGEST_TOKEN = 4_000

Fetch = Callable[[str], Awaitable[Mapping[str, Any]]]


@dataclass(slots=True)
class _Known:
    key: jwt.PyJWK
    expired_at: float | None
    told_at: float
    asked_at: float


class PlaidKeys:
    """Plaid's public keys by their ids, as /webhook_verification_key/get gives them.

    `fetch` gives the `key` of its answer for a `key_id`, and raises where there is none. However
    many unknown ids come, it is called for one of them a minute; a delivery that was refused for
    that is sent again by Plaid.
    """

    def __init__(
        self,
        fetch: Fetch,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._fetch = fetch
        self._clock = clock
        self._known: dict[str, _Known] = {}
        self._asked_at = float("-inf")  # when an unknown key was last asked for
        self._asking = asyncio.Lock()

    async def get(self, key_id: str) -> jwt.PyJWK | None:
        """None: there is no such key, it has expired, or nobody may be asked yet."""
        if not self._is_fresh(key_id):
            async with self._asking:  # those who wait find what the first one was told
                if not self._is_fresh(key_id):
                    await self._ask(key_id)
        known, now = self._known.get(key_id), self._clock()
        if known is None or now - known.told_at > OUTLIVES:
            return None
        return None if known.expired_at is not None and known.expired_at <= now else known.key

    def _is_fresh(self, key_id: str) -> bool:
        known = self._known.get(key_id)
        return known is not None and self._clock() - known.told_at <= BELIEVED

    async def _ask(self, key_id: str) -> None:
        known, now = self._known.get(key_id), self._clock()
        if now - (known.asked_at if known else self._asked_at) < ASKED_EVERY:
            return
        if known:
            known.asked_at = now
        else:
            self._asked_at = now
        try:
            self._known[key_id] = _read(await self._fetch(key_id), now)
        except Exception as error:
            log.warning("Plaid gave no key of the id %r: %s", key_id, error)


def _read(told: Mapping[str, Any], now: float) -> _Known:
    if (told.get("kty"), told.get("crv"), told.get("alg")) != ("EC", "P-256", "ES256"):
        raise ValueError("it is no ES256 key")
    expired = told.get("expired_at")
    return _Known(
        jwt.PyJWK(dict(told), algorithm="ES256"),
        None if expired is None else float(expired),
        now,
        now,
    )


async def is_signed(token: str, body: bytes, keys: PlaidKeys, *, now: float) -> bool:
    """`token`: the header. What is not of Plaid's making costs at most one request for a key."""
    try:
        header = jwt.get_unverified_header(token) if len(token) <= LONGEST_TOKEN else {}
    except jwt.InvalidTokenError:
        return False
    key_id = header.get("kid")
    if header.get("alg") != "ES256" or not isinstance(key_id, str) or len(key_id) > LONGEST_ID:
        return False
    key = await keys.get(key_id)
    if key is None:
        return False
    try:
        claims = jwt.decode(token, key, algorithms=["ES256"], options={"verify_iat": False})
    except jwt.InvalidTokenError:
        return False
    made_at, digest = claims.get("iat"), claims.get("request_body_sha256")
    if not isinstance(made_at, int | float) or isinstance(made_at, bool):
        return False
    if not isinstance(digest, str):
        return False
    same = hmac.compare_digest(
        hashlib.sha256(body).hexdigest().encode(), digest.encode("utf-8", "replace")
    )
    return same and abs(now - made_at) <= TOLERANCE


def parse(arrival: Arrival) -> Parsed:
    """Plaid gives a delivery no id, and says the same words again whenever there is news: only one
    with the same token is the same delivery.
    """
    try:
        told: Any = msgspec.json.decode(arrival.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable(f"The body is no JSON: {error}.") from None
    fields = told if isinstance(told, dict) else {}
    about, code = fields.get("webhook_type"), fields.get("webhook_code")
    if not isinstance(about, str) or not isinstance(code, str):
        raise Unreadable("The body is no webhook of Plaid: it has no webhook_type and no code.")
    subject = next(
        (fields[name] for name in ("item_id", "link_session_id") if fields.get(name)), about
    )
    token = arrival.headers.get(VERIFICATION, "")
    return Parsed(about, str(subject), code, external_id=hashlib.sha256(token.encode()).hexdigest())
