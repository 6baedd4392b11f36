"""Who has a passkey comes in with it; who lures them to another page, copies what was signed or
has the password alone does not.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from html import unescape
from typing import Any

import pytest

from bascule.accounts import throttle
from tests.accounts.authenticator import Authenticator, b64, raw
from tests.kit.api import Answer
from tests.kit.hub import RunningHub
from tests.kit.visitors import Browser, Somebody, Visitor

Make = Callable[..., Somebody]
Sql = Callable[..., list[tuple[Any, ...]]]
HERE = "/api/auth/passkeys"
EVIL = "http://localhost.evil.example.com"


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle.Pace, "wait_at", lambda self, n: 0.02 if n > self.free else 0)


@pytest.fixture
def origin(running_hub: RunningHub) -> str:
    """Where browsers of this machine have passkeys."""
    return running_hub.url.replace("127.0.0.1", "localhost")


Add = Callable[..., tuple[Authenticator, list[str]]]


@pytest.fixture
def add(origin: str) -> Add:
    """Gives somebody a passkey, as a program that is signed in for them; and the recovery codes."""

    def added(somebody: Somebody, visitor: Visitor | None = None, **more: Any) -> Any:
        visitor = visitor or somebody.visit()
        visitor = Visitor(origin, visitor.token)
        device = Authenticator(origin, **more)
        begun = visitor.post(f"{HERE}/begin")
        assert begun.status == 200, begun
        body = {"name": "Phone", "credential": device.create(begun.json["options"])}
        made = visitor.post(HERE, body)
        assert made.status == 201, made
        return device, made.json["recovery_codes"]

    return added


def asked(browser: Browser) -> dict[str, Any]:
    """What the sign-in page's script is told."""
    answer = browser.send("/sign-in/passkey/options", {})
    assert answer.status == 200, answer
    options: dict[str, Any] = answer.json
    return options


def signed(browser: Browser, credential: Any, next: str = "/") -> Answer:
    form = {"credential": json.dumps(credential), "next": next}
    return browser.send("/sign-in/passkey", form)


def half_way(somebody: Somebody, origin: str) -> tuple[Browser, dict[str, Any]]:
    """After the password, and what the page then asks the browser for."""
    browser = Browser(origin)
    browser.send("/sign-in", {"name": somebody.username, "password": somebody.password})
    return browser, options_in(browser.send("/sign-in/code"))


def test_a_passkey_is_a_whole_sign_in(make_person: Make, add: Add, origin: str, sql: Sql) -> None:
    anna = make_person()
    device, _ = add(anna)
    browser = Browser(origin)
    assert b"Sign in with a passkey" in browser.send("/sign-in").body
    options = asked(browser)
    assert options["userVerification"] == "required" and not options.get("allowCredentials")
    done = signed(browser, device.get(options), next="/data")
    assert (done.status, done.headers["location"]) == (303, "/data"), done
    assert browser.send("/api/auth/me").json["username"] == anna.username
    rows = sql("SELECT action, via FROM bascule.audit WHERE user_id = %s", [anna.id])
    assert ("sign-in", "passkey") in rows
    [kept] = browser.send(HERE).json["passkeys"]
    assert kept["name"] == "Phone" and kept["last_used_at"]


def test_with_a_passkey_the_password_alone_opens_nothing(
    make_person: Make, add: Add, origin: str
) -> None:
    anna = make_person()
    device, codes = add(anna, sees=False)  # a security key that only wants to be touched
    assert len(codes) == 10
    refused = anna.try_login()
    assert refused.status == 401 and "access_token" not in refused.json
    browser, options = half_way(anna, origin)
    assert not browser.signed_in
    assert [each["id"] for each in options["allowCredentials"]] == [b64(device.id)]
    answer = device.get(options)
    wrong = browser.send("/sign-in/code", {"credential": json.dumps(answer | {"id": b64(b"x")})})
    assert wrong.status == 422 and not browser.signed_in
    again = browser.send("/sign-in/code", {"credential": json.dumps(answer)})
    assert again.status == 422 and not browser.signed_in  # what was asked is over, right or wrong
    browser, options = half_way(anna, origin)
    done = browser.send("/sign-in/code", {"credential": json.dumps(device.get(options))})
    assert done.status == 303 and browser.signed_in
    # The recovery codes are for who has only passkeys, too.
    visitor = Visitor(anna.url)
    body = {"username": anna.username, "password": anna.password, "code": codes[0]}
    assert visitor.post("/api/auth/login", body).status == 200
    assert visitor.post("/api/auth/login", body).status == 422


