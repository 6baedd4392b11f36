"""Plaid's scheme, over tokens that this test signs with keys of its own."""

import asyncio
import base64
import hashlib
import json
from collections.abc import Mapping
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bascule.inbox import Arrival, Unreadable
from bascule.inbox.verifiers.plaid import VERIFICATION, PlaidKeys, is_signed, parse

NOW = 1_790_000_000.0
BODY = b'{\n  "webhook_type": "TRANSACTIONS",\n  "webhook_code": "SYNC_UPDATES_AVAILABLE"\n}'


class Plaid:
    """The verification keys of one environment, and how often somebody asked for one."""

    def __init__(self) -> None:
        self.private = {"kid-1": ec.generate_private_key(ec.SECP256R1())}
        self.expired: dict[str, float] = {}
        self.asked: list[str] = []
        self.down = False
        self.now = NOW
        self.keys = PlaidKeys(self.key, clock=lambda: self.now)

    async def key(self, key_id: str) -> Mapping[str, Any]:
        self.asked.append(key_id)
        await asyncio.sleep(0)
        if self.down:
            raise ConnectionError("Plaid is down")
        numbers = self.private[key_id].public_key().public_numbers()
        x, y = (
            base64.urlsafe_b64encode(n.to_bytes(32)).rstrip(b"=").decode()
            for n in (numbers.x, numbers.y)
        )
        return {
            **{
                "kty": "EC",
                "crv": "P-256",
                "alg": "ES256",
                "use": "sig",
                "kid": key_id,
                "x": x,
                "y": y,
            },
            **{"created_at": int(NOW) - 1000, "expired_at": self.expired.get(key_id)},
        }

    def token(
        self, body: bytes = BODY, *, kid: str = "kid-1", late: float = 0, **claims: Any
    ) -> str:
        told = {
            "iat": int(NOW + late),
            "request_body_sha256": hashlib.sha256(body).hexdigest(),
            **claims,
        }
        key = self.private.get(kid) or self.private["kid-1"]
        return jwt.encode(told, key, algorithm="ES256", headers={"kid": kid})

    async def accepts(self, token: str, body: bytes = BODY) -> bool:
        return await is_signed(token, body, self.keys, now=self.now)


async def test_token_over_the_raw_body_is_accepted_and_its_key_asked_for_once() -> None:
    plaid = Plaid()
    assert await plaid.accepts(plaid.token())
    assert all(await asyncio.gather(*[plaid.accepts(plaid.token()) for _ in range(50)]))
    assert plaid.asked == ["kid-1"]


async def test_crowd_at_the_first_delivery_shares_one_request_for_the_key() -> None:
    plaid = Plaid()
    assert all(await asyncio.gather(*[plaid.accepts(plaid.token()) for _ in range(50)]))
    assert plaid.asked == ["kid-1"]


async def test_changed_or_reserialised_body_is_refused() -> None:
    plaid = Plaid()
    assert not await plaid.accepts(plaid.token(), BODY + b" ")
    assert not await plaid.accepts(plaid.token(), json.dumps(json.loads(BODY)).encode())


@pytest.mark.parametrize(("late", "accepted"), [(-300, 1), (-301, 0), (300, 1), (301, 0)])
async def test_token_is_accepted_for_five_minutes(late: float, accepted: int) -> None:
    plaid = Plaid()
    assert await plaid.accepts(plaid.token(late=late)) is bool(accepted)


@pytest.mark.parametrize("made_at", [None, "1790000000", True, float("nan"), float("inf"), [NOW]])
async def test_token_that_does_not_say_when_it_was_made_is_refused(made_at: Any) -> None:
    plaid = Plaid()
    assert not await plaid.accepts(plaid.token(iat=made_at))


@pytest.mark.parametrize("digest", [None, "", 7, "ü" * 64, hashlib.sha256(b"other").hexdigest()])
async def test_token_over_another_digest_is_refused(digest: Any) -> None:
    plaid = Plaid()
    assert not await plaid.accepts(plaid.token(request_body_sha256=digest))


