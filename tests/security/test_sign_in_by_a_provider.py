"""Sign-in by the company's OpenID Connect provider: who gets in, and what a token has to be."""

import base64
import json
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import jwt
import pytest

from bascule.accounts.people import users
from bascule.accounts.tokens import issue_token
from tests.accounts.company import Company, come_in
from tests.accounts.provider import CLIENT, SECRET, Claims, Key
from tests.kit.api import Api

NOT_LET_IN = 403


def test_who_was_invited_comes_in_by_the_provider(acme: Company) -> None:
    anna = acme.invite("editor")
    acme.as_they_are(anna)
    browser = acme.browser()
    assert b"Sign in with Acme" in browser.send("/sign-in?next=%2Fdata").body
    back = come_in(browser, next="/data")
    assert (back.status, back.headers["location"]) == (303, "/data"), back
    assert browser.send("/api/auth/me").json["username"] == anna.username
    [asked] = acme.provider.left
    assert asked["scope"] == "openid email profile" and asked["code_challenge_method"] == "S256"
    assert asked["realm"] == "acme"
    assert len(asked["nonce"]) >= 43 and len(asked["state"]) >= 43
    assert asked["redirect_uri"] == f"{acme.running.url}/sign-in/oidc/callback"
    state = browser.send("/api/auth/provider").json
    assert state["connected"] and state["called"] == anna.email and state["name"] == "Acme"
    rows = acme.sql("SELECT action, via FROM bascule.audit WHERE user_id = %s", anna.id)
    assert ("sign-in", "oidc") in rows
    # Again, and by what the provider calls them for good, whatever their address is now.
    acme.as_they_are(anna, email="married@example.com", email_verified=False)
    assert come_in(acme.browser()).status == 303


def test_an_address_that_changed_hands_takes_nothing_over(acme: Company) -> None:
    anna = acme.invite()
    acme.as_they_are(anna)
    assert come_in(acme.browser()).status == 303
    acme.as_they_are(anna, sub="somebody else, later")
    browser = acme.browser()
    refused = come_in(browser)
    assert refused.status == NOT_LET_IN and b"has signed in to it" in refused.body
    assert not browser.signed_in


@pytest.mark.parametrize("role", ["viewer", "editor", "admin"])
def test_an_address_alone_takes_over_nobody_who_has_a_password(acme: Company, role: str) -> None:
    boss = acme.invite(role, password=True)
    acme.as_they_are(boss, sub="an attacker at the provider")
    browser = acme.browser()
    refused = come_in(browser)
    assert refused.status == NOT_LET_IN and b"connect the two" in refused.body
    assert not browser.signed_in
    [row] = acme.sql(
        "SELECT action, via, detail->>'reason' FROM bascule.audit WHERE user_id = %s"
        " AND via = 'oidc'",
        boss.id,
    )
    assert row == ("sign-in.failed", "oidc", "not connected")


def test_an_address_alone_takes_over_nobody_for_whom_a_machine_acts(acme: Company) -> None:
    robot = acme.invite("editor")

    async def token() -> None:
        async with acme.running.hub.db.session() as session:
            await issue_token(session, "nightly", await users.find_person(session, robot.id))

    acme.running.run(token())
    acme.as_they_are(robot)
    assert come_in(acme.browser()).status == NOT_LET_IN


def test_an_address_alone_makes_nobody_an_admin(acme: Company) -> None:
    boss = acme.invite("admin")
    acme.as_they_are(boss)
    browser = acme.browser()
    refused = come_in(browser)
    assert refused.status == NOT_LET_IN and b"invited as an admin" in refused.body
    assert not browser.signed_in


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({"email_verified": False}, b"really yours"),
        ({"email_verified": "true"}, b"really yours"),
        ({"email_verified": None}, b"really yours"),
        ({"email": None}, b"did not tell your e-mail address"),
        ({"email": "nobody-of-ours@example.com"}, b"was invited"),
        ({"email": ["anna@example.com"]}, b"did not tell your e-mail address"),
    ],
)
def test_who_is_not_vouched_for_or_not_invited_is_told_so(
    acme: Company, claims: Claims, said: bytes
) -> None:
    anna = acme.invite()
    acme.as_they_are(anna, sub=uuid4().hex, **claims)
    browser = acme.browser()
    refused = come_in(browser)
    assert refused.status == NOT_LET_IN and said in refused.body, refused
    assert not browser.signed_in
    assert acme.sql("SELECT 1 FROM bascule.identities WHERE user_id = %s", anna.id) == []