def test_a_device_that_did_not_look_is_no_sign_in_by_itself(
    make_person: Make, add: Add, origin: str
) -> None:
    anna = make_person()
    device, _ = add(anna)
    device.sees = False
    browser = Browser(origin)
    assert signed(browser, device.get(asked(browser))).status == 401
    assert not browser.signed_in


LIES: dict[str, Callable[[Authenticator], Any]] = {
    "another page": lambda device: replace(device, origin=EVIL),
    "another port": lambda device: replace(device, origin="http://localhost:1"),
    "without a port": lambda device: replace(device, origin="http://localhost"),
    "the number of the machine": lambda device: replace(
        device, origin=device.origin.replace("localhost", "127.0.0.1")
    ),
    "no page": lambda device: replace(device, origin="null"),
    "another host": lambda device: replace(device, rp_id="evil.example.com"),
    "within another page": lambda device: replace(device, cross_origin=True),
    "nobody was there": lambda device: replace(device, present=False),
    "another key": lambda device: Authenticator(device.origin, id=device.id, handle=device.handle),
    "another handle": lambda device: replace(device, handle=b64(b"somebody else")),
    "no handle": lambda device: replace(device, handle=""),
    "a passkey that is not here": lambda device: replace(device, id=b"unknown" * 4),
}


@pytest.mark.parametrize("lie", LIES)
def test_what_was_signed_elsewhere_or_by_another_key_opens_nothing(
    make_person: Make, add: Add, origin: str, lie: str
) -> None:
    anna = make_person()
    device, _ = add(anna)
    browser = Browser(origin)
    refused = signed(browser, LIES[lie](device).get(asked(browser)))
    assert refused.status == 401 and b"was not taken" in refused.body
    assert not browser.signed_in


def test_what_was_signed_is_good_once_in_the_browser_that_asked_for_this(
    make_person: Make, add: Add, origin: str, sql: Sql
) -> None:
    anna = make_person()
    device, _ = add(anna)
    victim, attacker = Browser(origin), Browser(origin)
    answer = device.get(asked(victim))
    assert signed(attacker, answer).status == 401  # relayed, without ever asking
    asked(attacker)
    assert signed(attacker, answer).status == 401
    assert signed(victim, answer).status == 303
    assert signed(victim, answer).status == 401  # replayed
    late = device.get(asked(attacker))
    sql("UPDATE bascule.challenges SET asked_at = now() - interval '11 minutes'")
    assert signed(attacker, late).status == 401
    # Asked for to add a passkey, and for the second half of a sign-in, and used for a whole one.
    begun = Visitor(origin)
    assert begun.post(f"{HERE}/begin").status == 401
    browser, options = half_way(anna, origin)
    browser.cookies["bascule_passkey"] = browser.cookies["bascule_half"]
    assert signed(browser, device.get(options)).status == 401
    assert signed(browser, device.get(asked(browser), kind="webauthn.create")).status == 401
    assert not browser.signed_in and not attacker.signed_in


def test_another_persons_passkey_is_no_second_factor(
    make_person: Make, add: Add, origin: str
) -> None:
    anna, mallory = make_person(), make_person()
    add(anna)
    theirs, _ = add(mallory)
    browser, options = half_way(anna, origin)
    form = {"credential": json.dumps(theirs.get(options))}
    assert browser.send("/sign-in/code", form).status == 422
    assert not browser.signed_in


def test_a_copy_of_a_key_is_seen(make_person: Make, add: Add, origin: str, sql: Sql) -> None:
    anna = make_person()
    device, _ = add(anna)
    copy = device.copied()
    browser, thief = Browser(origin), Browser(origin)
    for _ in range(2):
        assert signed(browser, device.get(asked(browser))).status == 303
    assert signed(thief, copy.get(asked(thief))).status == 401
    assert not thief.signed_in
    reason = sql(
        "SELECT detail->>'reason' FROM bascule.audit"
        " WHERE user_id = %s AND action = 'sign-in.failed'",
        [anna.id],
    )
    assert "copy" in reason[0][0]
    # A device that does not count at all, as those that keep passkeys in several places.
    silent, _ = add(make_person(), counts=False)
    for _ in range(2):
        assert signed(browser, silent.get(asked(browser))).status == 303


JUNK: list[Any] = [
    None,
    5,
    [],
    {},
    {"response": {}},
    {"response": {"clientDataJSON": "!"}},
    {"response": {"clientDataJSON": b64(b"[]")}},
    {"response": {"clientDataJSON": b64(b'{"type":1,"challenge":2,"origin":3}')}},
    {"id": 5, "response": {"clientDataJSON": b64(b"\xff")}},
    {"response": "x" * 19_000},
]


