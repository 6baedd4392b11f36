"""People of a hub, and how each asks it: with a token, or as a browser with its cookie; everybody
from an address of their own, so that the throttle of one test is not another's.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from tests.kit.api import Answer, Api, Form, Headers

_addresses = count(1)
COOKIE = "bascule_session"
PASSWORD = "four words that rhyme"


def next_address() -> str:
    number = next(_addresses)
    return f"198.51.{number // 256}.{number % 256}"


@dataclass
class Visitor(Api):
    """The hub under test believes its tests' X-Forwarded-For, as it would a proxy's."""

    cookie: str | None = None
    csrf: str | None = None
    address: str = field(default_factory=next_address)

    def known_by(self) -> dict[str, str]:
        known = {"X-Forwarded-For": self.address, **super().known_by()}
        if self.cookie is not None:
            known["Cookie"] = f"{COOKIE}={self.cookie}"
        if self.csrf is not None:
            known["X-CSRF-Token"] = self.csrf
        return known

    def with_token(self, token: str | None) -> "Visitor":
        return Visitor(self.url, token, address=self.address)


class Browser:
    """Keeps the cookies that it is given, as far as sign-ins go."""

    def __init__(self, url: str, address: str | None = None) -> None:
        self.visitor = Visitor(url, address=address or next_address())
        self.cookies: dict[str, str] = {}

    def send(self, path: str, form: Form | None = None, headers: Headers | None = None) -> Answer:
        said = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        method = "GET" if form is None else "POST"
        known = {"Cookie": said or None, **(headers or {})}
        answer = self.visitor.ask(method, path, form=form, headers=known)
        self.cookies.update(answer.cookies)
        return answer

    @property
    def signed_in(self) -> bool:
        return self.send("/api/auth/me").status == 200


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
