"""Signing in with a password: the session's cookie, its end, and the CSRF token of its writes."""

import json
import re
from typing import Any

import aiohttp
import pytest

from .conftest import Client, MakeSite, doctype, field, messages

BIKE = doctype("Bike", field("title"))


class Browser:
    """Keeps cookies, and sends no API key."""

    def __init__(self, site: Client, http: aiohttp.ClientSession) -> None:
        self._url, self.http = site.running.url, http

    async def ask(self, verb: str, path: str, **given: Any) -> tuple[int, Any]:
        async with self.http.request(verb, self._url + path, **given) as answer:
            text = await answer.text()
            is_json = answer.content_type == "application/json"
            return answer.status, json.loads(text) if is_json else text

    async def sign_in(self, user: str, password: str) -> tuple[int, Any]:
        return await self.ask("POST", "/api/method/login", data={"usr": user, "pwd": password})

    async def user(self) -> tuple[int, Any]:
        return await self.ask("GET", "/api/method/frappe.auth.get_logged_user")

    @property
    def cookies(self) -> dict[str, str]:
        return {one.key: one.value for one in self.http.cookie_jar}


@pytest.fixture
async def http() -> Any:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        yield session


async def test_password_starts_session_known_by_its_cookie(make_site: MakeSite, http: Any) -> None:
    browser = Browser(await make_site(BIKE), http)
    status, body = await browser.sign_in("hub@example.com", "hub-pw")
    assert (status, body) == (
        200,
        {"message": "Logged In", "home_page": "/app/home", "full_name": "hub@example.com"},
    )
    assert browser.cookies["user_id"] == "hub%40example.com"
    assert browser.cookies["system_user"] == "yes"
    assert await browser.user() == (200, {"message": "hub@example.com"})


async def test_login_by_cmd_and_json_is_taken_too(make_site: MakeSite, http: Any) -> None:
    browser = Browser(await make_site(BIKE), http)
    form = {"cmd": "login", "usr": "HUB@example.com", "pwd": "hub-pw"}
    assert (await browser.ask("POST", "/", data=form))[1]["message"] == "Logged In"
    body = {"usr": "Administrator", "pwd": "admin-pw"}
    assert (await browser.ask("POST", "/api/method/login", json=body))[0] == 200
    assert await browser.user() == (200, {"message": "Administrator"})


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"usr": "hub@example.com", "pwd": "not it"}, "Invalid login credentials"),
        ({"usr": "nobody@example.com", "pwd": "hub-pw"}, "Invalid login credentials"),
        ({"usr": "hub@example.com", "pwd": "x" * 513}, "Password size exceeded"),
        ({"usr": "hub@example.com"}, "Incomplete login details"),
    ],
)
async def test_wrong_password_is_401_and_starts_no_session(
    make_site: MakeSite, http: Any, given: dict[str, str], told: str
) -> None:
    browser = Browser(await make_site(BIKE), http)
    status, body = await browser.ask("POST", "/api/method/login", data=given)
    assert (status, body["exc_type"]) == (401, "AuthenticationError")
    assert body["message"].startswith(told)
    assert browser.cookies == {}


async def test_disabled_user_may_not_sign_in(make_site: MakeSite, http: Any) -> None:
    site = await make_site(BIKE)
    admin = site.as_user("admin")
    assert (await admin.update("User", "clerk@example.com", enabled=0))[0] == 200
    status, body = await Browser(site, http).sign_in("clerk@example.com", "clerk-pw")
    assert (status, body["message"]) == (401, "User disabled or missing")


async def test_new_password_replaces_the_old_and_is_never_shown(
    make_site: MakeSite, http: Any
) -> None:
    site = await make_site(BIKE)
    browser, admin = Browser(site, http), site.as_user("admin")
    assert (await admin.update("User", "clerk@example.com", new_password="fresh one"))[0] == 200
    assert not (await admin.read("User", "clerk@example.com")).get("new_password")
    assert (await browser.sign_in("clerk@example.com", "clerk-pw"))[0] == 401
    assert (await browser.sign_in("clerk@example.com", "fresh one"))[0] == 200


async def test_logout_ends_session_and_takes_cookies_away(make_site: MakeSite, http: Any) -> None:
    browser = Browser(await make_site(BIKE), http)
    await browser.sign_in("hub@example.com", "hub-pw")
    sid = browser.cookies["sid"]
    assert (await browser.ask("GET", "/api/method/logout"))[0] == 200
    assert browser.cookies == {}
    status, body = await browser.ask(
        "GET", "/api/method/frappe.auth.get_logged_user", headers={"Cookie": f"sid={sid}"}
    )
    assert (status, body["session_expired"]) == (403, 1)


async def test_session_has_its_users_rights(make_site: MakeSite, http: Any) -> None:
    browser = Browser(await make_site(BIKE), http)
    await browser.sign_in("stranger@example.com", "stranger-pw")
    assert (await browser.ask("GET", "/api/resource/Bike"))[0] == 403
    await browser.sign_in("hub@example.com", "hub-pw")
    assert (await browser.ask("POST", "/api/resource/Bike", json={"title": "Gracht"}))[0] == 200


@pytest.mark.parametrize(("major", "desk"), [(15, "/app"), (16, "/desk")])
async def test_writes_need_csrf_token_once_a_page_told_it(
    make_site: MakeSite, http: Any, major: int, desk: str
) -> None:
    browser = Browser(await make_site(BIKE, major=major), http)
    await browser.sign_in("hub@example.com", "hub-pw")
    status, page = await browser.ask("GET", desk)
    found = re.search(r'frappe\.csrf_token = "(\w+)"', page)
    assert status == 200
    assert found
    create = ("POST", "/api/resource/Bike")
    for headers in ({}, {"X-Frappe-CSRF-Token": "guessed"}):
        status, body = await browser.ask(*create, json={"title": "Gracht"}, headers=headers)
        assert (status, body["exc_type"]) == (400, "CSRFTokenError")
        assert messages(body) == ["Invalid Request"]
        assert "exc" not in body
    assert (await browser.ask("GET", "/api/resource/Bike")) == (200, {"data": []})
    header = {"X-Frappe-CSRF-Token": found[1]}
    assert (await browser.ask(*create, json={"title": "Gracht"}, headers=header))[0] == 200
    form = {"title": "Jordaan", "csrf_token": found[1]}
    assert (await browser.ask(*create, data=form))[0] == 200


async def test_desk_sends_guests_to_sign_in(make_site: MakeSite, http: Any) -> None:
    site = await make_site(BIKE)
    url = f"{site.running.url}/app"
    async with http.get(url, allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (301, "/login?redirect-to=%2Fapp")


async def test_api_key_goes_before_the_cookie(make_site: MakeSite, http: Any) -> None:
    browser = Browser(await make_site(BIKE), http)
    await browser.sign_in("hub@example.com", "hub-pw")
    headers = {"Authorization": "token clerk-k:clerk-s"}
    status, body = await browser.ask(
        "GET", "/api/method/frappe.auth.get_logged_user", headers=headers
    )
    assert (status, body) == (200, {"message": "clerk@example.com"})