@pytest.mark.parametrize("junk", JUNK, ids=repr)
def test_what_is_no_credential_is_refused_in_words(
    make_person: Make, origin: str, junk: Any
) -> None:
    browser = Browser(origin)
    asked(browser)
    refused = signed(browser, junk)
    assert refused.status == 401 and b"was not taken" in refused.body
    visitor = Visitor(origin, make_person().visit().token)
    assert visitor.post(f"{HERE}/begin").status == 200
    answer = visitor.post(HERE, {"name": "x", "credential": junk})
    assert answer.status == 422, answer


@pytest.mark.parametrize("part", ["authenticatorData", "signature", "attestationObject"])
def test_what_is_cut_or_made_up_in_it_is_refused(
    make_person: Make, add: Add, origin: str, part: str
) -> None:
    anna = make_person()
    device, _ = add(anna)
    visitor = Visitor(origin, Somebody.visit(make_person()).token)
    for made_up in (b"", b"\x00", b"\xa1" * 40, b"\x9f" * 5000, bytes(400)):
        browser = Browser(origin)
        if part == "attestationObject":
            made = Authenticator(origin).create(visitor.post(f"{HERE}/begin").json["options"])
            made["response"][part] = b64(made_up)
            assert visitor.post(HERE, {"name": "x", "credential": made}).status == 422
        else:
            answer = device.get(asked(browser))
            answer["response"][part] = b64(made_up)
            assert signed(browser, answer).status == 401 and not browser.signed_in


def test_adding_and_removing_wants_the_password_again_and_no_token_does_it(
    make_person: Make, add: Add, origin: str, make_token: Callable[..., str], sql: Sql
) -> None:
    anna = make_person("admin")
    visitor = Visitor(origin, anna.visit().token)
    add(anna, visitor)
    number = visitor.get(HERE).json["passkeys"][0]["id"]
    machine = visitor.with_token(make_token(anna, scope="admin"))
    ways = (("POST", f"{HERE}/begin"), ("POST", HERE), ("DELETE", f"{HERE}/{number}"))
    body = {"name": "x", "credential": {}}
    for method, path in ways:
        assert machine.ask(method, path, body if path == HERE else None).status == 403
    past = "UPDATE bascule.refresh_families SET confirmed_at = now() - interval '1 hour'"
    sql(f"{past} WHERE user_id = %s", [anna.id])
    for method, path in ways:
        assert visitor.ask(method, path, body if path == HERE else None).status == 403
    other = make_person()
    theirs = Visitor(origin, other.visit().token)
    assert theirs.delete(f"{HERE}/{number}").status == 404
    assert theirs.patch(f"{HERE}/{number}", {"name": "mine"}).status == 404
    assert visitor.post("/api/auth/confirm", {"password": anna.password}).status == 200
    assert visitor.patch(f"{HERE}/{number}", {"name": "Old phone"}).json["name"] == "Old phone"
    assert visitor.delete(f"{HERE}/{number}").status == 200
    assert anna.try_login().status == 200
    assert sql("SELECT 1 FROM bascule.recovery_codes WHERE user_id = %s", [anna.id]) == []


def test_what_was_asked_of_one_sign_in_is_not_anothers(make_person: Make, origin: str) -> None:
    anna, mallory = make_person(), make_person()
    visitor, theirs = Visitor(origin, anna.visit().token), Visitor(origin, mallory.visit().token)
    options = visitor.post(f"{HERE}/begin").json["options"]
    made = Authenticator(origin).create(options)
    assert theirs.post(HERE, {"name": "x", "credential": made}).status == 422
    made = Authenticator(origin).create(visitor.post(f"{HERE}/begin").json["options"])
    assert visitor.post(HERE, {"name": "x", "credential": made}).status == 201
    assert visitor.post(HERE, {"name": "x", "credential": made}).status == 422
    taken = theirs.post(f"{HERE}/begin").json["options"]
    device = Authenticator(origin)
    device.id = raw(made["id"])
    assert theirs.post(HERE, {"name": "x", "credential": device.create(taken)}).status == 409


def test_an_admin_takes_away_what_somebody_lost_and_a_reset_does(
    make_person: Make, add: Add, admin: Visitor, origin: str
) -> None:
    anna = make_person()
    device, _ = add(anna)
    browser = Browser(origin)
    assert make_person("editor").visit().delete(f"/api/users/{anna.id}/passkeys").status == 403
    thief = Browser(origin)
    assert signed(thief, device.get(asked(thief))).status == 303
    assert admin.delete(f"/api/users/{anna.id}/passkeys").status == 200
    assert not thief.signed_in
    assert admin.delete(f"/api/users/{anna.id}/passkeys").status == 404
    assert signed(browser, device.get(asked(browser))).status == 401
    assert anna.try_login().status == 200
    again, _ = add(anna)
    assert admin.post(f"/api/users/{anna.id}/reset").status == 200
    assert signed(browser, again.get(asked(browser))).status == 401
    boris = make_person()
    theirs, _ = add(boris)
    assert admin.patch(f"/api/users/{boris.id}", {"active": False}).status == 200
    assert signed(browser, theirs.get(asked(browser))).status == 401


