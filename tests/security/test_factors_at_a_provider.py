"""A sign-in by the provider is no way round the second factor, nor round an admin; and how one's
account there is connected.
"""

import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pyotp
import pytest

from bascule.accounts import throttle
from bascule.accounts.people import users
from bascule.accounts.provider.identities import unbind
from tests.accounts.authenticator import Authenticator
from tests.accounts.browsers import path_of, sent_on
from tests.accounts.company import Company, back_from, come_in, hub_of
from tests.accounts.provider import StandIn
from tests.kit.database import FreshSettings
from tests.kit.visitors import PASSWORD, Browser, Somebody, Visitor

FACTOR = "/api/auth/second-factor"


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle.Pace, "wait_at", lambda self, n: 0)


@pytest.fixture(scope="module")
def strict_hub(fresh_settings: FreshSettings, stand_in: StandIn) -> Iterator[Company]:
    """Admins have to have a second factor."""
    with hub_of(fresh_settings, stand_in, second_factor="admins", oidc_acr="gold") as company:
        yield company


@pytest.fixture
def strict(strict_hub: Company) -> Iterator[Company]:
    strict_hub.provider.anew()
    strict_hub.forget_keys()
    yield strict_hub
    strict_hub.provider.anew()


def signed_in(somebody: Somebody) -> Browser:
    browser = Browser(somebody.url)
    sent = browser.send("/sign-in", {"name": somebody.username, "password": PASSWORD})
    assert sent.status == 303 and browser.signed_in, sent
    return browser


def csrf_of(browser: Browser) -> str:
    page = browser.send("/settings").body.decode()
    return page.split('name="csrf_token" value="')[1].split('"')[0]


def leave_to_connect(browser: Browser) -> str:
    """Where the provider sends a browser back to that set out to connect its person's account."""
    page = browser.send("/settings/provider", {"csrf_token": csrf_of(browser)})
    assert page.status == 200, page
    where = page.body.decode().split('class="btn btn-primary w-100" href="')[1].split('"')[0]
    return sent_on(where.replace("&amp;", "&"))


def connect(somebody: Somebody, company: Company, **more: Any) -> Browser:
    browser = signed_in(somebody)
    company.as_they_are(somebody, **more)
    back = browser.send(path_of(leave_to_connect(browser)))
    assert (back.status, back.headers["location"]) == (303, "/settings"), back
    assert browser.send("/api/auth/provider").json["connected"]
    return browser


def test_who_has_a_password_connects_the_two_and_comes_in(acme: Company) -> None:
    boss = acme.invite("admin", password=True)
    connect(boss, acme, email_verified=False, email=None)  # they are known by what they sign in to
    asked = acme.provider.left[-1]
    assert asked["prompt"] == "login" and asked["max_age"] == "0"
    browser = acme.browser()
    assert come_in(browser).status == 303
    assert browser.send("/api/auth/me").json["role"] == "admin"
    actions = {row[0] for row in acme.sql("SELECT action FROM bascule.audit")}
    assert {"connect_provider", "connected_provider"} <= actions


def test_what_was_asked_for_one_account_connects_no_other(acme: Company) -> None:
    victim, mallory = acme.invite(password=True), acme.invite(password=True)
    acme.as_they_are(mallory)
    theirs = signed_in(mallory)
    back = path_of(leave_to_connect(theirs))
    at_home = signed_in(victim)
    refused = at_home.send(back)  # their page is opened in the victim's browser
    assert refused.status == 400
    with_cookie = signed_in(victim)
    with_cookie.cookies["bascule_oidc"] = theirs.cookies["bascule_oidc"]
    answer = with_cookie.send(back)
    assert (answer.status, answer.headers["location"]) == (303, "/settings")
    assert acme.sql("SELECT 1 FROM bascule.identities WHERE user_id = %s", victim.id) == []
    assert theirs.send(back).status == 400  # it was used up by that


def test_one_account_there_goes_with_one_here(acme: Company) -> None:
    anna, boris = acme.invite(password=True), acme.invite(password=True)
    connect(anna, acme)
    browser = signed_in(boris)
    acme.as_they_are(anna)
    answer = browser.send(path_of(leave_to_connect(browser)))
    assert answer.status == 303
    assert not browser.send("/api/auth/provider").json["connected"]
    again = signed_in(anna)
    acme.as_they_are(anna, sub="another account of hers")
    again.send(path_of(leave_to_connect(again)))
    rows = acme.sql("SELECT subject FROM bascule.identities WHERE user_id = %s", anna.id)
    assert rows == [(f"sub-of-{anna.username}",)]


