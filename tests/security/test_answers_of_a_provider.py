"""What comes between a browser, the hub and the sign-in provider, and what a provider may say."""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from tests.accounts.browsers import path_of
from tests.accounts.company import Company, back_from, come_in
from tests.accounts.provider import SECRET, Key
from tests.kit.hub import RunningHub
from tests.kit.visitors import Browser


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


@pytest.mark.parametrize("host", ["169.254.169.254", "[fe80::1]", "100.100.100.200", "0.0.0.0"])
def test_where_clouds_keep_credentials_is_never_asked(acme: Company, host: str) -> None:
    acme.as_they_are(acme.invite())
    acme.provider.describe = {"token_endpoint": f"https://{host}/latest/token"}
    refused = come_in(acme.browser())
    assert refused.status == 502 and b"never connects to" in refused.body, refused


def test_who_comes_while_it_is_away_is_told_at_once(
    acme: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme.provider.answers = {"/.well-known/openid-configuration": (503, b"{}")}
    for _ in range(5):
        assert acme.browser().send("/sign-in/oidc").status == 502
    assert len(acme.provider.asked) == 1
    acme.provider.answers = {}
    monkeypatch.setattr("bascule.accounts.provider.client.NOT_AGAIN", 0.0)
    assert acme.browser().send("/sign-in/oidc").status == 303


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
    monkeypatch.setattr("bascule.accounts.sign_in.challenges.MOST", 5)
    browser = acme.browser()
    for _ in range(8):
        assert browser.send("/sign-in/oidc").status == 303
    [(left,)] = acme.sql(
        "SELECT count(*) FROM bascule.challenges WHERE network = %s", browser.visitor.address
    )
    assert left == 5


def test_a_hub_without_a_provider_has_no_such_way(acme: Company, running_hub: RunningHub) -> None:
    browser = Browser(running_hub.url)
    assert b"Sign in with Acme" not in browser.send("/sign-in").body
    for path in ("/sign-in/oidc", "/sign-in/oidc/callback?state=x&code=y"):
        assert browser.send(path).status in (400, 404)
