"""What every answer tells a browser not to do; and that no page needs what is forbidden."""

import logging
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import pytest

from tests.accounts.conftest import Crew
from tests.accounts.walking import GUARDED, WAYS
from tests.kit.api import Answer
from tests.kit.visitors import Visitor
from tests.kit.waiting import until

REFUSED_WORDS = ("unsafe-inline", "unsafe-eval", "*", "http:", "https:", "data:", "blob:")


def guarded(answer: Answer) -> None:
    told = answer.headers
    policy = dict(part.split(" ", 1) for part in told["content-security-policy"].split("; "))
    assert policy["default-src"] == "'self'"
    assert policy["script-src"] == "'self'"
    assert not any(word in policy["script-src"] for word in REFUSED_WORDS)
    for name in ("frame-ancestors", "base-uri", "object-src"):
        assert policy[name] == "'none'"
    assert policy["form-action"] == "'self'"
    assert policy["connect-src"] == "'self'"
    assert told["x-content-type-options"] == "nosniff"
    assert told["x-frame-options"] == "DENY"
    assert told["referrer-policy"] in ("same-origin", "no-referrer")
    assert told["cross-origin-opener-policy"] == "same-origin"
    assert told["cross-origin-resource-policy"] == "same-origin"
    assert "camera=()" in told["permissions-policy"]
    assert "access-control-allow-origin" not in told


def test_every_kind_of_answer_is_guarded(crew: Crew) -> None:
    page = crew.browse(crew.people["admin"])
    program = Visitor(crew.url, page.token, cookie=page.cookie, csrf=page.csrf)
    nobody = Visitor(crew.url)
    for answer, status in (
        (page.get("/"), 200),
        (page.get("/nothing/here"), 404),
        (page.ask("POST", "/people/invite", form={}), 422),
        (page.get("/sign-in"), 303),
        (page.ask("PUT", "/"), 405),
        (nobody.get("/sign-in"), 200),
        (nobody.get("/"), 303),
        (nobody.get("/welcome/unknown"), 404),
        (nobody.get("/health"), None),
        (nobody.get("/api/auth/me"), 401),
        (nobody.get("/api/nothing"), 404),
        (nobody.post("/api/auth/login", {}), 422),
        (nobody.get("/static/app.css"), 200),
        (nobody.get("/static/nothing.css"), 404),
        (program.get("/api/auth/me"), 200),
        (program.post("/api/users", {"username": "x" * 2_000_000}), 413),
        (program.get("/api/events"), 200),
        (program.get("/api/audit.csv"), 200),
        (program.ask("OPTIONS", "/api/users", headers={"Origin": "https://evil.example"}), 405),
    ):
        assert status is None or answer.status == status, answer
        guarded(answer)


@pytest.mark.parametrize("path", ["/", "/api/connectors/status"])
def test_a_failure_of_the_hubs_own_is_guarded_logged_and_tells_nothing(
    path: str, crew: Crew, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fails(*_: Any) -> Any:
        raise RuntimeError("a secret of the hub's inside")

    monkeypatch.setattr("bascule.connectors.home_page.listed", fails)
    monkeypatch.setattr("bascule.mirror.status.roster_api.find", fails)
    with caplog.at_level(logging.ERROR):
        answer = crew.browse(crew.people["viewer"]).get(path)
        until(lambda: "inside" in caplog.text, "its log says nothing")
    assert answer.status == 500
    assert b"a secret" not in answer.body
    assert b"Traceback" not in answer.body
    assert "a secret of the hub's inside" in caplog.text  # where its owner looks
    guarded(answer)


class Inline(HTMLParser):
    """Everything in a page that runs, or would if the policy let it."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        from_us = (named.get("src") or "").startswith("/static/")
        if tag == "script" and not from_us and named.get("type") != "application/json":
            self.found.append(f"<script {attrs}>")
        if tag in ("base", "object", "embed", "iframe"):
            self.found.append(f"<{tag}>")
        for name, value in attrs:
            if name.startswith(("on", "hx-on")):
                self.found.append(f"{tag} {name}")
            if (value or "").strip().lower().startswith(("javascript:", "vbscript:", "js:")):
                self.found.append(f"{tag} {name}={value}")


def pages(crew: Crew) -> Iterator[tuple[str, str]]:
    for way in WAYS:
        if way.method == "GET" and way.is_page and not way.path.startswith("/static"):
            visitor = crew.browse(crew.people["admin"]) if way in GUARDED else Visitor(crew.url)
            answer = way.ask(visitor, **crew.there)
            assert answer.status < 500, way
            if answer.headers.get("content-type", "").startswith("text/html"):
                yield way.path, answer.body.decode()


def test_no_page_has_a_script_of_its_own_in_it(crew: Crew) -> None:
    found = {}
    for path, html in pages(crew):
        parser = Inline()
        parser.feed(html)
        if parser.found:
            found[path] = parser.found
        assert ' src="http' not in html, path
    assert not found


def test_what_a_browser_or_proxy_keeps_of_an_answer_is_nothing(crew: Crew) -> None:
    visitor = crew.browse(crew.people["admin"])
    for way in GUARDED:
        if way.method == "GET" and not way.path.startswith("/static"):
            kept = way.ask(visitor, **crew.there).headers["cache-control"]
            assert kept == "no-store", way
    stranger = Visitor(crew.url)
    assert stranger.get("/sign-in").headers["cache-control"] == "no-store"
    login = stranger.post("/api/auth/login", {"username": "x", "password": "y"})
    assert login.headers["cache-control"] == "no-store"
    assert "immutable" in visitor.get("/static/app.css").headers["cache-control"]