async def test_token_of_another_algorithm_is_refused_without_asking_for_a_key() -> None:
    plaid = Plaid()
    claims = {"iat": int(NOW), "request_body_sha256": hashlib.sha256(BODY).hexdigest()}
    public = plaid.private["kid-1"].public_key()
    secret = public.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    unsigned = jwt.encode(claims, "", algorithm="none", headers={"kid": "kid-1"})
    confused = jwt.encode(claims, secret, algorithm="HS256", headers={"kid": "kid-1"})
    large = ec.generate_private_key(ec.SECP384R1())
    other = jwt.encode(claims, large, algorithm="ES384", headers={"kid": "kid-1"})
    for token in (unsigned, confused, other, "", "a.b.c", "x" * 10_000):
        assert not await plaid.accepts(token)
    assert plaid.asked == []


async def test_token_signed_by_another_key_is_refused() -> None:
    plaid, forger = Plaid(), Plaid()
    assert await plaid.accepts(plaid.token())
    assert not await plaid.accepts(forger.token())


async def test_key_of_another_kind_is_never_used() -> None:
    plaid = Plaid()
    plaid.private["kid-1"] = ec.generate_private_key(ec.SECP256R1())
    true_key = plaid.key

    async def other(key_id: str) -> Mapping[str, Any]:
        return {**await true_key(key_id), "alg": "HS256"}

    plaid.keys = PlaidKeys(other, clock=lambda: plaid.now)
    assert not await plaid.accepts(plaid.token())


async def test_thousand_unknown_keys_make_one_request_a_minute() -> None:
    plaid = Plaid()
    assert await plaid.accepts(plaid.token())
    plaid.now += 60
    for number in range(1000):
        assert not await plaid.accepts(plaid.token(kid=f"made-up-{number}", late=60))
    assert plaid.asked == ["kid-1", "made-up-0"]
    plaid.now += 60
    plaid.private["kid-2"] = ec.generate_private_key(ec.SECP256R1())
    assert await plaid.accepts(plaid.token(kid="kid-2", late=120))


async def test_expired_key_is_refused_once_plaid_says_so() -> None:
    plaid = Plaid()
    assert await plaid.accepts(plaid.token())
    plaid.expired["kid-1"] = NOW + 60
    plaid.now += 3601
    assert not await plaid.accepts(plaid.token(late=3601))
    assert plaid.asked == ["kid-1", "kid-1"]


async def test_known_key_is_used_while_plaid_is_down_but_not_for_ever() -> None:
    plaid = Plaid()
    assert await plaid.accepts(plaid.token())
    plaid.down = True
    for hours in (2, 23):
        plaid.now = NOW + hours * 3600
        assert await plaid.accepts(plaid.token(late=hours * 3600))
    plaid.now = NOW + 25 * 3600
    assert not await plaid.accepts(plaid.token(late=25 * 3600))
    plaid.down = False
    plaid.now += 61
    assert await plaid.accepts(plaid.token(late=25 * 3600 + 61))


def test_same_words_are_the_same_delivery_only_with_the_same_token() -> None:
    body = BODY.replace(b"\n}", b',"item_id": "i"}')
    first, again, later = (
        parse(Arrival("token", {VERIFICATION: token}, {}, body))
        for token in ("a.b.c", "a.b.c", "d.e.f")
    )
    assert (first.subject_type, first.subject, first.event) == (
        "TRANSACTIONS",
        "i",
        "SYNC_UPDATES_AVAILABLE",
    )
    assert first.digest("plaid", body) == again.digest("plaid", body) != later.digest("plaid", body)


@pytest.mark.parametrize("body", [b"", b"[]", b'{"webhook_type": "ITEM"}', b"\xff"])
def test_body_that_is_no_webhook_of_plaid_says_so(body: bytes) -> None:
    with pytest.raises(Unreadable):
        parse(Arrival("token", {}, {}, body))