def test_who_was_deactivated_does_not_come_in(acme: Company) -> None:
    anna, boris = acme.invite(), acme.invite()
    acme.as_they_are(anna)
    browser = acme.browser()
    assert come_in(browser).status == 303
    admin = Api(acme.running.url, acme.running.token)
    for each in (anna, boris):
        assert admin.patch(f"/api/users/{each.id}", {"active": False}).status == 200
        acme.as_they_are(each)
        refused = come_in(acme.browser())
        assert refused.status == NOT_LET_IN and b"is deactivated" in refused.body
    assert not browser.signed_in


def test_a_reset_ends_it(acme: Company) -> None:
    anna = acme.invite()
    acme.as_they_are(anna)
    assert come_in(acme.browser()).status == 303

    async def reset() -> None:
        async with acme.running.hub.db.session() as session:
            await users.reset(session, anna.id)

    acme.running.run(reset())
    assert come_in(acme.browser()).status == NOT_LET_IN


def forged(algorithm: str, key: Any) -> Callable[[Claims, Key], str]:
    return lambda claims, own: jwt.encode(claims, key, algorithm, headers={"kid": own.kid})


def hs256_with_the_public_key(claims: Claims, key: Key) -> str:
    """By hand: the library refuses to do it."""
    import hashlib
    import hmac

    def part(said: Any) -> bytes:
        return base64.urlsafe_b64encode(json.dumps(said).encode()).rstrip(b"=")

    signed = part({"alg": "HS256", "typ": "JWT", "kid": key.kid}) + b"." + part(claims)
    mark = hmac.digest(key.pem, signed, hashlib.sha256)
    return (signed + b"." + base64.urlsafe_b64encode(mark).rstrip(b"=")).decode()


def with_its_own_key(claims: Claims, key: Key) -> str:
    """The key that it is to be checked with comes in its header."""
    another = Key(key.kid)
    return another.sign(claims, jwk=another.jwk)


def touched(claims: Claims, key: Key) -> str:
    head, _, mark = key.sign(claims).split(".")
    text = json.dumps({**claims, "sub": "the admin"}).encode()
    return f"{head}.{base64.urlsafe_b64encode(text).rstrip(b'=').decode()}.{mark}"


FORGERIES: dict[str, Callable[[Claims, Key], str]] = {
    "none": forged("none", None),
    "HS256 with the client secret": forged("HS256", SECRET * 2),
    "HS256 with the public key": hs256_with_the_public_key,
    "another key of the same name": lambda claims, key: Key(key.kid).sign(claims),
    "a key in its header": with_its_own_key,
    "changed after it was signed": touched,
    "no token": lambda claims, key: "anna",
    "an endless token": lambda claims, key: "e30." * 20_000,
}


@pytest.mark.parametrize("way", FORGERIES)
def test_an_id_token_that_the_provider_did_not_sign_opens_nothing(acme: Company, way: str) -> None:
    anna = acme.invite()
    acme.as_they_are(anna)
    acme.provider.forge = FORGERIES[way]
    browser = acme.browser()
    refused = come_in(browser)
    assert refused.status == 502 and b"cannot be believed" in refused.body, refused
    assert not browser.signed_in


def without(name: str) -> Callable[[Claims], Any]:
    return lambda claims: claims.pop(name)


def saying(**more: Any) -> Callable[[Claims], Any]:
    return lambda claims: claims.update(more)


LIES: dict[str, Callable[[Claims], Any]] = {
    "another issuer": saying(iss="https://evil.example.com"),
    "no issuer": without("iss"),
    "another audience": saying(aud="another-program"),
    "no audience": without("aud"),
    "several audiences, asked for by another": saying(aud=[CLIENT, "other"], azp="other"),
    "several audiences, asked for by nobody": saying(aud=[CLIENT, "other"]),
    "asked for by another": saying(azp="other"),
    "over": lambda claims: claims.update(exp=int(time.time()) - 120),
    "without an end": without("exp"),
    "to come": lambda claims: claims.update(iat=int(time.time()) + 3600),
    "of long ago": lambda claims: claims.update(iat=int(time.time()) - 7200),
    "of no time": saying(iat="yesterday"),
    "of the year 10,000,000": saying(auth_time=10**14),
    "another nonce": saying(nonce="of another sign-in"),
    "no nonce": without("nonce"),
    "a nonce that is no text": saying(nonce=["x"]),
    "nonces not supported, it says": lambda claims: claims.update(nonce="x", nonce_supported=False),
    "nobody": saying(sub=""),
    "a list of people": saying(sub=["anna"]),
    "a very long name": saying(sub="x" * 300),
}


@pytest.mark.parametrize("lie", LIES)
def test_an_id_token_that_is_not_for_this_sign_in_opens_nothing(acme: Company, lie: str) -> None:
    anna = acme.invite()
    acme.as_they_are(anna)
    acme.provider.lie = LIES[lie]
    browser = acme.browser()
    refused = come_in(browser)
    assert refused.status == 502 and b"cannot be believed" in refused.body, refused
    assert not browser.signed_in
