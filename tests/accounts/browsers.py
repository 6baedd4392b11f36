"""A browser, as far as sign-ins go: its cookies, and what it is sent to."""

from collections.abc import Mapping
from http.client import HTTPConnection
from urllib.parse import urlsplit

from .visitors import Answer, Visitor, next_address


class Browser:
    def __init__(self, url: str) -> None:
        self.visitor, self.cookies = Visitor(url, address=next_address()), dict[str, str]()

    def send(self, path: str, form: Mapping[str, str] | None = None, **more: str | None) -> Answer:
        said = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        method = "GET" if form is None else "POST"
        answer = self.visitor.ask(method, path, form=form, Cookie=said or None, **more)
        for name, value in self.visitor.set_cookies:
            self.cookies[name] = value
        return answer

    @property
    def signed_in(self) -> bool:
        return self.send("/api/auth/me").status == 200


def sent_on(url: str) -> str:
    """Where another server sends who comes there."""
    at = urlsplit(url)
    asking = HTTPConnection(at.hostname or "", at.port, timeout=60)
    asking.request("GET", f"{at.path}?{at.query}")
    to = asking.getresponse().getheader("Location")
    asking.close()
    assert to is not None
    return to


def path_of(url: str) -> str:
    at = urlsplit(url)
    return f"{at.path}?{at.query}" if at.query else at.path
