"""People in front of their browsers, at a hub of this folder's own."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from html import unescape

import pytest

from accounts.conftest import (  # noqa: F401
    _quick_passwords,
    accounts_hub,
    admin,
    browse,
    make_person,
    sql,
    stranger,
)
from accounts.visitors import Answer, Somebody, Visitor


@dataclass
class Page:
    answer: Answer

    @property
    def status(self) -> int:
        return self.answer.status

    @property
    def html(self) -> str:
        return self.answer.body.decode()

    @property
    def text(self) -> str:
        """As somebody reads it."""
        return " ".join(unescape(re.sub(r"<[^>]*>", " ", self.html)).split())

    @property
    def to(self) -> str:
        return self.answer.headers.get("location", "")

    @property
    def shown_once(self) -> str:
        """What there is to copy."""
        found = re.search(r'data-copy="([^"]+)"', self.html)
        assert found, self.text
        return unescape(found[1])

    def value_of(self, name: str) -> str:
        found = re.search(rf'<input[^>]* value="([^"]*)"[^>]*name="{name}"', self.html)
        assert found, f"no field {name}"
        return unescape(found[1])


@dataclass
class Desk:
    """Somebody's browser: it follows no redirect, and sends a form as its page made it."""

    somebody: Somebody
    visitor: Visitor

    def open(self, path: str, **headers: str) -> Page:
        return Page(self.visitor.get(path, **headers))

    def send(self, path: str, csrf: str | None = None, **fields: str | list[str]) -> Page:
        token = self.visitor.csrf or "" if csrf is None else csrf
        form = {"csrf_token": token, **fields}
        return Page(self.visitor.ask("POST", path, form=form, X_CSRF_Token=None))

    @property
    def signed_in(self) -> bool:
        return self.visitor.get("/api/auth/me").status == 200


@pytest.fixture
def sit(
    make_person: Callable[..., Somebody],  # noqa: F811
    browse: Callable[..., Visitor],  # noqa: F811
) -> Callable[..., Desk]:
    """Somebody of this role, or somebody who is there, at a browser."""

    def sit(who: str | Somebody) -> Desk:
        somebody = make_person(who) if isinstance(who, str) else who
        return Desk(somebody, browse(somebody))

    return sit
