"""People in front of their browsers: pages as they read them, forms as their pages send them."""

import re
from dataclasses import dataclass
from html import unescape

from tests.kit.api import Answer, Headers
from tests.kit.visitors import COOKIE, Somebody, Visitor


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

    def open(self, path: str, headers: Headers | None = None) -> Page:
        return Page(self.visitor.get(path, headers))

    def send(self, path: str, csrf: str | None = None, **fields: str | list[str]) -> Page:
        token = self.visitor.csrf or "" if csrf is None else csrf
        form = {"csrf_token": token, **fields}
        return Page(self.visitor.ask("POST", path, form=form, headers={"X-CSRF-Token": None}))

    @property
    def signed_in(self) -> bool:
        return self.visitor.get("/api/auth/me").status == 200

    def follow(self, sent: Page) -> Page:
        """Where a form leads to, with what it has to say there."""
        assert sent.status == 303, sent.text
        said = sent.answer.headers.get("set-cookie", "").partition(";")[0]
        cookies = f"{COOKIE}={self.visitor.cookie}; {said}"
        return self.open(sent.to.partition("#")[0], {"Cookie": cookies})
