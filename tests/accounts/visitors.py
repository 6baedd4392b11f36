"""Who asks the hub, and how: with a token, or as a browser with its cookie; each from an address of
its own, so that the throttle of one test is not another's.
"""

import http.client
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

_addresses = count(1)
COOKIE = "bascule_session"


def next_address() -> str:
    number = next(_addresses)
    return f"198.51.{number // 256}.{number % 256}"


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Visitor:
    """The hub under test believes its tests' X-Forwarded-For, as it would a proxy's."""

    url: str
    token: str | None = None
    cookie: str | None = None
    csrf: str | None = None
    address: str = field(default_factory=next_address)
    set_cookies: list[tuple[str, str]] = field(default_factory=list)  # by the last answer

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        form: Mapping[str, str | list[str]] | None = None,
        **more: str | None,
    ) -> Answer:
        """`more`: headers with underscores for hyphens; None leaves out one of ours."""
        to = urlsplit(self.url)
        headers: dict[str, str | None] = {"X-Forwarded-For": self.address}
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token}"
        if self.cookie is not None:
            headers["Cookie"] = f"{COOKIE}={self.cookie}"
        if self.csrf is not None:
            headers["X-CSRF-Token"] = self.csrf
        raw: bytes | None = None
        if form is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            raw = urlencode(form, doseq=True).encode()
        elif body is not None:
            headers["Content-Type"] = "application/json"
            raw = json.dumps(body).encode()
        headers |= {name.replace("_", "-"): value for name, value in more.items()}
        said = {name: value for name, value in headers.items() if value is not None}
        asking = http.client.HTTPConnection(to.hostname or "", to.port, timeout=60)
        try:
            asking.request(method, quote(path, safe="/?&=%:"), raw, said)
            got = asking.getresponse()
            told = {name.lower(): value for name, value in got.getheaders()}
            given = (text for name, text in got.getheaders() if name.lower() == "set-cookie")
            pairs = (text.partition(";")[0].partition("=") for text in given)
            self.set_cookies = [(name, value) for name, _, value in pairs]
            endless = told.get("content-type", "").startswith("text/event-stream")
            return Answer(got.status, told, b"" if endless else got.read())
        finally:
            asking.close()

    def get(self, path: str, **headers: str | None) -> Answer:
        return self.ask("GET", path, **headers)

    def post(self, path: str, body: Any = None, **headers: str | None) -> Answer:
        return self.ask("POST", path, body, **headers)

    def put(self, path: str, body: Any) -> Answer:
        return self.ask("PUT", path, body)

    def patch(self, path: str, body: Any) -> Answer:
        return self.ask("PATCH", path, body)

    def delete(self, path: str) -> Answer:
        return self.ask("DELETE", path)

    def with_token(self, token: str | None) -> "Visitor":
        return Visitor(self.url, token, address=self.address)


@dataclass
class Somebody:
    """An account, its password, and how its owner asks after signing in."""

    id: int
    username: str
    email: str
    role: str
    password: str
    url: str

    def login(self, address: str | None = None) -> Any:
        """The tokens of a new sign-in."""
        answer = self.try_login(address=address)
        assert answer.status == 200, answer
        return answer.json

    def try_login(
        self, password: str | None = None, *, name: str | None = None, address: str | None = None
    ) -> Answer:
        visitor = Visitor(self.url, address=address or next_address())
        body = {
            "username": self.username if name is None else name,
            "password": self.password if password is None else password,
        }
        return visitor.post("/api/auth/login", body)

    def visit(self) -> Visitor:
        return Visitor(self.url, self.login()["access_token"])


def texts_in(value: Any) -> Iterator[str]:
    """Every text and number in an answer, as texts."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield str(name)
            yield from texts_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts_in(inner)
    else:
        yield str(value)