def test_there_are_none_at_an_address_that_browsers_have_none_at(
    make_person: Make, running_hub: RunningHub
) -> None:
    visitor = make_person().visit()  # at 127.0.0.1
    refused = visitor.post(f"{HERE}/begin")
    assert refused.status == 409 and "http://localhost" in refused.json["detail"]
    assert b"Sign in with a passkey" not in Browser(running_hub.url).send("/sign-in").body
    options = visitor.ask(
        "POST", "/sign-in/passkey/options", form={}, headers={"Host": "evil.example.com"}
    )
    assert options.status == 409


def browser_of(somebody: Somebody, device: Authenticator, origin: str) -> tuple[Browser, str]:
    """Signed in with a passkey, long enough ago for a password to be wanted again; and its CSRF."""
    browser = Browser(origin)
    assert signed(browser, device.get(asked(browser))).status == 303
    page = browser.send("/settings/passkeys").body.decode()
    return browser, page.split('name="csrf_token" value="')[1].split('"')[0]


def options_in(page: Answer) -> dict[str, Any]:
    told = page.body.decode().split('data-options="')[1].split('"')[0]
    options: dict[str, Any] = json.loads(unescape(told))
    return options


def test_a_passkey_says_that_it_is_them_where_the_password_is_wanted_again(
    make_person: Make, add: Add, origin: str, sql: Sql
) -> None:
    anna, mallory = make_person(), make_person()
    device, _ = add(anna)
    theirs, _ = add(mallory)
    browser, csrf = browser_of(anna, device, origin)
    past = "UPDATE bascule.sessions SET confirmed_at = now() - interval '1 hour' WHERE user_id = %s"
    sql(past, [anna.id])
    form = {"csrf_token": csrf, "name": "kept", "scope": "read", "days": "7"}
    page = browser.send("/settings/tokens", form)
    assert page.status == 403 and b'value="kept"' in page.body
    options = options_in(page)
    assert options["userVerification"] == "required"

    def confirmed(credential: Any, by: Browser = browser, csrf: str = csrf) -> int:
        said = {"csrf_token": csrf, "confirm_passkey": json.dumps(credential)}
        return by.send("/settings/tokens", form | said).status

    assert confirmed(theirs.get(options)) == 403
    assert confirmed(device.get(options)) == 403  # that question is over
    options = options_in(browser.send("/settings/tokens", form))
    assert confirmed(replace(device, sees=False).get(options)) == 403
    options = options_in(browser.send("/settings/tokens", form))
    other, other_csrf = browser_of(anna, device, origin)
    sql(past, [anna.id])
    assert confirmed(device.get(options), other, other_csrf) == 403  # asked of another browser
    cookie = asked(browser)
    assert confirmed(device.get(cookie)) == 403  # asked for a sign-in
    device.count += 100  # what was tried above counted in copies of it
    options = options_in(browser.send("/settings/tokens", form))
    assert confirmed(device.get(options)) == 201
    assert confirmed({}) == 201  # for ten minutes nothing is asked


def test_who_has_only_a_passkey_does_not_lock_themselves_out(
    make_person: Make, add: Add, origin: str, sql: Sql
) -> None:
    anna = make_person()
    visitor = Visitor(origin, anna.visit().token)
    add(anna, visitor)
    sql("UPDATE bascule.users SET password_hash = NULL WHERE id = %s", [anna.id])
    number = visitor.get(HERE).json["passkeys"][0]["id"]
    assert visitor.delete(f"{HERE}/{number}").status == 409
    assert len(visitor.get(HERE).json["passkeys"]) == 1
    add(anna, visitor)
    assert visitor.delete(f"{HERE}/{number}").status == 200


def test_names_of_passkeys_are_bounded_and_told_apart(
    make_person: Make, add: Add, origin: str
) -> None:
    anna = make_person()
    visitor = Visitor(origin, anna.visit().token)
    add(anna, visitor)
    add(anna, visitor)
    names = [each["name"] for each in visitor.get(HERE).json["passkeys"]]
    assert names == ["Phone", "Phone 2"]
    number = visitor.get(HERE).json["passkeys"][0]["id"]
    for name in ("", "   ", "x" * 101, "a\x00b", "a\u202eb"):
        assert visitor.patch(f"{HERE}/{number}", {"name": name}).status == 422, name
    browser, _ = half_way(anna, origin)
    page = browser.send("/sign-in/code").body
    assert b"Use a passkey" in page and b"Recovery code" in page