def test_connecting_and_disconnecting_wants_the_password_again(acme: Company) -> None:
    anna = acme.invite(password=True)
    browser = connect(anna, acme)
    acme.sql("UPDATE bascule.sessions SET confirmed_at = now() - interval '1 hour'")
    csrf = csrf_of(browser)
    for path in ("/settings/provider", "/settings/provider/off"):
        assert browser.send(path, {"csrf_token": csrf}).status == 403
    form = {"csrf_token": csrf, "confirm_password": PASSWORD}
    assert browser.send("/settings/provider/off", form).status == 303
    acme.as_they_are(anna)
    assert come_in(acme.browser()).status == 403


def test_an_admin_disconnects_somebody_and_who_came_in_by_it_is_out(acme: Company) -> None:
    anna = acme.invite(password=True)
    at_home = connect(anna, acme)
    thief = acme.browser()
    assert come_in(thief).status == 303 and thief.signed_in

    async def disconnected() -> None:
        async with acme.running.hub.db.session() as session:
            found = await users.find_person(session, anna.id)
            await unbind(session, found, by_admin=True)

    acme.running.run(disconnected())
    assert not thief.signed_in and at_home.signed_in
    assert come_in(acme.browser()).status == 403


def test_who_has_nothing_else_does_not_lock_themselves_out(acme: Company) -> None:
    anna = acme.invite()
    acme.as_they_are(anna)
    browser = acme.browser()
    assert come_in(browser, anew="yes").status == 303
    answer = browser.send("/settings/provider/off", {"csrf_token": csrf_of(browser)})
    assert answer.status == 303
    assert browser.send("/api/auth/provider").json["connected"]


def test_what_needs_a_password_needs_a_sign_in_there_that_is_told(acme: Company) -> None:
    anna = acme.invite("editor")
    acme.as_they_are(anna)
    browser = acme.browser()
    make = {"name": "nightly", "scope": "read", "days": "90"}

    def made() -> int:
        return browser.send("/settings/tokens", make | {"csrf_token": csrf_of(browser)}).status

    assert come_in(browser).status == 303
    assert made() == 403  # it does not tell when they gave their password there
    acme.provider.lie = lambda claims: claims.update(auth_time=int(time.time()) - 3600)
    assert come_in(browser, anew="yes").status == 303
    assert made() == 403  # and an hour ago is too long ago, whatever was asked for
    acme.provider.lie = lambda claims: claims.update(auth_time=int(time.time()) + 36_000)
    assert come_in(browser).status == 303
    acme.sql("UPDATE bascule.sessions SET confirmed_at = confirmed_at - interval '11 minutes'")
    assert made() == 403  # nor is it kept for longer by a moment to come
    acme.provider.anew()
    acme.as_they_are(anna)
    assert come_in(browser, next="/settings", anew="yes").status == 303
    assert made() == 201


def set_up_app(company: Company, somebody: Somebody) -> pyotp.TOTP:
    visitor = somebody.visit()
    secret = visitor.post(FACTOR).json["secret"]
    code = pyotp.TOTP(secret).at(time.time() - 30)
    assert visitor.post(f"{FACTOR}/confirm", {"code": code}).status == 200
    return pyotp.TOTP(secret)


def test_an_app_is_asked_for_after_the_provider_too(acme: Company) -> None:
    anna = acme.invite(password=True)
    connect(anna, acme)
    app = set_up_app(acme, anna)
    browser = acme.browser()
    half = come_in(browser, next="/data")
    assert half.headers["location"] == "/sign-in/code?next=%2Fdata"
    assert not browser.signed_in
    assert browser.send("/sign-in/code", {"code": "000000"}).status == 422
    assert browser.send("/sign-in/code", {"code": app.now(), "next": "/data"}).status == 303
    assert browser.signed_in
    rows = acme.sql("SELECT action, via FROM bascule.audit WHERE user_id = %s", anna.id)
    assert ("sign-in", "oidc") in rows and ("sign-in.wrong-code", "oidc") in rows
    # Where it tells of a second factor there, none is asked for here.
    acme.as_they_are(anna, amr=["pwd", "otp", "mfa"])
    browser = acme.browser()
    assert come_in(browser).headers["location"] == "/"
    assert browser.signed_in
    for amr in ("mfa", ["pwd"], ["MFA"], {"mfa": 1}, [["mfa"]]):
        acme.as_they_are(anna, amr=amr)
        assert come_in(acme.browser()).headers["location"].startswith("/sign-in/code")


