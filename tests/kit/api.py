"""Who asks over HTTP: the hub, a site, or whatever answers at an address."""

import http.client
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

PATIENCE = 180.0
Headers = Mapping[str, str | None]  # None: a header that is left out
Form = Mapping[str, str | list[str]]


@dataclass
class Answer:
    status: int
    headers: dict[str, str]  # with their names in small letters
    body: bytes
    cookies: list[tuple[str, str]] = field(default_factory=list)  # those that it sets

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def send(
    url: str, method: str, raw: bytes | None, headers: Mapping[str, str], patience: float = PATIENCE
) -> Answer:
    """One request on a connection of its own. A stream without an end is not read."""
    to = urlsplit(url)
    asking = http.client.HTTPConnection(to.hostname or "", to.port, timeout=patience)
    try:
        asking.request(method, f"{to.path}?{to.query}" if to.query else to.path, raw, dict(headers))
        got = asking.getresponse()
        told = {name.lower(): value for name, value in got.getheaders()}
        set_by = (text for name, text in got.getheaders() if name.lower() == "set-cookie")
        pairs = (text.partition(";")[0].partition("=") for text in set_by)
        cookies = [(name, value) for name, _, value in pairs]
        endless = told.get("content-type", "").startswith("text/event-stream")
        return Answer(got.status, told, b"" if endless else got.read(), cookies)
    finally:
        asking.close()


@dataclass
class Api:
    """Someone who asks the hub, with a token or with None."""

    url: str
    token: str | None = None

    def known_by(self) -> dict[str, str]:
        """The headers of every request."""
        return {"Authorization": f"Bearer {self.token}"} if self.token is not None else {}

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        raw: bytes | None = None,
        form: Form | None = None,
        headers: Headers | None = None,
        **query: Any,
    ) -> Answer:
        """`body`: sent as JSON. `raw`: bytes that claim to be JSON. `form`: as a browser does."""
        said: dict[str, str | None] = {**self.known_by()}
        if form is not None:
            said["Content-Type"] = "application/x-www-form-urlencoded"
            raw = urlencode(form, doseq=True).encode()
        elif body is not None or raw is not None:
            said["Content-Type"] = "application/json"
            raw = json.dumps(body).encode() if raw is None else raw
        said |= headers or {}
        asked = quote(path, safe="/?&=%:+") + (f"?{urlencode(query)}" if query else "")
        kept = {name: value for name, value in said.items() if value is not None}
        return send(self.url + asked, method, raw, kept)

    def get(self, path: str, headers: Headers | None = None, **query: Any) -> Answer:
        return self.ask("GET", path, headers=headers, **query)

    def post(self, path: str, body: Any = None, headers: Headers | None = None) -> Answer:
        return self.ask("POST", path, body, headers=headers)

    def put(self, path: str, body: Any) -> Answer:
        return self.ask("PUT", path, body)

    def patch(self, path: str, body: Any) -> Answer:
        return self.ask("PATCH", path, body)

    def delete(self, path: str, **query: Any) -> Answer:
        return self.ask("DELETE", path, **query)
