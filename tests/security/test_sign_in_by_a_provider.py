"""Sign-in by the company's OpenID Connect provider: who gets in, and what of a provider, a browser
or a stranger between them does not.
"""

import base64
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit
from uuid import uuid4

import jwt
import psycopg
import pytest

from accounts.browsers import Browser, path_of, sent_on
from accounts.provider import CLIENT, SECRET, Claims, Key, StandIn
from accounts.visitors import Answer, Somebody
from api.conftest import Api, RunningHub
from bascule.accounts import people
from bascule.accounts.provider import Provider
from bascule.accounts.signing_in import welcome
from databases import FreshSettings

PASSWORD = "four words that rhyme"
NOT_LET_IN = 403


@dataclass
class Company:
    """A hub with a provider, and who was invited to it."""

    running: RunningHub
    provider: StandIn

    def invite(self, role: str = "viewer", *, password: bool = False, email: str = "") -> Somebody:
        name = f"{role}-{uuid4().hex[:8]}"
        address = email or f"{name}@example.com"

        async def invited() -> int:
            async with self.running.hub.db.session() as session:
                user, link = await people.invite(session, name, email=address, role=role)
                number = user.id
            if password:
                await welcome(self.running.hub, link, PASSWORD)
            return number

        return Somebody(
            self.running.run(invited()), name, address, role, PASSWORD, self.running.url
        )

    def as_they_are(self, somebody: Somebody, **more: Any) -> None:
        """Who is signed in at the provider."""
        self.provider.person = {
            "sub": f"sub-of-{somebody.username}",
            "email": somebody.email,
            "email_verified": True,
            **more,
        }

    def browser(self) -> Browser:
        return Browser(self.running.url)

    def sql(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        url = self.running.settings.database_url
        assert url is not None
        with psycopg.connect(url.get_secret_value(), autocommit=True) as conn:
            found = conn.execute(statement.encode(), values)
            return found.fetchall() if found.description else []

    def forget_keys(self) -> None:
        """As if it were an hour later."""
        self.running.run(self._forget())

    async def _forget(self) -> None:
        found: Provider | None = self.running.hub.shared.pop(Provider, None)
        if found is not None:
            await found.close()


def come_in(browser: Browser, next: str = "", anew: str = "") -> Answer:
    """All the way there and back; the answer to the callback."""
    return browser.send(path_of(back_from(browser, next, anew)))


def back_from(browser: Browser, next: str = "", anew: str = "") -> str:
    """Where the provider sends the browser back to."""
    query = urlencode({name: value for name, value in (("next", next), ("anew", anew)) if value})
    left = browser.send(f"/sign-in/oidc?{query}")
    assert left.status == 303, left
    return sent_on(left.headers["location"])


@pytest.fixture(scope="module")
def stand_in() -> Iterator[StandIn]:
    with StandIn() as provider:
        yield provider


@pytest.fixture(scope="module")
def running(fresh_settings: FreshSettings, stand_in: StandIn) -> Iterator[RunningHub]:
    with (
        fresh_settings(
            trusted_proxies="127.0.0.1",
            oidc_issuer=stand_in.url,
            oidc_client_id=CLIENT,
            oidc_client_secret=SECRET,
            oidc_name="Acme",
        ) as settings,
        RunningHub(settings, worker=False) as running,
    ):
        yield running


@pytest.fixture
def acme(running: RunningHub, stand_in: StandIn) -> Iterator[Company]:
    company = Company(running, stand_in)
    stand_in.anew()
    company.forget_keys()
    yield company
    stand_in.anew()


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
            await people.reset(session, anna.id)

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


def test_an_answer_is_good_once_and_in_the_browser_that_asked(acme: Company) -> None:
    anna = acme.invite()
    acme.as_they_are(anna)
    victim, attacker = acme.browser(), acme.browser()
    # Login CSRF: the attacker's own answer, brought into the victim's browser.
    theirs = path_of(back_from(attacker))
    refused = victim.send(theirs)
    assert refused.status == 400 and b"not begun in this browser" in refused.body
    # A victim who has set out themselves is not signed in as somebody else either.
    mine = back_from(victim)
    assert victim.send(theirs).status == 400 and not victim.signed_in
    # A code that was caught on its way, with a state of the attacker's own.
    caught = dict(parse_qsl(urlsplit(mine).query))["code"]
    own = dict(parse_qsl(urlsplit(back_from(attacker)).query))["state"]
    mixed = f"/sign-in/oidc/callback?{urlencode({'code': caught, 'state': own})}"
    assert attacker.send(mixed).status == 502  # PKCE: the provider does not take it
    assert not attacker.signed_in
    # Replayed, whole.
    assert victim.send(path_of(mine)).status == 502  # its code was used
    fresh = path_of(back_from(victim))
    assert victim.send(fresh).status == 303 and victim.signed_in
    assert victim.send(fresh).status == 400
    assert acme.browser().send(fresh).status == 400


def test_an_answer_that_comes_late_or_with_a_made_up_state_is_none(acme: Company) -> None:
    acme.as_they_are(acme.invite())
    browser = acme.browser()
    back = path_of(back_from(browser))
    acme.sql("UPDATE bascule.challenges SET asked_at = now() - interval '11 minutes'")
    assert browser.send(back).status == 400
    for state in ("", "x", "%00", "%ff", "a" * 4000):
        answer = browser.send(f"/sign-in/oidc/callback?code=x&state={state}")
        assert answer.status in (400, 422), (state, answer)
    assert browser.send("/sign-in/oidc/callback").status == 400
    assert not browser.signed_in


def test_another_provider_that_answers_is_not_asked_for_tokens(acme: Company) -> None:
    acme.as_they_are(acme.invite())
    browser = acme.browser()
    back = path_of(back_from(browser))
    mixed_up = browser.send(f"{back}&iss=https%3A%2F%2Fevil.example.com")
    assert mixed_up.status == 400 and b"not of the sign-in service" in mixed_up.body
    assert acme.provider.exchanges == []
    acme.provider.describe = {"authorization_response_iss_parameter_supported": True}
    acme.forget_keys()
    assert come_in(browser).status == 400  # it names itself always, it said
    assert acme.provider.exchanges == []
    back = path_of(back_from(browser))
    assert browser.send(f"{back}&{urlencode({'iss': acme.provider.url})}").status == 303


@pytest.mark.parametrize("error", ["access_denied", "server_error", "<script>alert(1)</script>"])
def test_a_no_of_the_provider_is_told_as_text(acme: Company, error: str) -> None:
    browser = acme.browser()
    state = dict(parse_qsl(urlsplit(back_from(browser)).query))["state"]
    said = urlencode({"error": error, "error_description": error, "state": state})
    refused = browser.send(f"/sign-in/oidc/callback?{said}")
    assert refused.status == 400 and b"<script>alert" not in refused.body
    assert acme.provider.exchanges == []


@pytest.mark.parametrize(
    "next",
    ["https://evil.example.com", "//evil.example.com", "/\\evil.example.com", "/%09/evil", "x:y"],
)
def test_it_leads_back_to_pages_of_the_hub_alone(acme: Company, next: str) -> None:
    acme.as_they_are(acme.invite())
    back = come_in(acme.browser(), next=next)
    assert back.status == 303
    assert back.headers["location"] in ("/", "/%09/evil")


def test_the_session_is_a_new_one_whatever_the_browser_had(acme: Company) -> None:
    acme.as_they_are(acme.invite())
    browser = acme.browser()
    browser.cookies["bascule_session"] = "known to an attacker"
    browser.cookies["bascule_oidc"] = "known, too"
    assert come_in(browser).status == 303
    assert browser.cookies["bascule_session"] != "known to an attacker" and browser.signed_in


DESCRIPTIONS: dict[str, Callable[[str], dict[str, Any]]] = {
    "another issuer": lambda url: {"issuer": "https://evil.example.com"},
    "an issuer with another slash": lambda url: {"issuer": f"{url}/"},
    "tokens without TLS": lambda url: {"token_endpoint": "http://evil.example.com/token"},
    "keys from a file": lambda url: {"jwks_uri": "file:///etc/passwd"},
    "keys that are not there": lambda url: {"jwks_uri": None},
    "a page that is a script": lambda url: {"authorization_endpoint": "javascript:alert(1)"},
    "a page with a name in it": lambda url: {"authorization_endpoint": "https://a:b@x.test/"},
    "no key of its own": lambda url: {"id_token_signing_alg_values_supported": ["none", "HS256"]},
    "PKCE that is none": lambda url: {"code_challenge_methods_supported": ["plain"]},
    "no code": lambda url: {"response_types_supported": ["id_token"]},
    "lists that are none": lambda url: {"response_types_supported": 5},
}


@pytest.mark.parametrize("lie", DESCRIPTIONS)
def test_a_discovery_document_that_does_not_fit_is_not_followed(acme: Company, lie: str) -> None:
    acme.provider.describe = DESCRIPTIONS[lie](acme.provider.url)
    acme.forget_keys()
    answer = acme.browser().send("/sign-in/oidc")
    assert answer.status == 502 and b"not as it has to be" in answer.body, answer
    assert {path for _, path in acme.provider.asked} == {"/.well-known/openid-configuration"}


BAD_ANSWERS = {
    "it fails": (500, b"{}"),
    "it is no JSON": (200, b"<html>"),
    "it is a list": (200, b"[]"),
    "it is nested without end": (200, b"[" * 200_000),
    "it is larger than it can be": (200, b'{"a":"' + b"x" * 600_000 + b'"}'),
    "it leads elsewhere": (302, b""),
}


@pytest.mark.parametrize("way", BAD_ANSWERS)
@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/keys", "/token"])
def test_an_answer_of_the_provider_that_is_none_is_told(acme: Company, path: str, way: str) -> None:
    acme.as_they_are(acme.invite())
    browser = acme.browser()
    acme.provider.answers = {path: BAD_ANSWERS[way]}
    if path == "/.well-known/openid-configuration":
        refused = browser.send("/sign-in/oidc")
    else:
        refused = come_in(browser)
    assert refused.status == 502, refused
    assert b"next" in refused.body and b"sign-in service" in refused.body
    assert ("GET", "/elsewhere") not in acme.provider.asked
    assert not browser.signed_in


def test_new_keys_of_the_provider_are_taken_and_old_ones_forgotten(acme: Company) -> None:
    anna = acme.invite()
    acme.as_they_are(anna)
    assert come_in(acme.browser()).status == 303
    first = acme.provider.keys
    acme.provider.keys = [Key("second")]
    try:
        # Asked for anew at most every 20 seconds, so that tokens of strangers cost it little.
        acme.forget_keys()
        assert come_in(acme.browser()).status == 303
        acme.provider.forge = lambda claims, key: first[0].sign(claims)
        assert come_in(acme.browser()).status == 502
        asked = [path for _, path in acme.provider.asked if path == "/keys"]
        assert len(asked) <= 3
    finally:
        acme.provider.keys = first


def test_an_address_that_only_userinfo_tells_is_taken_of_the_same_person(acme: Company) -> None:
    anna = acme.invite()
    acme.provider.person = {"sub": "only-sub"}
    acme.provider.userinfo = {"sub": "another", "email": anna.email, "email_verified": True}
    assert come_in(acme.browser()).status == 502
    acme.provider.userinfo = {"sub": "only-sub", "email": anna.email, "email_verified": True}
    assert come_in(acme.browser()).status == 303


def test_nothing_of_it_is_kept_that_opens_anything(acme: Company) -> None:
    acme.as_they_are(acme.invite())
    browser = acme.browser()
    back = back_from(browser)
    asked = acme.provider.left[-1]
    said = dict(parse_qsl(urlsplit(back).query))
    kept = repr(acme.sql("SELECT c::text FROM bascule.challenges c"))
    browser.send(path_of(back))
    kept += repr(acme.sql("SELECT a::text FROM bascule.audit a"))
    kept += repr(acme.sql("SELECT i::text FROM bascule.identities i"))
    verifier = acme.provider.exchanges[-1]["code_verifier"]
    for secret in (said["code"], said["state"], asked["nonce"], verifier, SECRET):
        assert secret not in kept
    assert browser.cookies["bascule_session"] not in kept


def test_who_asks_without_end_fills_nothing(acme: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bascule.accounts.challenges.MOST", 5)
    browser = acme.browser()
    for _ in range(8):
        assert browser.send("/sign-in/oidc").status == 303
    [(left,)] = acme.sql(
        "SELECT count(*) FROM bascule.challenges WHERE network = %s", browser.visitor.address
    )
    assert left == 5


def test_a_hub_without_a_provider_has_no_such_way(acme: Company, accounts_hub: RunningHub) -> None:
    browser = Browser(accounts_hub.url)
    assert b"Sign in with Acme" not in browser.send("/sign-in").body
    for path in ("/sign-in/oidc", "/sign-in/oidc/callback?state=x&code=y"):
        assert browser.send(path).status in (400, 404)
