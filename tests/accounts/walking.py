"""Every route that the application has, page or API, and what it says it needs."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fastapi.routing import iter_route_contexts

from bascule.accounts.access import Require
from bascule.accounts.permissions import Permission
from bascule.app import create_app
from tests.kit.api import Answer
from tests.kit.visitors import Visitor

# Nobody is signed in there yet, or need not be.
OPEN = {
    ("GET", "/health"),
    ("GET", "/static/{name}"),
    ("GET", "/sign-in"),
    ("POST", "/sign-in"),
    ("POST", "/sign-in/passkey/options"),
    ("POST", "/sign-in/passkey"),
    ("GET", "/sign-in/oidc"),
    ("GET", "/sign-in/oidc/callback"),
    ("GET", "/sign-in/code"),
    ("POST", "/sign-in/code"),
    ("GET", "/welcome/{token}"),
    ("POST", "/welcome/{token}"),
    ("POST", "/api/auth/login"),
    ("POST", "/api/auth/refresh"),
    ("POST", "/api/webhooks/erpnext/{what}"),  # whose right is its signature
    ("POST", "/api/webhooks/{source}/{address}"),
}
IN_PATH = re.compile(r"\{(\w+)(?::path)?\}")
UNKNOWN = {
    "kind": "erpnext",
    "place": "erpnext",
    "format": "csv",
    "relation": "suppliers",
    "records": "customers",
    "field": "website",
    "act": "retry",
}


@dataclass(frozen=True)
class Way:
    """A method and a path; `needs`: the permissions that its dependencies ask for."""

    method: str
    path: str
    needs: tuple[Permission, ...]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def is_page(self) -> bool:
        return not self.path.startswith(("/api/", "/openapi", "/health", "/metrics"))

    @property
    def names(self) -> set[str]:
        return set(IN_PATH.findall(self.path))

    def at(self, **values: Any) -> str:
        """The path with these values; a name that is not given leads to nothing that is there."""
        known = {**UNKNOWN, **values}
        return IN_PATH.sub(lambda found: str(known.get(found[1], "999999")), self.path)

    def ask(self, visitor: Visitor, **values: Any) -> Answer:
        """As a form, or as a program, does it, with nothing filled in."""
        path = self.at(**values)
        if self.method == "GET":
            return visitor.get(path)
        if self.is_page:
            return visitor.ask(self.method, path, form={})
        return visitor.ask(self.method, path, {})


def every_way() -> list[Way]:
    found = []
    for route in iter_route_contexts(create_app().routes):
        for method in sorted((route.methods or set()) - {"HEAD"}):
            needed = [
                call.permission for call in _calls(route.dependant) if isinstance(call, Require)
            ]
            found.append(Way(method, str(route.path), tuple(dict.fromkeys(needed))))
    return found


def _calls(dependant: Any) -> Iterator[Any]:
    yield dependant.call
    for inner in dependant.dependencies:
        yield from _calls(inner)


WAYS = every_way()
GUARDED = [way for way in WAYS if (way.method, way.path) not in OPEN]
