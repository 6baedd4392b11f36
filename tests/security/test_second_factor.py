"""Who has the password, and not the authenticator app, does not get in; who lost the app does."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pyotp
import pytest

from bascule.accounts import throttle
from bascule.accounts.people import users
from bascule.accounts.sign_in.password_sign_in import welcome
from tests.kit.api import Answer
from tests.kit.database import FreshSettings
from tests.kit.hub import RunningHub
from tests.kit.visitors import Browser, Somebody, Visitor

Make = Callable[..., Somebody]
Sql = Callable[..., list[tuple[Any, ...]]]
HERE = "/api/auth/second-factor"


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle.Pace, "wait_at", lambda self, n: 0.02 if n > self.free else 0)


class App:
    """An authenticator app; each of its codes is asked for once, as a person would wait."""

    def __init__(self, secret: str, url: str, somebody: Somebody) -> None:
        self.totp, self.url, self.somebody = pyotp.TOTP(secret), url, somebody
        self.recovery: list[str] = []

    def code(self, away: int = 0) -> str:
        return self.totp.at(time.time() + away)


def set_up(somebody: Somebody) -> App:
    visitor = somebody.visit()
    begun = visitor.post(HERE)
    assert begun.status == 200, begun
    app = App(begun.json["secret"], somebody.url, somebody)
    assert pyotp.parse_uri(begun.json["uri"]).secret == begun.json["secret"]
    assert somebody.try_login().status == 200  # nothing has changed yet
    assert visitor.post(f"{HERE}/confirm", {"code": "000000"}).status == 422
    on = visitor.post(f"{HERE}/confirm", {"code": app.code(-30)})
    assert on.status == 200, on
    app.recovery = on.json["recovery_codes"]
    assert len(set(app.recovery)) == 10
    return app


def login(somebody: Somebody, code: str | None = None) -> Answer:
    body = {"username": somebody.username, "password": somebody.password}
    return Visitor(somebody.url).post("/api/auth/login", body | ({"code": code} if code else {}))


def test_the_password_alone_opens_nothing(make_person: Make) -> None:
    anna = make_person()
    app = set_up(anna)
    refused = login(anna)
    assert refused.status == 401 and "code" in refused.json["next_step"]
    assert "access_token" not in refused.json
    assert login(anna, "123456" if app.code() != "123456" else "654321").status == 422
    assert login(anna, app.code()).status == 200

    browser = Browser(anna.url)
    form = {"name": anna.username, "password": anna.password, "next": "/settings"}
    half = browser.send("/sign-in", form)
    assert (half.status, half.headers["location"]) == (303, "/sign-in/code?next=%2Fsettings")
    assert "bascule_session" not in browser.cookies
    assert not browser.signed_in
    assert browser.send("/sign-in/code?next=%2Fsettings").status == 200
    assert browser.send("/sign-in/code", {"code": "000000"}).status == 422
    assert not browser.signed_in
    done = browser.send("/sign-in/code", {"code": app.recovery[0], "next": "/settings"})
    assert (done.status, done.headers["location"]) == (303, "/settings")
    assert browser.signed_in


def test_no_code_and_no_recovery_code_works_twice(make_person: Make) -> None:
    anna = make_person()
    app = set_up(anna)
    code = app.code()
    assert login(anna, code).status == 200
    assert login(anna, code).status == 422
    assert login(anna, app.code(-30)).status == 422  # nor an older one
    for recovery in app.recovery[:2]:
        assert login(anna, recovery.upper().replace("-", " ")).status == 200
        assert login(anna, recovery).status == 422
    other = make_person()
    theirs = set_up(other)
    assert login(anna, theirs.recovery[0]).status == 422


def test_a_code_from_long_ago_or_to_come_is_none(make_person: Make) -> None:
    anna = make_person()
    app = set_up(anna)
    for away in (-3600, -120, 120, 3600):
        assert login(anna, app.code(away)).status == 422


def test_guessing_at_codes_ends(make_person: Make, sql: Sql) -> None:
    anna = make_person()
    app = set_up(anna)
    statuses: list[int] = []

    def guess() -> None:
        for number in range(15):
            statuses.append(login(anna, f"{number:06}").status)

    threads = [threading.Thread(target=guess) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses.count(422) <= 30 and 200 not in statuses and 429 in statuses
    assert login(anna, app.recovery[0]).status == 429  # who guesses has the password: it is a wall
    sql("UPDATE bascule.sign_in_attempts SET last_at = now() - interval '61 minutes'")
    assert login(anna, app.recovery[0]).status == 200


def test_the_half_of_a_sign_in_ends_and_is_no_session(make_person: Make, sql: Sql) -> None:
    anna = make_person()
    app = set_up(anna)
    browser = Browser(anna.url)
    browser.send("/sign-in", {"name": anna.username, "password": anna.password})
    browser.cookies["bascule_session"] = browser.cookies["bascule_half"]
    assert not browser.signed_in
    sql("UPDATE bascule.half_sign_ins SET expires_at = now() - interval '1 second'")
    late = browser.send("/sign-in/code", {"code": app.code()})
    assert late.status == 303 and late.headers["location"].startswith("/sign-in?next=")
    assert not browser.signed_in
    unknown = Browser(anna.url).send("/sign-in/code", {"code": app.code()})
    assert unknown.status == 303 and unknown.headers["location"].startswith("/sign-in?next=")


def test_a_reset_link_wants_the_code_too_and_an_admin_turns_a_lost_app_off(
    make_person: Make, admin: Visitor, sql: Sql
) -> None:
    anna = make_person()
    app = set_up(anna)
    link = urlsplit(admin.post(f"/api/users/{anna.id}/reset").json["link"]).path
    browser = Browser(anna.url)
    form = {"password": "another four words", "again": "another four words"}
    assert browser.send(link, form).headers["location"].startswith("/sign-in/code")
    assert not browser.signed_in
    assert browser.send("/sign-in/code", {"code": app.code()}).status == 303
    assert browser.signed_in

    assert make_person("editor").visit().delete(f"/api/users/{anna.id}/second-factor").status == 403
    assert admin.delete(f"/api/users/{anna.id}/second-factor").status == 200
    assert anna.try_login("another four words").status == 200
    assert admin.delete(f"/api/users/{anna.id}/second-factor").status == 404
    actions = [each["action"] for each in admin.get("/api/audit?limit=200").json["entries"]]
    assert {"turn_on_second_factor", "turn_off_factor_of_user"} <= set(actions)
    assert sql("SELECT count(*) FROM bascule.recovery_codes WHERE user_id = %s", [anna.id]) == [
        (0,)
    ]


def test_turning_it_on_or_off_wants_the_password_again_and_no_token_does_it(
    make_person: Make, make_token: Callable[..., str], stranger: Visitor, sql: Sql
) -> None:
    anna = make_person("admin")
    app = set_up(anna)
    visitor = Visitor(anna.url, login(anna, app.code()).json["access_token"])
    machine = stranger.with_token(make_token(anna))
    ways = (("POST", HERE), ("POST", f"{HERE}/recovery-codes"), ("DELETE", HERE))
    for method, path in ways:
        assert machine.ask(method, path).status == 403
    past = "UPDATE bascule.refresh_families SET confirmed_at = now() - interval '1 hour'"
    sql(f"{past} WHERE user_id = %s", [anna.id])
    for method, path in ways:
        assert visitor.ask(method, path).status == 403
    assert visitor.post("/api/auth/confirm", {"password": anna.password}).status == 200
    assert visitor.post(HERE).status == 409
    renewed = visitor.post(f"{HERE}/recovery-codes").json["recovery_codes"]
    assert login(anna, app.recovery[0]).status == 422
    assert login(anna, renewed[0]).status == 200
    assert visitor.get(HERE).json["recovery_codes_left"] == 9
    assert visitor.delete(HERE).status == 200
    assert anna.try_login().status == 200


def test_its_secret_and_codes_are_kept_sealed(make_person: Make, sql: Sql) -> None:
    anna = make_person()
    app = set_up(anna)
    kept = repr(sql("SELECT f::text FROM bascule.second_factors f"))
    kept += repr(sql("SELECT c::text FROM bascule.recovery_codes c"))
    kept += repr(sql("SELECT a::text FROM bascule.audit a"))
    assert app.totp.secret not in kept
    for recovery in app.recovery:
        assert recovery not in kept and recovery.replace("-", "") not in kept


def test_it_is_set_up_on_its_page(make_person: Make, browse: Callable[..., Visitor]) -> None:
    anna = make_person()
    browser = browse(anna)
    here = "/settings/second-factor"
    assert b"It is off" in browser.get(here).body
    page = browser.ask("POST", here, form={}).body.decode()
    assert 'src="data:image/svg+xml' in page
    secret = page.split('data-copy="')[1].split('"')[0]
    wrong = browser.ask("POST", f"{here}/confirm", form={"code": "000000"})
    assert wrong.status == 422 and secret in wrong.body.decode()
    done = browser.ask("POST", f"{here}/confirm", form={"code": pyotp.TOTP(secret).now()})
    assert done.status == 200 and b"Your recovery codes" in done.body
    later = browser.get(here).body.decode()
    assert secret not in later and "10 of 10 recovery codes" in later
    assert browser.ask("POST", f"{here}/recovery-codes", form={}).status == 200
    assert browser.ask("POST", f"{here}/off", form={}).status == 303
    assert anna.try_login().status == 200


@pytest.fixture(scope="module")
def strict_hub(fresh_settings: FreshSettings) -> Iterator[RunningHub]:
    with (
        fresh_settings(trusted_proxies="127.0.0.1", second_factor="admins") as settings,
        RunningHub(settings, worker=False) as running,
    ):
        yield running


def test_where_admins_have_to_have_one_they_are_as_editors_without(strict_hub: RunningHub) -> None:
    password = "four words that rhyme"

    async def made() -> int:
        async with strict_hub.hub.db.session() as session:
            user, link = await users.invite(session, "boss", role="admin")
            number = user.id
        await welcome(strict_hub.hub, link, password)
        return number

    number = strict_hub.run(made())
    boss = Somebody(number, "boss", "boss@example.com", "admin", password, strict_hub.url)
    visitor = boss.visit()
    refused = visitor.post("/api/users", {"username": "anna"})
    assert refused.status == 403 and "second-factor" in refused.json["next_step"], refused
    assert visitor.get("/api/users").status == 403
    assert visitor.get("/api/connectors").status == 200
    assert visitor.get(HERE).json == {
        "on": False,
        "passkeys": 0,
        "required": True,
        "since": None,
        "recovery_codes_left": 0,
    }
    app = set_up(boss)
    visitor = Visitor(boss.url, login(boss, app.code()).json["access_token"])
    assert visitor.post("/api/users", {"username": "anna"}).status == 201
