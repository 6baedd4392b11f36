"""What a browser can be made to do by others, with forms of another site's, sessions laid under it
and links that lead elsewhere: nothing.
"""

import re
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urljoin, urlsplit

import pytest

from bascule.accounts.origin import local_path
from tests.accounts.conftest import Crew
from tests.accounts.walking import GUARDED, Way
from tests.kit.api import Answer
from tests.kit.hub import RunningHub
from tests.kit.people import Browse, Make, Sql
from tests.kit.visitors import COOKIE, Visitor

CHANGING = [way for way in GUARDED if way.method != "GET"]
every_change = pytest.mark.parametrize("way", CHANGING, ids=str)
ELSEWHERE: dict[str, dict[str, str | None]] = {
    "no token": {"X-CSRF-Token": None},
    "an empty token": {"X-CSRF-Token": ""},
    "a wrong token": {"X-CSRF-Token": "x" * 43},
    "another site": {"Origin": "https://evil.example"},
    "another port": {"Origin": "http://127.0.0.1:1"},
    "no origin at all": {"Origin": "null"},
    "a site beside": {"Sec-Fetch-Site": "same-site"},
    "a site elsewhere": {"Sec-Fetch-Site": "cross-site"},
}


@every_change
def test_no_other_site_changes_anything_with_a_browsers_cookie(way: Way, crew: Crew) -> None:
    visitor = crew.browse(crew.people["admin"])
    for what, headers in ELSEWHERE.items():
        answer = _send(way, visitor, headers)
        assert answer.status == 403, (what, answer)
    other = crew.browse(crew.people["admin"])
    assert _send(way, visitor, {"X-CSRF-Token": other.csrf}).status == 403
    assert visitor.get("/api/auth/me").status == 200  # sign-out was not done either
    # And its own page does it, as far as a form with nothing in it goes.
    assert _send(way, visitor, {"Origin": crew.url, "Sec-Fetch-Site": "same-origin"}).status != 403


def _send(way: Way, visitor: Visitor, headers: dict[str, str | None]) -> Answer:
    if way.is_page:
        return visitor.ask(way.method, way.at(), form={}, headers=headers)
    return visitor.ask(way.method, way.at(), {}, headers=headers)


def test_a_form_carries_its_token_as_a_field(make_person: Make, browse: Browse) -> None:
    visitor = browse(make_person())
    for token, status in (("", 403), ("x" * 43, 403), (visitor.csrf or "", 303)):
        form = {"csrf_token": token}
        answer = visitor.ask("POST", "/sign-out", form=form, headers={"X-CSRF-Token": None})
        assert answer.status == status
    assert visitor.get("/api/auth/me").status == 401


def test_signing_in_and_choosing_a_password_are_not_done_for_another_site(
    make_person: Make, stranger: Visitor, admin: Visitor
) -> None:
    """Or somebody would be signed in as another, and type their secrets there."""
    anna = make_person()
    form = {"name": anna.username, "password": anna.password}
    link = admin.post(f"/api/users/{make_person().id}/reset").json["link"]
    welcome = urlsplit(link).path
    chosen = {"password": anna.password, "again": anna.password}
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        for path, sent in (("/sign-in", form), (welcome, chosen)):
            answer = stranger.ask("POST", path, form=sent, headers=headers)
            assert answer.status == 403
            assert "set-cookie" not in answer.headers
    assert stranger.ask("POST", welcome, form=chosen).status == 303


def cookie_of(answer: Answer) -> tuple[str, set[str]]:
    """What the session's cookie says, and how it is kept. Over TLS it is this host's alone."""
    value, *kept = answer.headers["set-cookie"].split("; ")
    secure = "secure" in {each.lower() for each in kept}
    assert value.startswith(f"__Host-{COOKIE}=" if secure else f"{COOKIE}=")
    assert ("strict-transport-security" in answer.headers) is secure
    return value.partition("=")[2], {each.lower() for each in kept}


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(
    make_person: Make, stranger: Visitor
) -> None:
    anna = make_person()
    form = {"name": anna.username, "password": anna.password}
    _, kept = cookie_of(stranger.ask("POST", "/sign-in", form=form))
    assert {"httponly", "samesite=lax", "path=/"} <= kept
    assert "secure" not in kept
    assert not any(each.startswith("domain") for each in kept)
    _, kept = cookie_of(
        stranger.ask("POST", "/sign-in", form=form, headers={"X-Forwarded-Proto": "https"})
    )
    assert "secure" in kept