def test_an_admin_without_a_factor_stays_as_an_editor_unless_the_provider_tells_of_one(
    strict: Company,
) -> None:
    boss = strict.invite("admin", password=True)
    connect(boss, strict)

    def may_see_people(**told: Any) -> bool:
        strict.as_they_are(boss, **told)
        browser = strict.browser()
        assert come_in(browser).headers["location"] == "/"
        return browser.send("/api/users").status == 200

    assert not may_see_people()
    assert not may_see_people(amr=["pwd"], acr="silver")
    assert may_see_people(amr=["mfa"])
    assert may_see_people(acr="gold")
    # Of that session alone: with the password they have none.
    assert signed_in(boss).send("/api/users").status == 403


def test_a_passkey_is_the_second_factor_of_an_admin(strict: Company) -> None:
    boss = strict.invite("admin", password=True)
    origin = strict.running.url.replace("127.0.0.1", "localhost")
    visitor = Visitor(origin, boss.visit().token)
    assert visitor.get("/api/users").status == 403
    device = Authenticator(origin)
    made = device.create(visitor.post("/api/auth/passkeys/begin").json["options"])
    added = visitor.post("/api/auth/passkeys", {"name": "Key", "credential": made})
    assert added.status == 201 and len(added.json["recovery_codes"]) == 10
    assert visitor.get("/api/users").status == 200
    assert visitor.get(FACTOR).json["passkeys"] == 1


@pytest.mark.parametrize(
    ("setting", "told", "asked"),
    [
        ("always", {}, False),
        ("never", {"amr": ["mfa"]}, True),
        ("told", {}, True),
        ("told", {"amr": ["mfa"]}, False),
    ],
)
def test_what_counts_as_a_second_factor_is_a_setting(
    acme: Company, monkeypatch: pytest.MonkeyPatch, setting: str, told: Any, asked: bool
) -> None:
    anna = acme.invite(password=True)
    connect(anna, acme)
    set_up_app(acme, anna)
    monkeypatch.setattr(acme.running.settings, "oidc_second_factor", setting)
    acme.as_they_are(anna, **told)
    to = come_in(acme.browser()).headers["location"]
    assert to.startswith("/sign-in/code") is asked


@pytest.fixture
def open_to(acme: Company, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def set_to(role: str, domains: str) -> None:
        monkeypatch.setattr(acme.running.settings, "oidc_new_people", role)
        monkeypatch.setattr(acme.running.settings, "oidc_domains", domains)

    return set_to


def test_others_are_made_where_a_setting_says_so_of_their_domain(
    acme: Company, open_to: Callable[..., None]
) -> None:
    open_to("viewer", "acme.example, ACME.test")
    for email, status in (
        ("new.person@acme.example", 303),
        ("new.person@acme.test", 303),
        ("x@evil.example", 403),
        ("x@acme.example.evil.example", 403),
        ("x@evil.example@acme.example", 403),
        ("x@sub.acme.example", 403),
    ):
        acme.provider.person = {"sub": email, "email": email, "email_verified": True}
        browser = acme.browser()
        assert come_in(browser).status == status, email
        if status == 303:
            me = browser.send("/api/auth/me").json
            assert (me["role"], me["email"]) == ("viewer", email)
            assert me["username"].startswith("new.person") and not me["has_password"]
    acme.provider.person = {"sub": "no", "email": "y@acme.example", "email_verified": False}
    assert come_in(acme.browser()).status == 403


def test_only_accounts_of_the_domain_are_connected(
    acme: Company, open_to: Callable[..., None]
) -> None:
    anna = acme.invite(password=True)
    open_to("nobody", "acme.example")
    browser = signed_in(anna)
    acme.as_they_are(anna, email="anna@private.example")
    browser.send(path_of(leave_to_connect(browser)))
    assert not browser.send("/api/auth/provider").json["connected"]
    acme.as_they_are(anna, email="anna@acme.example")
    browser.send(path_of(leave_to_connect(browser)))
    assert browser.send("/api/auth/provider").json["connected"]


def test_the_half_of_a_sign_in_is_no_answer_of_the_provider(acme: Company) -> None:
    """Cookies of one question do not answer another."""
    anna = acme.invite(password=True)
    connect(anna, acme)
    set_up_app(acme, anna)
    browser = acme.browser()
    come_in(browser)
    back = back_from(browser)
    browser.cookies["bascule_oidc"] = browser.cookies["bascule_half"]
    assert browser.send(path_of(back)).status == 400
    state = dict(parse_qsl(urlsplit(back).query))["state"]
    browser.cookies["bascule_session"] = state
    assert not browser.signed_in