@pytest.mark.parametrize(
    ("hop", "address"),
    [
        ("198.51.100.7:51234", "198.51.100.7"),
        ("[2001:db8::7]:51234", "2001:db8::7"),
        ("[2001:db8::7]", "2001:db8::7"),
        ("2001:db8::7", "2001:db8::7"),
    ],
)
def test_a_proxy_may_write_the_port_too(
    make_person: Make, stranger: Visitor, hop: str, address: str
) -> None:
    anna = make_person()
    form = {"name": anna.username, "password": anna.password}
    signed_in = stranger.ask(
        "POST", "/sign-in", form=form, headers={"X-Forwarded-For": f"203.0.113.9, {hop}"}
    )
    stranger.cookie, _ = cookie_of(signed_in)
    [session] = stranger.get("/api/auth/sessions").json["sessions"]
    assert session["address"] == address


def test_the_cookie_travels_encrypted_where_people_reach_the_hub_by_https(
    running_hub: RunningHub,
    make_person: Make,
    stranger: Visitor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also where a proxy that nobody told the hub of speaks HTTPS for it."""
    anna = make_person()
    form = {"name": anna.username, "password": anna.password}
    for public, host, encrypted in (
        ("https://hub.example.com/", "hub.example.com", True),
        ("https://hub.example.com", "10.0.0.5:8003", False),  # or one could not sign in there
        ("http://hub.example.com", "hub.example.com", False),
    ):
        monkeypatch.setattr(running_hub.hub.settings, "public_url", public)
        _, kept = cookie_of(stranger.ask("POST", "/sign-in", form=form, headers={"Host": host}))
        assert ("secure" in kept) is encrypted, (public, host)


@pytest.mark.parametrize("by", ["sign-in", "welcome"])
def test_a_session_that_somebody_laid_under_is_not_signed_in_to(
    by: str, make_person: Make, browse: Browse, stranger: Visitor, admin: Visitor
) -> None:
    anna, attacker = make_person(), browse(make_person())
    path, form = "/sign-in", {"name": anna.username, "password": anna.password}
    if by == "welcome":
        path = urlsplit(admin.post(f"/api/users/{anna.id}/reset").json["link"]).path
        form = {"password": anna.password, "again": anna.password}
    for known in ("chosen-by-somebody-else", attacker.cookie):
        victim = Visitor(stranger.url, cookie=known)
        answer = victim.ask("POST", path, form=form)
        assert answer.status == 303
        given, _ = cookie_of(answer)
        assert given != known
        assert len(given) >= 43
        assert victim.get("/api/auth/me").status == 401  # the known one opens nothing now
        mine = Visitor(stranger.url, cookie=given).get("/api/auth/me")
        assert mine.json["username"] == anna.username
        if by == "welcome":
            return


def test_signing_out_ends_the_session_and_not_the_cookie_alone(
    make_person: Make, browse: Browse
) -> None:
    anna = make_person()
    here, elsewhere = browse(anna), browse(anna)
    answer = here.ask("POST", "/sign-out", form={})
    assert answer.headers["location"] == "/sign-in"
    assert here.get("/api/auth/me").status == 401
    assert elsewhere.get("/api/auth/me").status == 200


@pytest.mark.parametrize(
    "passed",
    ["expires_at = now() - interval '1 second'", "last_seen_at = now() - interval '73 hours'"],
)
def test_a_session_ends_after_its_time_and_after_days_without_a_visit(
    passed: str, make_person: Make, browse: Browse, sql: Sql
) -> None:
    anna = make_person()
    visitor = browse(anna)
    assert visitor.get("/api/auth/me").status == 200
    sql(f"UPDATE bascule.sessions SET {passed} WHERE user_id = %s", [anna.id])
    assert visitor.get("/api/auth/me").status == 401
    assert visitor.get("/").headers["location"] == "/sign-in?next=%2F"


EVIL = [
    "//evil.example",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "\\/evil.example",
    "https://evil.example",
    "https:evil.example",
    "http:/evil.example",
    "evil.example",
    "@evil.example",
    "javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    " //evil.example",
    "/ /evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "/\r/evil.example",
    "\t//evil.example",
    "\0//evil.example",
    "/\0/evil.example",
    "/\x0b/evil.example",
    "/a\r\nSet-Cookie: x=y",
    "//evil.example/%2e%2e",
    "/\\/evil.example",
    "",
]
HARMLESS = [
    "/",
    "/people?a=b&c=%2F%2Fevil",
    "/%2fevil.example",
    "/%5cevil.example",
    "/@evil",
    "/a//b",
]


def stays(here: str, location: str) -> bool:
    """Where a browser goes: it drops tabs and line breaks and reads \\ as /."""
    read = re.sub(r"[\t\r\n]", "", location.strip("".join(map(chr, range(33))))).replace("\\", "/")
    return urlsplit(urljoin(here, read)).netloc == urlsplit(here).netloc


@pytest.mark.parametrize("wanted", [*EVIL, *HARMLESS])
def test_nobody_is_sent_elsewhere_after_signing_in(
    wanted: str, crew: Crew, make_person: Make, browse: Browse
) -> None:
    assert local_path(wanted) == (wanted if wanted in HARMLESS else "/")
    anna = crew.people["viewer"]
    query = urlencode({"next": wanted}, quote_via=quote)
    signed_in = browse(anna).get(f"/sign-in?{query}")
    form = {"name": anna.username, "password": anna.password, "next": wanted}
    signing_in = Visitor(crew.url).ask("POST", "/sign-in", form=form)
    for answer in (signed_in, signing_in):
        assert answer.status == 303
        assert stays(crew.url + "/", answer.headers["location"])
        assert answer.headers["location"] == local_path(wanted)
    asked = Visitor(crew.url).get(f"/sign-in?{query}").body.decode()
    if wanted in EVIL and wanted:
        assert "evil.example" not in asked
        assert "alert(1)" not in asked


def test_who_is_sent_to_sign_in_comes_back_to_a_page_of_ours(crew: Crew) -> None:
    for path in ("//evil.example/people", "/\\evil.example"):
        answer = Visitor(crew.url).get(path)
        assert answer.status in (303, 404)
        if answer.status == 303:
            assert stays(crew.url, answer.headers["location"])
            query = parse_qs(urlsplit(answer.headers["location"]).query)
            assert stays(crew.url, query["next"][0])
    told = Visitor(crew.url).get(
        "/people",
        headers={"HX-Request": "true", "HX-Current-URL": "https://evil.example//evil.example/a"},
    )
    query = parse_qs(urlsplit(told.headers["hx-redirect"]).query)
    assert query["next"] == ["/"]


def test_a_token_in_an_address_opens_nothing(
    make_person: Make, make_token: Any, stranger: Visitor
) -> None:
    """It would stand in histories, logs and Referers."""
    anna = make_person("admin")
    for token in (make_token(anna), anna.login()["access_token"]):
        for name in ("token", "access_token", "api_key", "authorization", COOKIE):
            assert stranger.get(f"/api/auth/me?{name}={token}").status == 401
        asked = stranger.get("/api/auth/me", headers={"Cookie": f"{COOKIE}={token}"})
        assert asked.status == 401


def test_an_address_behind_no_trusted_proxy_is_the_one_that_asks(
    running_hub: RunningHub, make_person: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running_hub.hub.settings, "trusted_proxies", "10.0.0.0/8")
    anna = make_person()
    anna.try_login("wrong", address="203.0.113.99")
    admin = make_person("admin").visit()
    newest = admin.get("/api/audit?limit=20&action=sign-in.failed").json["entries"][0]
    assert newest["address"] == "127.0.0.1"
